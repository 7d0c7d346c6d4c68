package demux

import (
	"fmt"
	"io"

	"nvrfs/codec"
)

// lookBytes is how much of a sample is read to see whether it is a sync sample, unless that does not tell.
const lookBytes = 4 << 10

// findSyncs looks for sync samples where the tables name all samples or none, as do those of recorders that do not care. Where it
// finds none, what the tables say counts.
func (t *Track) findSyncs() error {
	named := count(t.syncs)
	if named == 0 || named == t.Len() && named > 1 {
		found, err := t.look()
		if err != nil {
			return err
		}
		if n := count(found); n > 0 {
			t.syncs, named = found, n
		}
	}
	if named == t.Len() {
		t.syncs = nil
	}
	return nil
}

func count(flags []bool) (n int) {
	for _, set := range flags {
		if set {
			n++
		}
	}
	return n
}

// look returns which samples are sync samples, as their codec tells: none where it cannot tell.
func (t *Track) look() ([]bool, error) {
	found := make([]bool, t.Len())
	start := make([]byte, lookBytes)
	for _, c := range t.changes {
		isSync := codec.SyncFinder(t.Entries[c.entry].Box)
		if isSync == nil {
			return nil, nil
		}
		for i := c.first; i < t.Len() && t.EntryOf(i) == c.entry; i++ {
			p := start[:min(lookBytes, int(t.sizes[i]))]
			if n, err := t.source.ReadAt(p, t.offsets[i]); n < len(p) {
				return nil, fmt.Errorf("look for sync samples: sample %d, %d bytes at %d: %w", i+1, len(p), t.offsets[i], cut(err))
			}
			sync, known := isSync(p)
			if !known && int(t.sizes[i]) > len(p) {
				whole, err := t.Read(i)
				if err != nil {
					return nil, fmt.Errorf("look for sync samples: %w", err)
				}
				sync, _ = isSync(whole)
			}
			found[i] = sync
		}
	}
	return found, nil
}

func cut(err error) error {
	if err == nil {
		return io.ErrUnexpectedEOF
	}
	return err
}
