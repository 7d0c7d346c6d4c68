package web_test

import (
	"bytes"
	"context"
	"errors"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"nvrfs/integration/footage"
	"nvrfs/media"
	"nvrfs/playback"
	"nvrfs/schema"
	"nvrfs/web"
)

// slowClient takes the first bytes of an answer, and then calls pause.
type slowClient struct {
	*httptest.ResponseRecorder
	pause func()
}

func (c *slowClient) Write(b []byte) (int, error) {
	n, err := c.ResponseRecorder.Write(b)
	c.pause()
	return n, err
}

type logBuffer struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (l *logBuffer) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.Write(p)
}

func (l *logBuffer) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.String()
}

// A client that pauses while its footage is deleted and the disk has no room for it gets an answer that ends too early.
func TestClientLosesDeletedFootage(t *testing.T) {
	data := t.TempDir()
	err := footage.Make(t.Context(), data, footage.Camera{
		Name: "front-door", Start: time.Date(2026, 11, 20, 14, 0, 0, 0, time.UTC), Duration: 10 * time.Minute, Tiny: true,
	})
	if err != nil {
		t.Fatal(err)
	}
	var text logBuffer
	log := slog.New(slog.NewTextHandler(&text, nil))
	lib, err := playback.Open(t.Context(), playback.Options{Data: data, Location: time.UTC, Poll: time.Millisecond, Log: log})
	if err != nil {
		t.Fatal(err)
	}
	defer lib.Close()
	ctx, stop := context.WithCancel(t.Context())
	var running sync.WaitGroup
	running.Go(func() { lib.Run(ctx) })
	defer running.Wait()
	defer stop()

	lose := sync.OnceFunc(func() {
		deleteAll(t, data)
		for deadline := time.Now().Add(20 * time.Second); !strings.Contains(text.String(), "deleted footage is still being read"); time.Sleep(time.Millisecond) {
			if time.Now().After(deadline) {
				t.Fatalf("the footage is not kept for its reader:\n%s", &text)
			}
		}
		samples, err := filepath.Glob(filepath.Join(data, schema.DefaultSampleDir, "front-door", "*", "*.mp4"))
		for _, path := range samples {
			err = errors.Join(err, os.Truncate(path, 0))
		}
		if err != nil || len(samples) == 0 {
			t.Fatal(samples, err)
		}
	})
	r := httptest.NewRequest(http.MethodGet, "http://127.0.0.1"+entry, nil)
	r.RemoteAddr = "192.0.2.7:1234"
	w := &slowClient{httptest.NewRecorder(), lose}
	web.NewHandler(lib.View(nil), log).ServeHTTP(w, r)
	if got, all := w.Body.Len(), w.ContentLength(); got == 0 || int64(got) >= all {
		t.Errorf("the client got %d bytes of %d", got, all)
	}
	if n := strings.Count(text.String(), "footage that a reader has open was deleted"); n != 1 || !strings.Contains(text.String(), `reader="HTTP from 192.0.2.7:1234"`) {
		t.Errorf("the log says so %d times:\n%s", n, &text)
	}
}

// ContentLength is the length that the answer should have.
func (c *slowClient) ContentLength() int64 { return c.Result().ContentLength }

// deleteAll deletes every recording of a data directory, as retention does.
func deleteAll(t *testing.T, data string) {
	t.Helper()
	db, err := schema.Create(t.Context(), data)
	if err != nil {
		t.Fatal(err)
	}
	err = db.Write(t.Context(), func(tx *schema.Tx) error {
		victims, err := tx.Oldest(1, 0, 1000)
		for _, v := range victims {
			err = errors.Join(err, tx.Delete(v, media.FromTime(time.Now())))
		}
		return err
	})
	if err := errors.Join(err, db.Close()); err != nil {
		t.Fatal(err)
	}
}
