package web

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"strings"
	"time"

	"nvrfs/playback"
)

// writeDeadline is how long a client may take no byte of what it asked for: players that pause come back with a range.
const writeDeadline = 10 * time.Minute

// NewHandler returns what answers requests for the footage of lib.
func NewHandler(lib *playback.Library, log *slog.Logger) http.Handler {
	h := &handler{lib: lib, log: log}
	mux := http.NewServeMux()
	for pattern, f := range map[string]func(http.ResponseWriter, *http.Request) error{
		"GET /{$}":                           h.streams,
		"GET /{stream}/{$}":                  h.days,
		"GET /{stream}/{day}/{$}":            h.hours,
		"GET /{stream}/{day}/{hour}/{$}":     h.entries,
		"GET /{stream}/{day}/{hour}/{entry}": h.entry,
		"GET /.nvrfs/clips/{stream}/{clip}":  h.clip,
		"GET /.nvrfs/days/{stream}/{day}":    h.day,
	} {
		mux.HandleFunc(pattern, h.answer(f))
	}
	return onlyByAddress(mux)
}

type handler struct {
	lib *playback.Library
	log *slog.Logger
}

// answer makes an http.HandlerFunc of f. An error that is not the client's is logged, since a status tells no story.
func (h *handler) answer(f func(http.ResponseWriter, *http.Request) error) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		err := f(w, r)
		if errors.Is(err, playback.ErrStale) {
			err = f(w, r) // footage was added between listing and opening; this time it is there
		}
		switch {
		case err == nil, r.Context().Err() != nil:
		case errors.Is(err, playback.ErrNotFound):
			http.Error(w, "There is no such footage.", http.StatusNotFound)
		default:
			h.log.Error("cannot answer a request", "path", r.URL.Path, "err", err)
			http.Error(w, "The footage cannot be read; the log of nvrfs says why.", http.StatusInternalServerError)
		}
	}
}

// onlyByAddress refuses requests whose Host is a name that anyone could have pointed here (DNS rebinding).
func onlyByAddress(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		host := r.Host
		if name, _, err := net.SplitHostPort(host); err == nil {
			host = name
		}
		if host != "localhost" && net.ParseIP(strings.Trim(host, "[]")) == nil {
			http.Error(w, "Ask for this server by its IP address, or as localhost.", http.StatusMisdirectedRequest)
			return
		}
		next.ServeHTTP(w, r)
	})
}

func (h *handler) streams(w http.ResponseWriter, r *http.Request) error {
	streams, err := h.lib.Streams(r.Context())
	var items []item
	for _, s := range streams {
		items = append(items, item{Name: s.Label + "/"})
	}
	return h.list(w, r, items, err)
}

func (h *handler) days(w http.ResponseWriter, r *http.Request) error {
	s, err := h.lib.Stream(r.Context(), r.PathValue("stream"))
	if err != nil {
		return err
	}
	days, err := h.lib.Days(r.Context(), s)
	return h.list(w, r, spanItems(days), err)
}

func (h *handler) hours(w http.ResponseWriter, r *http.Request) error {
	s, day, err := h.findDay(r)
	if err != nil {
		return err
	}
	hours, err := h.lib.Hours(r.Context(), s, day)
	return h.list(w, r, spanItems(hours), err)
}

func (h *handler) entries(w http.ResponseWriter, r *http.Request) error {
	entries, err := h.findHour(r)
	var items []item
	for _, e := range entries {
		items = append(items, entryItem(e, h.lib.Location()))
	}
	return h.list(w, r, items, err)
}

func (h *handler) findDay(r *http.Request) (playback.Stream, playback.Span, error) {
	s, err := h.lib.Stream(r.Context(), r.PathValue("stream"))
	if err != nil {
		return s, playback.Span{}, err
	}
	day, err := h.lib.Day(r.Context(), s, strings.TrimSuffix(r.PathValue("day"), ".mp4"))
	return s, day, err
}

func (h *handler) findHour(r *http.Request) ([]*playback.Entry, error) {
	s, day, err := h.findDay(r)
	if err != nil {
		return nil, err
	}
	hour, err := h.lib.Hour(r.Context(), s, day, r.PathValue("hour"))
	if err != nil {
		return nil, err
	}
	return h.lib.Entries(r.Context(), s, hour)
}

func (h *handler) entry(w http.ResponseWriter, r *http.Request) error {
	entries, err := h.findHour(r)
	if err != nil {
		return err
	}
	for _, e := range entries {
		if e.Name == r.PathValue("entry") {
			return h.serve(w, r, e)
		}
	}
	return fmt.Errorf("%s: %w", r.URL.Path, playback.ErrNotFound)
}

func (h *handler) clip(w http.ResponseWriter, r *http.Request) error {
	s, err := h.lib.Stream(r.Context(), r.PathValue("stream"))
	if err != nil {
		return err
	}
	from, to, ok := playback.ParseClipName(r.PathValue("clip"), h.lib.Location())
	if !ok {
		return fmt.Errorf("%s: %w", r.URL.Path, playback.ErrNotFound)
	}
	e, err := h.lib.Clip(r.Context(), s, from, to)
	if err != nil {
		return err
	}
	return h.serve(w, r, e)
}

func (h *handler) day(w http.ResponseWriter, r *http.Request) error {
	if !strings.HasSuffix(r.PathValue("day"), ".mp4") {
		return fmt.Errorf("%s: %w", r.URL.Path, playback.ErrNotFound)
	}
	s, day, err := h.findDay(r)
	if err != nil {
		return err
	}
	e, err := h.lib.WholeDay(r.Context(), s, day)
	if err != nil {
		return err
	}
	return h.serve(w, r, e)
}

// serve answers with an entry, or the range of it that was asked for.
func (h *handler) serve(w http.ResponseWriter, r *http.Request, e *playback.Entry) error {
	f, err := h.lib.Open(r.Context(), e, "HTTP from "+r.RemoteAddr)
	if err != nil {
		return err
	}
	defer f.Close()
	w.Header().Set("Content-Type", "video/mp4")
	w.Header().Set("ETag", `"`+f.ETag()+`"`)
	src := &loggedReader{f: f, log: h.log, name: e.Name}
	http.ServeContent(patient(w), r, e.Name, f.ModTime(), io.NewSectionReader(src, 0, f.Size()))
	return nil
}

// loggedReader logs the errors that http.ServeContent keeps to itself; the client sees a response that ends too early.
type loggedReader struct {
	f    io.ReaderAt
	log  *slog.Logger
	name string
}

func (l *loggedReader) ReadAt(p []byte, off int64) (int, error) {
	n, err := l.f.ReadAt(p, off)
	if err != nil && err != io.EOF && !errors.Is(err, playback.ErrLost) { // of which playback logs who the reader is
		l.log.Error("cannot read footage", "entry", l.name, "err", err)
	}
	return n, err
}

// patient gives each write a deadline of its own, so that a long film may take as long as it takes.
func patient(w http.ResponseWriter) http.ResponseWriter {
	return &patientWriter{w, http.NewResponseController(w)}
}

type patientWriter struct {
	http.ResponseWriter
	control *http.ResponseController
}

func (p *patientWriter) Write(b []byte) (int, error) {
	_ = p.control.SetWriteDeadline(time.Now().Add(writeDeadline)) // where it cannot be set there is none
	return p.ResponseWriter.Write(b)
}

// stopDeadline is how long the answers that are under way may take when Serve is to end.
const stopDeadline = 2 * time.Second

// Serve answers requests on l until ctx ends, then closes it and all connections.
func Serve(ctx context.Context, l net.Listener, h http.Handler) error {
	s := &http.Server{Handler: h, ReadHeaderTimeout: 10 * time.Second, IdleTimeout: 2 * time.Minute}
	served := make(chan error, 1)
	go func() { served <- s.Serve(l) }()
	select {
	case err := <-served:
		return fmt.Errorf("serve HTTP on %s: %w", l.Addr(), err)
	case <-ctx.Done():
	}
	grace, cancel := context.WithTimeout(context.WithoutCancel(ctx), stopDeadline)
	defer cancel()
	if s.Shutdown(grace) != nil {
		_ = s.Close() // those that still read are cut off
	}
	<-served
	return nil
}
