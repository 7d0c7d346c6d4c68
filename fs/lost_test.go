package fs

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"nvrfs/integration/footage"
	"nvrfs/media"
	"nvrfs/schema"
)

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

// TestReaderLosesDeletedFootage has the recorder take the bytes of what was deleted while it was open, because the disk has no
// room for it.
func TestReaderLosesDeletedFootage(t *testing.T) {
	f := newFixture(t, fixtureOptions{cameras: []footage.Camera{{Name: "cam", Start: growStart, Duration: 10 * time.Minute, Tiny: true}}})
	file, err := os.Open(f.path(growFile))
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	info, err := file.Stat()
	if err != nil {
		t.Fatal(err)
	}
	deleteAll(t, f.data)
	program, err := os.ReadFile("/proc/self/comm")
	if err != nil {
		t.Fatal(err)
	}
	who := fmt.Sprintf(`reader="process %d (%s)"`, os.Getpid(), strings.TrimSpace(string(program)))
	eventually(t, "it is kept for its reader", func() bool {
		return strings.Contains(f.log.String(), "deleted footage is still being read") && strings.Contains(f.log.String(), who)
	})
	if _, err := file.ReadAt(make([]byte, 1), info.Size()-1); err != nil {
		t.Errorf("while it is kept: %v", err)
	}
	samples, err := filepath.Glob(filepath.Join(f.data, schema.DefaultSampleDir, "cam", "*", "*.mp4"))
	if err != nil || len(samples) == 0 {
		t.Fatal(samples, err)
	}
	for _, path := range samples {
		if err := os.Truncate(path, 0); err != nil {
			t.Fatal(err)
		}
	}
	if err := unix.Fadvise(int(file.Fd()), 0, 0, unix.FADV_DONTNEED); err != nil { // what the kernel has read ahead
		t.Fatal(err)
	}
	if _, err := file.ReadAt(make([]byte, info.Size()), 0); !errors.Is(err, syscall.ESTALE) {
		t.Errorf("when its bytes are gone: %v", err)
	}
	if n := strings.Count(f.log.String(), "footage that a reader has open was deleted"); n != 1 || strings.Contains(f.log.String(), "cannot read") {
		t.Errorf("the log says so %d times:\n%s", n, f.log)
	}
}
