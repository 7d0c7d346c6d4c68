package fs

import (
	"errors"
	"fmt"
	"os"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"nvrfs/playback"
)

// A request that takes too long fails, and the log says which it was, and whose.
func TestRequestHasDeadline(t *testing.T) {
	const deadline = 50 * time.Millisecond
	var slow atomic.Bool
	f := newFixture(t, fixtureOptions{
		Options: Options{deadline: deadline}, still: true, cameras: oneDay(),
		sees: func(playback.Stream) bool {
			if slow.Load() {
				time.Sleep(2 * deadline)
			}
			return true
		},
	})
	if _, err := os.Stat(f.path("cam")); err != nil {
		t.Fatal(err)
	}
	slow.Store(true)
	if _, err := os.Stat(f.path("cam/2026-11-20")); !errors.Is(err, unix.EIO) {
		t.Errorf("it took too long: %v, want EIO", err)
	}
	for _, want := range []string{
		"cannot look up", "path=/cam/2026-11-20 ", fmt.Sprintf(`reader="process %d (`, os.Getpid()), "no answer within " + deadline.String(),
	} {
		if !strings.Contains(f.log.String(), want) {
			t.Errorf("the log does not say %q: %s", want, f.log)
		}
	}
	slow.Store(false)
	if _, err := os.Stat(f.path("cam/2026-11-20")); err != nil {
		t.Errorf("when it is quick again: %v", err)
	}
}
