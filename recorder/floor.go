package recorder

import (
	"nvrfs/media"
	"nvrfs/schema"
)

// floorFor90k is how long a floor is used before it is looked up again. An old floor keeps more than it must, never less.
const floorFor90k = 60 * 90000

// floors say which footage of each stream is kept though its disk is too full: the newest recordings that together last as long
// as the stream's limits say. Durations are summed up, so that a gap, or a recording whose time is wrong, costs nothing of it.
// It is for one goroutine.
type floors struct {
	atLeast90k map[int64]int64 // by stream; streams that are not recorded any more have none
	known      map[int64]floor // by stream
}

type floor struct {
	start90k int64 // when the oldest recording that is kept starts
	at90k    int64 // when the floor was looked up
	kept     bool  // the floor has kept a recording from being deleted
}

// set sets the limits of the streams. What was looked up for a limit that has changed is looked up again.
func (f *floors) set(streams []kept) {
	atLeast90k := map[int64]int64{}
	for _, x := range streams {
		if x.limits.AtLeast > 0 {
			atLeast90k[x.row.ID] = media.Ticks(x.limits.AtLeast)
		}
	}
	for id := range f.known {
		if atLeast90k[id] != f.atLeast90k[id] {
			delete(f.known, id)
		}
	}
	f.atLeast90k = atLeast90k
}

// keeps reports whether a recording is to stay.
func (f *floors) keeps(tx *schema.Tx, v schema.Victim, now90k int64) (bool, error) {
	id := v.ID.Stream()
	atLeast90k := f.atLeast90k[id]
	if atLeast90k == 0 {
		return false, nil
	}
	x, ok := f.known[id]
	if age := now90k - x.at90k; !ok || v.Start90k >= x.start90k && (age < 0 || age >= floorFor90k) {
		start90k, err := tx.NewestLasting(id, atLeast90k)
		if err != nil {
			return false, err
		}
		x = floor{start90k: start90k, at90k: now90k}
	}
	x.kept = v.Start90k >= x.start90k
	f.known[id] = x
	return x.kept, nil
}

// onlyKept returns the reason why nothing can be deleted from a disk that is too full.
func (f *floors) onlyKept() error {
	for _, x := range f.known {
		if x.kept {
			return errOnlyKept
		}
	}
	return errOnlyHeld
}
