package rtsp

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"strconv"
	"strings"

	"nvrfs/recorder/guard"
)

// What a camera may send in one message.
const (
	maxLine  = 4096      // bytes of a line; the rest of a longer one is dropped
	maxHead  = 64 << 10  // bytes before the body
	maxLines = 256       // before the body
	maxBody  = 128 << 10 // bytes, as gortsplib takes them
)

// A message is a request or an answer of RTSP (RFC 2326 4), read as leniently as can be.
type message struct {
	first  string // "RTSP/1.0 200 OK", or "OPTIONS rtsp://… RTSP/1.0"
	fields []field
	body   []byte
}

// A field is a header of a message. Its name is in lower case.
type field struct{ name, value string }

// all returns the values of a header.
func (m *message) all(name string) (values []string) {
	for _, f := range m.fields {
		if f.name == name {
			values = append(values, f.value)
		}
	}
	return values
}

// one returns the first value of a header that is not empty.
func (m *message) one(name string) string {
	for _, f := range m.fields {
		if f.name == name && f.value != "" {
			return f.value
		}
	}
	return ""
}

// status returns the status code of an answer.
func (m *message) status() int {
	_, rest, _ := strings.Cut(m.first, " ")
	return leadingNumber(strings.TrimSpace(rest))
}

// isAnswer reports whether a first line is that of an answer. Some cameras write the version of HTTP there.
func (m *message) isAnswer() bool {
	return strings.HasPrefix(m.first, "RTSP/") || strings.HasPrefix(m.first, "HTTP/")
}

// method returns that of a request, and "" where the first line is none.
func (m *message) method() string {
	words := strings.Fields(m.first)
	if len(words) < 3 || !strings.HasPrefix(words[len(words)-1], "RTSP/") {
		return ""
	}
	return words[0]
}

// leadingNumber returns the number that text begins with, or 0.
func leadingNumber(text string) int {
	end := 0
	for end < len(text) && end < 9 && '0' <= text[end] && text[end] <= '9' {
		end++
	}
	n, _ := strconv.Atoi(text[:end])
	return n
}

// readLine reads a line without its end, which may be LF alone. Of a line that is too long it returns the beginning.
func readLine(in *bufio.Reader) (string, error) {
	var line []byte
	for size := 0; ; {
		part, err := in.ReadSlice('\n')
		line = append(line, part[:min(len(part), maxLine-len(line))]...)
		if size += len(part); size > maxHead {
			return "", errors.New("the camera sent a line without end")
		}
		if errors.Is(err, bufio.ErrBufferFull) {
			continue
		}
		return strings.TrimRight(strings.ReplaceAll(string(line), "\x00", ""), "\r\n"), err
	}
}

// readHead reads a message up to its body. It returns nil where what comes is none. Lines that are no headers are left out.
func readHead(in *bufio.Reader) (*message, error) {
	first, err := readLine(in)
	if err != nil {
		return nil, err
	}
	m := &message{first: strings.TrimSpace(first)}
	if !m.isAnswer() && m.method() == "" {
		return nil, nil
	}
	size := len(first)
	for n := 0; ; n++ {
		line, err := readLine(in)
		if err != nil {
			return nil, err
		}
		if size += len(line); size > maxHead || n > maxLines {
			return nil, errors.New("the camera sent headers without end")
		}
		if line == "" {
			return m, nil
		}
		m.addLine(line)
	}
}

func (m *message) addLine(line string) {
	if last := len(m.fields) - 1; last >= 0 && (line[0] == ' ' || line[0] == '\t') { // the header goes on, RFC 2616 2.2
		m.fields[last].value = strings.TrimSpace(m.fields[last].value + " " + strings.TrimSpace(line))
		return
	}
	name, value, ok := strings.Cut(line, ":")
	if name = strings.ToLower(strings.TrimSpace(name)); ok && name != "" {
		m.fields = append(m.fields, field{name, strings.TrimSpace(value)})
	}
}

// readBody reads the body of a message, of the length that the message says. Where less comes, it is what there is by then.
func (m *message) readBody(in *bufio.Reader) error {
	size := leadingNumber(m.one("content-length"))
	if size > maxBody {
		return fmt.Errorf("the camera sent a message of %d bytes, of %d at most", size, maxBody)
	}
	m.body = make([]byte, size)
	n, err := io.ReadFull(in, m.body)
	m.body = m.body[:n]
	return err
}

// chunked reports whether the body comes in chunks, as that of HTTP/1.1 may (RFC 9112 7.1).
func (m *message) chunked() bool {
	return strings.Contains(strings.ToLower(m.one("transfer-encoding")), "chunked")
}

// readChunks reads a body that comes in chunks, each behind a line with its length.
func (m *message) readChunks(in *bufio.Reader) error {
	for {
		line, err := readLine(in)
		if err != nil {
			return err
		}
		length, _, _ := strings.Cut(line, ";")
		n, err := strconv.ParseUint(strings.TrimSpace(length), 16, 32)
		if err != nil || n > uint64(maxBody-len(m.body)) {
			return fmt.Errorf("the camera sent a chunk of %q bytes", guard.Shorten(length, maxCodecName))
		}
		at := len(m.body)
		m.body = append(m.body, make([]byte, n)...)
		if _, err := io.ReadFull(in, m.body[at:]); err != nil {
			return err
		}
		if _, err = readLine(in); err != nil || n == 0 {
			return err
		}
	}
}

// readLines reads a session description whose length the camera did not say: lines that look like it.
func (m *message) readLines(in *bufio.Reader) error {
	for len(m.body) < maxBody {
		head, err := in.Peek(2)
		if err != nil {
			return err
		}
		if head[1] != '=' && head[0] != '\r' && head[0] != '\n' {
			return nil
		}
		line, err := readLine(in)
		m.body = append(m.body, line+"\r\n"...)
		if err != nil {
			return err
		}
	}
	return nil
}

// bytes returns the message as gortsplib reads it.
func (m *message) bytes() []byte {
	var b strings.Builder
	b.WriteString(m.first + "\r\n")
	for _, f := range m.fields {
		if f.name != "content-length" {
			b.WriteString(f.name + ": " + f.value + "\r\n")
		}
	}
	if len(m.body) > 0 {
		fmt.Fprintf(&b, "content-length: %d\r\n", len(m.body))
	}
	b.WriteString("\r\n")
	b.Write(m.body)
	return []byte(b.String())
}
