package recorder

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"slices"
	"time"

	"golang.org/x/sys/unix"

	"nvrfs/media"
	"nvrfs/recorder/volume"
	"nvrfs/schema"
	"nvrfs/store"
)

// Limits say how much footage is kept. A field that is zero sets no limit.
type Limits struct {
	Age   time.Duration
	Bytes int64
	// AtLeast is how long the newest footage of a stream lasts that is not deleted for the free space of its disk: a program that
	// fills the disk must not cost the archive. Age and Bytes outrank it.
	AtLeast time.Duration
}

// MinFree is how much of a disk is left free: a number of bytes, or a part of the whole.
type MinFree struct {
	Bytes int64
	Part  float64 // 0.05 is 5 %
}

const (
	retainEvery = 5 * time.Second // between two looks
	retainBatch = 32              // recordings that one transaction deletes at most
	// unlinkAfter is how long a deleted recording's file stays at least, so that every reader has noticed and keeps what it has
	// open.
	unlinkAfter = 3 * time.Second
	// Marks are deleted after the footage that they belong to: once a minute, since nothing waits for the space.
	marksEvery90k = 60 * 90000
	marksBatch    = 1000 // marks of a camera that one transaction deletes at most
	// marksAlone90k is how long marks stay of a camera that has no footage, since the first may not be written yet.
	marksAlone90k = 3600 * 90000
)

var (
	errOnlyHeld = errors.New("only footage that is held is left to delete")
	errOnlyKept = errors.New("only footage that is held, or that retain keeps by at_least, is left to delete")
)

// retention deletes footage when a stream, all streams together, or a disk has too much of it: the oldest first, a little at a
// time, and never footage that is held or a recording that still grows. First a recording's row becomes garbage; its file is removed a moment later, or when its
// readers are done. Bytes of garbage, and those of which the disk does not show yet that they are free, count as free, so that
// nothing is deleted twice for the same need. It runs in one goroutine, and asks disks in others, so that one that hangs keeps
// nothing from being deleted elsewhere.
type retention struct {
	rec *Recorder
	db  *schema.DB
	log *slog.Logger

	// The volumes, streams and limits of the current round, as take copied them from the Recorder. A question to a disk that was
	// left behind may still read older ones.
	volumes map[int64]*volume.Volume // those that are ready
	streams []kept
	total   Limits
	minFree MinFree

	every time.Duration
	clock func() int64                                   // wall time now, 90k; it does not follow when the host's clock is set
	space func(path string) (free, all int64, err error) // of the disk of a directory
	disk  func(path string) (uint64, error)              // which one that is

	freed  freed
	floors floors
	disks  store.Asking
	said   map[string]bool // failures that were logged and last

	marks90k int64 // when old marks were deleted last
}

// kept is a stream, and how much of it is kept.
type kept struct {
	*stream
	limits Limits
}

func newRetention(r *Recorder) *retention {
	return &retention{
		rec: r, db: r.set.DB, log: r.o.Log,
		clock: r.o.clock, every: cmp.Or(r.o.retainEvery, retainEvery), space: diskSpace, disk: diskOf, floors: floors{known: map[int64]floor{}}, said: map[string]bool{},
	}
}

// take copies from the Recorder which volumes, streams and limits hold from now on.
func (r *retention) take() {
	r.volumes = r.rec.set.Ready()
	r.rec.mu.Lock()
	defer r.rec.mu.Unlock()
	r.total, r.minFree, r.streams = r.rec.total, r.rec.minFree, nil
	for _, s := range r.rec.streams {
		r.streams = append(r.streams, kept{s, s.limits})
	}
	r.floors.set(r.streams)
}

// steadyClock returns the wall time as of now, moved on by the monotonic clock: a host's clock that is set years ahead must
// not make all footage look old.
func steadyClock() func() int64 {
	start := time.Now()
	return func() int64 { return media.FromTime(start) + media.Ticks(time.Since(start)) }
}

// diskSpace asks the filesystem of a directory.
func diskSpace(path string) (free, all int64, err error) {
	var st unix.Statfs_t
	if err := unix.Statfs(path, &st); err != nil {
		return 0, 0, fmt.Errorf("ask for the free space of %s: %w", path, err)
	}
	return int64(st.Bavail) * int64(st.Bsize), int64(st.Blocks) * int64(st.Bsize), nil
}

// diskOf returns what tells the disk of a directory from others.
func diskOf(path string) (uint64, error) {
	var st unix.Stat_t
	if err := unix.Stat(path, &st); err != nil {
		return 0, fmt.Errorf("look which disk %s is on: %w", path, err)
	}
	return st.Dev, nil
}

// run deletes the footage beyond the limits until ctx ends.
func (r *retention) run(ctx context.Context) {
	tick := time.NewTicker(r.every)
	defer tick.Stop()
	for {
		r.say("delete old footage", r.rec.o.Data, r.round(ctx))
		r.writeHolds(ctx)
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
	}
}

// say logs that something cannot be done, when that is new, and later that it can be done again.
func (r *retention) say(what, path string, err error) {
	key := what + " " + path
	switch {
	case err != nil && !r.said[key] && !errors.Is(err, context.Canceled):
		r.log.Error("cannot "+what+"; trying again", "path", path, "err", err)
		r.said[key] = true
	case err == nil && r.said[key]:
		r.log.Info("nvrfs can "+what+" again", "path", path)
		delete(r.said, key)
	}
}

// round deletes until every limit is kept, or nothing is left that may be deleted. It goes on where a file cannot be unlinked.
func (r *retention) round(ctx context.Context) error {
	r.take()
	return errors.Join(r.removeFiles(ctx), r.trim(ctx), r.trimMarks(ctx))
}

// trimMarks deletes marks that are older than the footage of their camera.
func (r *retention) trimMarks(ctx context.Context) error {
	now90k := r.clock()
	if now90k-r.marks90k < marksEvery90k {
		return nil
	}
	r.marks90k = now90k
	return r.db.Write(ctx, func(tx *schema.Tx) error { return tx.DeleteMarks(now90k-marksAlone90k, marksBatch) })
}

func (r *retention) trim(ctx context.Context) error {
	for ctx.Err() == nil {
		state, err := r.look(ctx)
		if err != nil {
			return err
		}
		deleted, err := r.deleteSome(ctx, state)
		if err != nil || deleted == 0 {
			return err
		}
	}
	return ctx.Err()
}

// spaceState says how much footage there is, and how much of it is beyond the limits.
type spaceState struct {
	now90k  int64
	rows    map[int64]schema.Stream
	excess  map[int64]int64 // by stream: bytes beyond its limit
	total   int64           // bytes of all beyond theirs
	disks   []diskState
	growing map[int64]int64 // by stream: bytes of recordings that go on
}

// diskState is a disk with sample directories.
type diskState struct {
	id      uint64
	dirs    []int64
	deficit int64 // bytes to be freed
	growing int64 // bytes of recordings that go on
}

func (r *retention) look(ctx context.Context) (spaceState, error) {
	s := spaceState{now90k: r.clock(), rows: map[int64]schema.Stream{}, excess: map[int64]int64{}, growing: map[int64]int64{}}
	rows, err := r.db.Streams(ctx)
	if err != nil {
		return s, err
	}
	for _, row := range rows {
		s.rows[row.ID] = row
		s.total += row.Bytes
	}
	s.total = excess(s.total, r.total.Bytes)
	for _, x := range r.streams {
		s.excess[x.row.ID] = excess(s.rows[x.row.ID].Bytes, x.limits.Bytes)
	}
	garbage, err := r.db.Garbage(ctx)
	if err != nil {
		return s, err
	}
	growing, err := r.db.Growing(ctx)
	if err != nil {
		return s, err
	}
	for _, g := range growing {
		s.growing[g.ID.Stream()] += g.Bytes
	}
	s.disks = r.lookAtDisks(garbage, growing)
	return s, nil
}

// lookAtDisks sums up the disks, each once however many sample directories are on it. A disk that does not answer is left out.
func (r *retention) lookAtDisks(garbage []schema.Garbage, growing []schema.RecordingFile) (disks []diskState) {
	seen := r.askDisks()
	for _, id := range slices.Sorted(maps.Keys(seen)) {
		disk := seen[id]
		i := slices.IndexFunc(disks, func(d diskState) bool { return d.id == disk.id })
		if i < 0 {
			i = len(disks)
			want := max(r.minFree.Bytes, int64(float64(disk.all)*r.minFree.Part))
			disks = append(disks, diskState{id: disk.id, deficit: want - disk.free - r.freed.expected(disk.id, r.clock())})
		}
		d := &disks[i]
		d.dirs = append(d.dirs, id)
		for _, g := range garbage {
			if g.Dir == id {
				d.deficit -= g.Bytes // is about to be freed
			}
		}
		for _, g := range growing {
			if g.Dir == id {
				d.growing += g.Bytes
			}
		}
	}
	return disks
}

// askDisks asks the disk of each sample directory for its free space. A disk that does not answer is left out, and the log says
// so.
func (r *retention) askDisks() map[int64]diskSeen {
	volumes := r.volumes
	ids := slices.Sorted(maps.Keys(volumes))
	seen := store.Ask(&r.disks, ids, func(id int64) diskSeen { return r.lookAtDisk(volumes[id]) })
	for _, id := range ids {
		disk, ok := seen[id]
		if !ok {
			disk.err = store.ErrNoAnswer
		}
		r.say("see how much space is free", volumes[id].Path, disk.err)
		if disk.err != nil {
			delete(seen, id)
		}
	}
	return seen
}

// diskSeen is what the disk of a sample directory says.
type diskSeen struct {
	id        uint64
	free, all int64
	err       error
}

func (r *retention) lookAtDisk(v *volume.Volume) (s diskSeen) {
	if s.err = v.Store().Present(); s.err != nil {
		return s // the disk below the mount point is another one
	}
	if s.id, s.err = r.disk(v.Path); s.err == nil {
		s.free, s.all, s.err = r.space(v.Path)
	}
	return s
}

// excess returns by how much n is beyond a limit; a limit of 0 is none.
func excess(n, limit int64) int64 {
	if limit == 0 {
		return 0
	}
	return max(0, n-limit)
}

// deleteSome deletes a batch of the footage beyond the limits, in one transaction, and blocks the streams for which nothing is
// left to delete.
func (r *retention) deleteSome(ctx context.Context, s spaceState) (deleted int, err error) {
	err = r.db.Write(ctx, func(tx *schema.Tx) error {
		deleted = 0
		for _, x := range r.streams {
			n, err := r.trimStream(tx, x, s)
			if err != nil {
				return err
			}
			deleted += n
		}
		if deleted > 0 {
			return nil // look again before anything is deleted for the sake of all
		}
		if deleted, err = r.deleteOldest(tx, s, anyDir, s.total, nil); err != nil || deleted > 0 {
			return err
		}
		for _, d := range s.disks {
			n, err := r.deleteForSpace(tx, s, d)
			if err != nil {
				return err
			}
			deleted += n
		}
		return nil
	})
	if err != nil || deleted > 0 {
		return deleted, err
	}
	return 0, r.block(ctx, s)
}

// anyDir stands for all sample directories, including those that are not there.
var anyDir = []int64{0}

// trimStream deletes recordings of a stream that are too old, or too many.
func (r *retention) trimStream(tx *schema.Tx, x kept, s spaceState) (deleted int, err error) {
	victims, err := tx.Oldest(x.row.ID, 0, retainBatch)
	if err != nil {
		return 0, err
	}
	tooMuch := s.excess[x.row.ID]
	for _, v := range victims {
		old := x.limits.Age > 0 && v.End90k < s.now90k-media.Ticks(x.limits.Age)
		if !old && tooMuch <= 0 {
			break
		}
		if err := tx.Delete(v, s.now90k); err != nil {
			return deleted, err
		}
		deleted++
		tooMuch -= v.Bytes
	}
	return deleted, nil
}

// deleteForSpace deletes the oldest recordings on a disk that is too full, down to what each stream keeps at least.
func (r *retention) deleteForSpace(tx *schema.Tx, s spaceState, d diskState) (deleted int, err error) {
	return r.deleteOldest(tx, s, d.dirs, d.deficit, func(v schema.Victim) (bool, error) { return r.floors.keeps(tx, v, s.now90k) })
}

// deleteOldest deletes the oldest recordings of all streams in some sample directories, up to a number of bytes. Recordings for
// which keeps reports true stay; keeps may be nil.
func (r *retention) deleteOldest(tx *schema.Tx, s spaceState, dirs []int64, bytes int64, keeps func(schema.Victim) (bool, error)) (deleted int, err error) {
	if bytes <= 0 {
		return 0, nil
	}
	var victims []schema.Victim
	for id := range s.rows {
		for _, dir := range dirs {
			v, err := tx.Oldest(id, dir, retainBatch)
			if err != nil {
				return 0, err
			}
			if v, err = upTo(v, keeps); err != nil {
				return 0, err
			}
			victims = append(victims, v...)
		}
	}
	slices.SortFunc(victims, func(a, b schema.Victim) int {
		return cmp.Or(cmp.Compare(a.Start90k, b.Start90k), cmp.Compare(a.ID, b.ID))
	})
	for _, v := range victims[:min(len(victims), retainBatch)] {
		if bytes <= 0 {
			break
		}
		if err := tx.Delete(v, s.now90k); err != nil {
			return deleted, err
		}
		deleted++
		bytes -= v.Bytes
	}
	return deleted, nil
}

// upTo returns the victims of one stream, oldest first, that come before the first for which keeps reports true.
func upTo(victims []schema.Victim, keeps func(schema.Victim) (bool, error)) ([]schema.Victim, error) {
	if keeps == nil {
		return victims, nil
	}
	for i, v := range victims {
		if stays, err := keeps(v); err != nil || stays {
			return victims[:i], err
		}
	}
	return victims, nil
}

// block stops the streams that are beyond a limit though nothing is left to delete, and lets the others record. Recordings that
// still grow do not count, because they can be deleted once they have ended: only held footage blocks a stream for long.
func (r *retention) block(ctx context.Context, s spaceState) error {
	growing := int64(0)
	for _, n := range s.growing {
		growing += n
	}
	short, err := r.shortDisks(ctx, s)
	if err != nil {
		return err
	}
	for _, x := range r.streams {
		var why error
		switch {
		case s.excess[x.row.ID] > s.growing[x.row.ID]:
			why = fmt.Errorf("%w, and the stream has %d bytes, of %d that it may have", errOnlyHeld, s.rows[x.row.ID].Bytes, x.limits.Bytes)
		case s.total > growing:
			why = fmt.Errorf("%w, and all streams have %d bytes more than the %d that they may have", errOnlyHeld, s.total, r.total.Bytes)
		case short[x.writer.Volume().ID] > 0:
			why = fmt.Errorf("%w, and the disk of %s has %d bytes less free than it must", r.floors.onlyKept(), x.writer.Volume().Path, short[x.writer.Volume().ID])
		}
		x.block(why)
	}
	return nil
}

// shortDisks lists the sample directories on disks that are too full, by how many bytes, and have footage that may not be deleted.
// A disk without such footage is left out: something else fills it, and to stop would only lose what is being recorded.
func (r *retention) shortDisks(ctx context.Context, s spaceState) (short map[int64]int64, err error) {
	short = map[int64]int64{}
	for _, d := range s.disks {
		if d.deficit <= d.growing {
			continue
		}
		held := false
		for _, dir := range d.dirs {
			has, err := r.db.HasSealed(ctx, dir)
			if err != nil {
				return nil, err
			}
			held = held || has
		}
		for _, dir := range d.dirs {
			if held {
				short[dir] = d.deficit
			}
		}
	}
	return short, nil
}
