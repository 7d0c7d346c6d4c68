package web

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"net/url"
	"strings"
	"time"

	"nvrfs/playback"
)

// answerDeadline bounds finding out what a request asks for. Sending it may take longer: see writeDeadline.
const answerDeadline = 20 * time.Second

// NewHandler returns what answers requests for the footage of a view.
func NewHandler(view *playback.View, log *slog.Logger) http.Handler {
	return onlyByAddress(&handler{view: view, log: log})
}

type handler struct {
	view *playback.View
	log  *slog.Logger
}

// footagePath is where the tree of the mount is.
const footagePath = "/footage"

// ServeHTTP does without http.ServeMux, which would take ".." and "//" out of a path before anyone looks whether what they stand
// behind is there.
func (h *handler) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if r.Method != http.MethodGet && r.Method != http.MethodHead {
		w.Header().Set("Allow", "GET, HEAD")
		http.Error(w, "Footage can only be read: ask with GET or HEAD.", http.StatusMethodNotAllowed)
		return
	}
	path := "/" + strings.TrimLeft(r.URL.EscapedPath(), "/")
	switch tree, inTree := strings.CutPrefix(path, footagePath+"/"); {
	case inTree:
		h.answer(w, r, tree)
	case path == footagePath:
		h.answer(w, r, "")
	case path == "/":
		h.index(w)
	case path == "/healthz":
		fmt.Fprintln(w, "nvrfs runs.")
	case path == "/readyz":
		h.ready(w, r)
	default:
		h.nothing(w, r, path)
	}
}

// answer answers with what is at a path of the tree, which is still escaped. An error that is not the client's is logged, since a
// status tells no story.
func (h *handler) answer(w http.ResponseWriter, r *http.Request, escaped string) {
	err := h.footage(w, r, escaped)
	if errors.Is(err, playback.ErrStale) {
		err = h.footage(w, r, escaped) // footage was added between listing and opening; this time it is there
	}
	switch {
	case err == nil, r.Context().Err() != nil:
	case errors.Is(err, playback.ErrNotFound), errors.Is(err, playback.ErrNotDir):
		http.Error(w, "There is no such footage.", http.StatusNotFound)
	default:
		h.log.Error("cannot answer an HTTP request", "path", r.URL.Path, "reader", readerOf(r), "err", err)
		http.Error(w, "The footage cannot be read; the log of nvrfs says why.", http.StatusInternalServerError)
	}
}

// footage answers with a listing or a file. Where there is a shorter path to it, the client is sent there.
func (h *handler) footage(w http.ResponseWriter, r *http.Request, escaped string) error {
	path, ok := unescape(escaped)
	if !ok {
		return playback.ErrNotFound
	}
	ctx, cancel := context.WithTimeout(r.Context(), answerDeadline)
	defer cancel()
	n, canonical, err := h.view.Resolve(ctx, path)
	if err != nil {
		return err
	}
	if canonical = footagePath + canonical; canonical != r.URL.Path {
		to := url.URL{Path: canonical, RawQuery: r.URL.RawQuery}
		http.Redirect(w, r, to.String(), http.StatusTemporaryRedirect)
		return nil
	}
	switch {
	case n.IsDir():
		return h.list(ctx, w, r, n.Dir)
	case n.Entry != nil:
		return h.entry(ctx, w, r, n.Entry)
	}
	h.text(w, r, n.Name, n.Text)
	return nil
}

// unescape undoes the escapes of a path. A slash that was escaped is part of a name, and no name has one.
func unescape(escaped string) (path string, ok bool) {
	var names []string
	for part := range strings.SplitSeq(escaped, "/") {
		name, err := url.PathUnescape(part)
		if err != nil || strings.Contains(name, "/") {
			return "", false
		}
		names = append(names, name)
	}
	return strings.Join(names, "/"), true
}

// nothing says what there is instead of a path. The footage was at the root once.
func (h *handler) nothing(w http.ResponseWriter, r *http.Request, escaped string) {
	ctx, cancel := context.WithTimeout(r.Context(), answerDeadline)
	defer cancel()
	path, ok := unescape(escaped)
	if ok {
		first, _, _ := strings.Cut(strings.TrimPrefix(path, "/"), "/")
		_, err := h.view.Find(ctx, playback.Root(), first)
		ok = err == nil && len(escaped) <= longestHint
	}
	if ok {
		http.Error(w, "Footage is below /footage/ now: "+footagePath+escaped, http.StatusNotFound)
		return
	}
	http.Error(w, "There is nothing here. The footage is below /footage/; /healthz says whether nvrfs runs, and /readyz whether its database answers.",
		http.StatusNotFound)
}

// longestHint is the longest path that is repeated to a client.
const longestHint = 1000

// ready says whether footage can be found.
func (h *handler) ready(w http.ResponseWriter, r *http.Request) {
	ctx, cancel := context.WithTimeout(r.Context(), answerDeadline)
	defer cancel()
	if err := h.view.Ready(ctx); err != nil {
		h.log.Error("the database does not answer", "err", err)
		http.Error(w, "The database does not answer; the log of nvrfs says why.", http.StatusServiceUnavailable)
		return
	}
	fmt.Fprintln(w, "nvrfs is ready.")
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
