package fs

import (
	"context"
	"log/slog"
	"os"
	"path/filepath"
	"testing"
	"time"

	"nvrfs/integration/footage"
	"nvrfs/playback"
)

// slowDir finds a file when it is told to.
type slowDir struct {
	s       *Server
	asked   chan struct{} // gets a value when it is asked
	answers chan struct{} // closed when it answers
}

func (d slowDir) list(context.Context) (listing, error) { return listing{}, nil }
func (d slowDir) modTime() time.Time                    { return time.Time{} }

func (d slowDir) find(context.Context, string) (child, error) {
	d.asked <- struct{}{}
	<-d.answers
	return child{name: "file", file: func(context.Context) (node, error) {
		return d.s.textNode("file", nil, time.Time{}, keepLong), nil
	}}, nil
}

// A lookup that is under way is answered, and known, before names in its directory are looked through: what it answered would
// otherwise be forgotten too early, and kept.
func TestSettle(t *testing.T) {
	if why := cannotMount(); why != "" {
		t.Skip(why)
	}
	data := t.TempDir()
	if err := footage.Make(t.Context(), data, oneDay()...); err != nil {
		t.Fatal(err)
	}
	lib, err := playback.Open(t.Context(), playback.Options{Data: data, Location: time.UTC, Log: slog.New(slog.DiscardHandler)})
	if err != nil {
		t.Fatal(err)
	}
	defer lib.Close()
	mnt := t.TempDir()
	s := newServer(lib, mnt, Options{Log: slog.New(slog.DiscardHandler)})
	slow := slowDir{s, make(chan struct{}, 1), make(chan struct{})}
	s.root = s.dirNode(fixedDir{s, []child{{name: "slow", dir: slow}}}, "")
	s.nodes.remember(s.root)
	if err := s.mount(t.Context()); err != nil {
		t.Fatal(err)
	}
	watch(t, mnt)
	s.news.start(func() {})
	defer s.Unmount(10 * time.Second) //nolint:errcheck // the test has said what is wrong

	looked, settled := make(chan error, 1), make(chan struct{})
	go func() {
		_, err := os.Stat(filepath.Join(mnt, "slow", "file"))
		looked <- err
	}()
	<-slow.asked
	go func() {
		defer close(settled)
		s.news.settle("/slow")
	}()
	select {
	case <-settled:
		t.Error("it did not wait for the lookup")
	case <-time.After(200 * time.Millisecond): // it waits, as it must
	}
	close(slow.answers)
	select {
	case <-settled:
	case <-time.After(10 * time.Second):
		t.Fatal("it still waits")
	}
	if _, _, ok := s.nodes.get(digest("file", "")); !ok {
		t.Error("what the lookup found is not known")
	}
	if err := <-looked; err != nil {
		t.Error(err)
	}
}
