package volume

import (
	"errors"
	"log/slog"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"nvrfs/store"
	"nvrfs/store/dir"
)

// TestHungDisksAtTheStart waits for several sample directories no longer than for one.
func TestHungDisksAtTheStart(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		began, back := time.Now(), make(chan struct{})
		volumes := map[int64]*Volume{1: newVolume(1, "/mnt/x"), 2: newVolume(2, "/mnt/y"), 3: newVolume(3, "/mnt/z")}
		for _, v := range volumes {
			v.open.open = func(path string) (store.Store, error) {
				if path != "/mnt/y" {
					<-back
				}
				return nil, nil
			}
		}
		all := openAll(new(store.Asking), volumes)
		if d := time.Since(began); len(all) != 3 || all[2].err != nil || d != store.AnswerWithin {
			t.Errorf("%v after %v", all, d)
		}
		if err := all[1].err; !errors.Is(err, store.ErrNoAnswer) || !strings.Contains(err.Error(), "/mnt/x") {
			t.Error(err)
		}
		close(back)
	})
}

// TestLateAnswerGivesTheLockBack has a disk answer after nobody waits for it any more: the lock that was taken then must not keep
// the next attempt out.
func TestLateAnswerGivesTheLockBack(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		path, back := t.TempDir(), make(chan struct{})
		if _, err := dir.Attach(path, "database"); err != nil {
			t.Fatal(err)
		}
		v := newVolume(1, path)
		v.open = locking(t.TempDir(), func(path string) (store.Store, error) {
			<-back
			return dir.Open(path, "database")
		}, slog.New(slog.DiscardHandler))
		var a store.Asking
		if x := openAll(&a, map[int64]*Volume{1: v})[1]; !errors.Is(x.err, store.ErrNoAnswer) {
			t.Fatalf("error is %v", x.err)
		}
		close(back)
		synctest.Wait()
		x := openAll(&a, map[int64]*Volume{1: v})[1]
		if x.err != nil {
			t.Fatal(x.err)
		}
		if _, err := dir.LockSamples(path, t.TempDir()); !errors.Is(err, store.ErrLocked) {
			t.Errorf("while it is open: %v", err)
		}
		if err := x.release(); err != nil {
			t.Error(err)
		}
	})
}
