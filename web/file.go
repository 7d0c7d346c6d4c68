package web

import (
	"bytes"
	"context"
	"errors"
	"io"
	"log/slog"
	"mime"
	"net/http"
	"path"
	"time"

	"nvrfs/playback"
)

// writeDeadline is how long a client may take no byte of what it asked for: players that pause come back with a range.
const writeDeadline = 10 * time.Minute

// readerOf names who asks, for the log.
func readerOf(r *http.Request) string { return "HTTP from " + r.RemoteAddr }

// entry answers with an entry, or the range of it that was asked for.
func (h *handler) entry(ctx context.Context, w http.ResponseWriter, r *http.Request, e *playback.Entry) error {
	f, err := h.view.Open(ctx, e, readerOf(r))
	if err != nil {
		return err
	}
	defer f.Close()
	w.Header().Set("Content-Type", "video/mp4")
	w.Header().Set("ETag", `"`+f.ETag()+`"`)
	src := &loggedReader{f: f, log: h.log.With("path", r.URL.Path, "reader", readerOf(r))}
	http.ServeContent(patient(w), r, e.Name, f.ModTime(), io.NewSectionReader(src, 0, f.Size()))
	return nil
}

// text answers with a small file.
func (h *handler) text(w http.ResponseWriter, r *http.Request, name string, t *playback.Text) {
	w.Header().Set("Content-Type", contentTypes[path.Ext(name)])
	w.Header().Set("ETag", `"`+t.ETag()+`"`)
	w.Header().Set("Cache-Control", "no-cache")
	w.Header().Set("X-Content-Type-Options", "nosniff")
	http.ServeContent(patient(w), r, name, t.ModTime, bytes.NewReader(t.Bytes))
}

// contentTypes are those of the small files, by their extension.
var contentTypes = map[string]string{
	".json": "application/json",
	".txt":  mime.FormatMediaType("text/plain", map[string]string{"charset": "utf-8"}),
}

// loggedReader logs the errors that http.ServeContent keeps to itself; the client sees a response that ends too early.
type loggedReader struct {
	f   io.ReaderAt
	log *slog.Logger
}

func (l *loggedReader) ReadAt(p []byte, off int64) (int, error) {
	n, err := l.f.ReadAt(p, off)
	if err != nil && err != io.EOF && !errors.Is(err, playback.ErrLost) { // of which playback logs who the reader is
		l.log.Error("cannot read the footage that a client asks for", "err", err)
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
