package rtsp

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"nvrfs/recorder/guard"
)

const (
	maxPending   = 8                // requests that wait for an answer; cameras may leave keep-alives unanswered
	optionalTime = 5 * time.Second  // for the answer to a request that the session can do without, where it means nothing
	setUpSound   = 10 * time.Second // for that to SETUP of sound, without which the session has none
	resendTime   = 10 * time.Second // to write a request once more
	bodyTime     = 2 * time.Second  // for the rest of a message
)

// A dialogue is the connection of a session as gortsplib sees it: one that keeps to the rules. What a camera does otherwise ends
// here: requests of its own, packets before they are asked for, wrong sequence numbers, headers that make no sense. The dialogue
// also proves who asks, so that gortsplib never knows a password.
//
//	gortsplib ─requests─> Write ─with Authorization─> camera
//	          <─answers── Read  <─repeated where it answers 401─
//
// Interleaved frames (RFC 2326 10.12) pass through as they are.
type dialogue struct {
	net.Conn // to the camera
	s        *session
	in       *bufio.Reader

	// Of the reader, which is one goroutine.
	clean  []byte // an answer that gortsplib has not read yet
	frame  int    // bytes of an interleaved frame that gortsplib has not read yet
	skip   int    // bytes of one that gortsplib does not get
	routes routes

	playing atomic.Bool // PLAY was sent, so that frames are welcome

	mu       sync.Mutex // held while a message is written
	login    login
	sequence int        // CSeq of the newest request
	pending  []*request // oldest first
	wrong    bool       // the camera's CSeq cannot be relied on
	answered int        // CSeq of the newest request that was answered
	channels []int      // the first channel of each track that is set up
}

// A request is one of gortsplib that waits for its answer.
type request struct {
	method, uri string
	rest        string // its headers but for CSeq, and the end of the head
	transport   string // its Transport header
	cseq        string // as gortsplib counts
	sent        int    // as the camera was told
	authorized  bool   // it had an Authorization
	renewed     int    // how often in a row its nonce was no good
	plain       bool   // it was sent once more without Range
	optional    bool   // the session goes on without an answer
}

// Read implements net.Conn.
func (d *dialogue) Read(p []byte) (n int, err error) {
	for n == 0 && err == nil && len(p) > 0 {
		switch {
		case len(d.clean) > 0:
			n = copy(p, d.clean)
			d.clean = d.clean[n:]
		case d.frame > 0:
			n, err = d.readFrames(p)
		default:
			err = d.next()
		}
		if errors.Is(err, os.ErrDeadlineExceeded) {
			err = d.late()
		}
	}
	return n, err
}

// readFrames reads what there is of interleaved frames.
func (d *dialogue) readFrames(p []byte) (n int, err error) {
	for n < len(p) && d.frame > 0 {
		m, err := d.in.Read(p[n:min(len(p), n+d.frame)])
		n, d.frame = n+m, d.frame-m
		if err != nil || d.in.Buffered() < routedHead {
			return n, err
		}
		if head, _ := d.in.Peek(routedHead); d.frame == 0 && head[0] == '$' {
			d.frame = frameSize(head)
			d.routes.route(head)
		}
	}
	return n, nil
}

// frameSize is that of an interleaved frame with its head of 4 bytes.
func frameSize(head []byte) int { return 4 + int(head[2])<<8 + int(head[3]) }

// next reads up to the next thing that is for gortsplib, or a part of the way.
func (d *dialogue) next() error {
	if d.skip > 0 {
		n, err := d.in.Discard(d.skip)
		d.skip -= n
		return err
	}
	head, err := d.in.Peek(4)
	if err != nil {
		return err
	}
	switch {
	case head[0] == '$':
		size := frameSize(head)
		if !d.playing.Load() || len(d.channels) == 0 { // some cameras send frames although UDP was agreed to
			d.skip = size
			return nil
		}
		if size >= routedHead {
			if head, err = d.in.Peek(routedHead); err != nil {
				return err
			}
			d.routes.route(head)
		}
		d.frame = size
		return nil
	case len(bytes.Trim(head[:3], "ABCDEFGHIJKLMNOPQRSTUVWXYZ_")) > 0:
		_, err = d.in.Discard(1) // what is between messages means nothing
		return err
	}
	return d.s.guard.Do(d.s.log, "a message of the camera", d.message)
}

func (d *dialogue) message() error {
	m, err := readHead(d.in)
	if err != nil || m == nil {
		return err
	}
	if err := d.readBody(m); err != nil {
		return err
	}
	if !m.isAnswer() {
		return d.request(m)
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.answerLocked(m)
}

// readBody reads what there is of a message after its head. Its length may be missing or too great, so a session description ends
// when no more of it comes.
func (d *dialogue) readBody(m *message) error {
	if m.one("content-length") == "" && !m.chunked() && !d.describes(m) {
		return nil
	}
	_ = d.Conn.SetReadDeadline(time.Now().Add(bodyTime))
	defer func() { _ = d.Conn.SetReadDeadline(time.Time{}) }()
	read := m.readBody
	switch {
	case m.chunked():
		read = m.readChunks
	case m.one("content-length") == "":
		read = m.readLines
	}
	err := read(d.in)
	if len(m.body) > 0 && d.describes(m) && (errors.Is(err, os.ErrDeadlineExceeded) || errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF)) {
		return nil
	}
	return err
}

// describes reports whether a message is a description of the stream that was asked for.
func (d *dialogue) describes(m *message) bool {
	d.mu.Lock()
	defer d.mu.Unlock()
	return m.isAnswer() && m.status() == 200 && len(d.pending) > 0 && d.pending[0].method == "DESCRIBE"
}

// request answers a request of the camera.
func (d *dialogue) request(m *message) error {
	status, err := "200 OK", error(nil)
	switch m.method() {
	case "OPTIONS", "GET_PARAMETER", "SET_PARAMETER", "PLAY_NOTIFY":
	case "ANNOUNCE":
		if m.one("location") != "" {
			err = moved(m)
		}
	case "REDIRECT":
		err = moved(m)
	case "TEARDOWN":
		err = errors.New("the camera ended the session (TEARDOWN)")
	default:
		status = "501 Not Implemented"
	}
	answer := &message{first: "RTSP/1.0 " + status}
	for _, name := range []string{"cseq", "session"} {
		if v := m.one(name); v != "" {
			answer.fields = append(answer.fields, field{name, v})
		}
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	return errors.Join(d.writeLocked(answer.bytes()), err)
}

// moved is the reason why a session ends that the camera sends elsewhere.
func moved(m *message) error {
	where := m.one("location")
	if where == "" {
		return errors.New("the camera asks to connect again (REDIRECT)")
	}
	return fmt.Errorf("the camera says that the stream moved to %s; write that into the configuration, unless the next session works", quoted(where))
}

// quoted is text of a camera as errors and the log have it.
func quoted(text string) string { return strconv.Quote(guard.Shorten(text, guard.MaxReason)) }

func (d *dialogue) writeLocked(p []byte) error {
	_ = d.Conn.SetWriteDeadline(time.Now().Add(resendTime))
	_, err := d.Conn.Write(p)
	return err
}

// Write implements net.Conn. gortsplib writes a message at a time.
func (d *dialogue) Write(p []byte) (int, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	var req *request
	if len(p) > 0 && p[0] != '$' {
		req = parseRequest(p)
	}
	if req == nil {
		return d.Conn.Write(p)
	}
	switch req.method {
	case "OPTIONS":
		req.optional = !d.playing.Load() // what the camera will do, it says when it is asked for that
	case "SETUP":
		req.optional = d.s.optional.Load()
	case "PLAY":
		req.optional = true // whether it plays, packets say
		d.playing.Store(true)
	}
	d.awaitLocked(req)
	d.s.because(nil)
	if err := d.sendLocked(req); err != nil {
		return 0, err
	}
	return len(p), nil
}

// parseRequest returns nil for what is no request.
func parseRequest(p []byte) *request {
	head, rest, ok := strings.Cut(string(p), "\r\n")
	words := strings.Split(head, " ")
	if !ok || len(words) != 3 || words[2] != "RTSP/1.0" {
		return nil
	}
	req := &request{method: words[0], uri: words[1]}
	for line := range strings.Lines(rest) {
		name, value, _ := strings.Cut(line, ":")
		value = strings.TrimSpace(value)
		switch name {
		case "CSeq":
			req.cseq = value
			continue
		case "Transport":
			req.transport = value
		}
		req.rest += line
	}
	return req
}

// sendLocked writes a request under a number of its own, and has it wait for its answer.
func (d *dialogue) sendLocked(req *request) error {
	d.sequence++
	req.sent = d.sequence
	text := fmt.Sprintf("%s %s RTSP/1.0\r\nCSeq: %d\r\n", req.method, req.uri, req.sent)
	authorization := d.login.authorize(req.method, req.uri)
	if req.authorized = authorization != ""; req.authorized {
		text += "Authorization: " + authorization + "\r\n"
	}
	if d.pending = append(d.pending, req); len(d.pending) > maxPending {
		d.pending = slices.Delete(d.pending, 0, 1)
	}
	_, err := d.Conn.Write([]byte(text + req.rest))
	return err
}

// takeLocked returns the request that an answer is to, and nil where there is none.
func (d *dialogue) takeLocked(m *message) *request {
	given, err := strconv.Atoi(m.one("cseq"))
	i := slices.IndexFunc(d.pending, func(r *request) bool { return r.sent == given })
	if i < 0 || err != nil || d.wrong {
		if err == nil && !d.wrong && given > 0 && given <= d.answered {
			return nil // it was answered already, or is too late
		}
		d.wrong, i = true, 0 // answers come in the order of the requests
	}
	if len(d.pending) == 0 {
		return nil
	}
	req := d.pending[i]
	d.pending = slices.Delete(d.pending, 0, i+1)
	d.answered = req.sent
	if req.optional {
		_ = d.Conn.SetReadDeadline(time.Time{})
	}
	return req
}

// answerLocked takes an answer of the camera.
func (d *dialogue) answerLocked(m *message) error {
	status := m.status()
	if status < 200 {
		return nil // more is to come
	}
	req := d.takeLocked(m)
	if req == nil {
		return nil
	}
	switch {
	case status == 401:
		if d.login.again(m.all("www-authenticate"), req.authorized, req.renewed) {
			req.renewed++
			return d.sendAgainLocked(req)
		}
		d.s.because(d.login.refused)
	case req.authorized:
		d.login.answered(m.all("authentication-info"))
	}
	if req.method == "PLAY" && !req.plain && slices.Contains([]int{400, 451, 456, 457, 500, 501}, status) { // some know no Range
		req.plain = true
		req.rest = withoutHeader(req.rest, "Range")
		return d.sendAgainLocked(req)
	}
	d.clean = d.mend(req, status, m).bytes()
	return nil
}

func (d *dialogue) sendAgainLocked(req *request) error {
	_ = d.Conn.SetWriteDeadline(time.Now().Add(resendTime))
	d.awaitLocked(req)
	return d.sendLocked(req)
}

// awaitLocked bounds how long a request waits for its answer that the session can do without.
func (d *dialogue) awaitLocked(req *request) {
	if !req.optional {
		return
	}
	patience := optionalTime
	if req.method == "SETUP" {
		patience = setUpSound
	}
	_ = d.Conn.SetReadDeadline(time.Now().Add(patience))
}

func withoutHeader(lines, name string) (out string) {
	for line := range strings.Lines(lines) {
		if !strings.HasPrefix(line, name+":") {
			out += line
		}
	}
	return out
}

// late answers a request that the session can do without, because the camera did not in time.
func (d *dialogue) late() error {
	d.mu.Lock()
	defer d.mu.Unlock()
	_ = d.Conn.SetReadDeadline(time.Time{})
	i := slices.IndexFunc(d.pending, func(r *request) bool { return r.optional })
	if i < 0 {
		return nil
	}
	req := d.pending[i]
	d.pending, d.answered = slices.Delete(d.pending, i, i+1), req.sent
	m := &message{first: "RTSP/1.0 200 OK", fields: []field{{"cseq", req.cseq}}}
	if req.method == "SETUP" {
		d.s.because(fmt.Errorf("the camera did not answer within %v", setUpSound))
		m.first = "RTSP/1.0 408 Request Timeout"
	}
	d.clean = m.bytes()
	return nil
}
