package recorder

import (
	"cmp"
	"context"
	"slices"
	"sync"
	"time"

	"nvrfs/media"
	"nvrfs/recorder/volume"
	"nvrfs/schema"
	"nvrfs/store"
)

// readersShare is the part of a disk that deleted footage may take for the sake of its readers: a fiftieth.
const readersShare = 50

// removeFiles removes the files of recordings that were deleted a while ago, of all disks at once. A file that is being read
// stays for store.ReadersKeep, if there is room. Its row of garbage stays with it: its bytes count as about to be freed for as
// long, also after another start. When the row goes, the bytes are free, whoever has the file open.
func (r *retention) removeFiles(ctx context.Context) error {
	for more := true; more && ctx.Err() == nil; {
		due, err := r.due(ctx)
		if err != nil || len(due) == 0 {
			return err
		}
		volumes, seen := r.volumes, r.askDisks()
		var ids []int64
		room := readersRoom{left: map[uint64]int64{}}
		for id, disk := range seen {
			if len(due[id]) > 0 {
				ids = append(ids, id)
				room.left[disk.id] = min(disk.free, disk.all/readersShare)
			}
		}
		removed := store.Ask(&r.disks, ids, func(dir int64) removal { return r.removeSome(volumes[dir], seen[dir], due[dir], &room) })
		if err := r.db.Write(ctx, func(tx *schema.Tx) error { return removedFiles(tx, removed) }); err != nil {
			return err
		}
		more = false
		for id, x := range removed { // askDisks logs which disk does not answer
			r.say("delete old sample files", r.volumes[id].Path, x.err)
			r.freed.add(seen[id].id, x.bytes, x.shown, r.clock())
			if x.taken > 0 {
				r.log.Warn("deleted footage is no longer kept for its readers", "path", r.volumes[id].Path, "bytes", x.taken,
					"reason", "readers had it open for too long, or keep more open than the disk has room for")
			}
			more = more || x.more && len(x.gone) > 0
		}
	}
	return ctx.Err()
}

// readersRoom is how many bytes of deleted footage may stay for its readers: never more than the disk has free, so that what is
// recorded has room.
type readersRoom struct {
	mu   sync.Mutex
	left map[uint64]int64 // bytes, by disk
}

// take takes room for a file, and reports whether there was enough.
func (r *readersRoom) take(disk uint64, bytes int64) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.left[disk] < bytes {
		return false
	}
	r.left[disk] -= bytes
	return true
}

// due lists the files that are to be removed, by sample directory, in the order in which their recordings were deleted.
func (r *retention) due(ctx context.Context) (map[int64][]garbageFile, error) {
	garbage, err := r.db.Garbage(ctx)
	if err != nil || len(garbage) == 0 {
		return nil, err
	}
	streams, err := r.db.Streams(ctx)
	if err != nil {
		return nil, err
	}
	label := map[int64]string{}
	for _, s := range streams {
		label[s.ID] = s.Label()
	}
	slices.SortStableFunc(garbage, func(a, b schema.Garbage) int { return cmp.Compare(a.Since90k, b.Since90k) })
	due := map[int64][]garbageFile{}
	for _, g := range garbage {
		_, ok := r.volumes[g.Dir]
		age := r.clock() - g.Since90k
		if !ok || age >= 0 && age < media.Ticks(unlinkAfter) {
			continue
		}
		overdue := age < 0 || age >= media.Ticks(store.ReadersKeep) // one from the future was deleted by a clock that was wrong
		key := store.Key{Stream: label[g.Recording.Stream()], Number: g.Recording.Number()}
		due[g.Dir] = append(due[g.Dir], garbageFile{g.Recording, key, g.Bytes, overdue})
	}
	return due, nil
}

// garbageFile is a file that is to be removed.
type garbageFile struct {
	id      schema.RecordingID
	key     store.Key
	bytes   int64
	overdue bool // its readers have had store.ReadersKeep
}

// removal is what became of the files that are due in a sample directory.
type removal struct {
	gone  []schema.RecordingID
	bytes int64 // of the files that are gone
	shown int64 // how many more bytes the disk shows as free since then
	taken int64 // bytes that were taken from readers
	err   error // why a file could not be removed
	more  bool  // there was no time to try all files
}

// removeSome removes files, and stops after a while so that other disks need not wait: first the files that nobody reads, then
// those for whose readers there is no room.
func (r *retention) removeSome(v *volume.Volume, disk diskSeen, due []garbageFile, room *readersRoom) (x removal) {
	began := time.Now()
	late := func() bool {
		x.more = x.more || time.Since(began) > store.AnswerWithin/2
		return x.more
	}
	var read []garbageFile
	for _, f := range due {
		if late() {
			break
		}
		if inUse := v.Store().InUse(f.key); !inUse || f.overdue {
			x.remove(v.Store(), f, inUse)
		} else {
			read = append(read, f)
		}
	}
	for _, f := range slices.Backward(read) { // a reader of what was deleted last had the least time
		if !room.take(disk.id, f.bytes) && !late() {
			x.remove(v.Store(), f, true)
		}
	}
	if free, _, err := r.space(v.Path); err == nil {
		x.shown = free - disk.free
	}
	return x
}

// remove empties a file and unlinks it, so that its bytes are free even while readers have it open.
func (x *removal) remove(st store.Store, f garbageFile, inUse bool) {
	st.Empty(f.key)
	if err := st.Remove(f.key); err != nil {
		x.err = cmp.Or(x.err, err)
		return
	}
	x.gone = append(x.gone, f.id)
	x.bytes += f.bytes
	if inUse {
		x.taken += f.bytes
	}
}

func removedFiles(tx *schema.Tx, removed map[int64]removal) error {
	for _, x := range removed {
		for _, id := range x.gone {
			if err := tx.Unlinked(id); err != nil {
				return err
			}
		}
	}
	return nil
}
