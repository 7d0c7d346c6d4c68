package fsck

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"slices"

	"nvrfs/mp4"
	"nvrfs/recorder/volume"
	"nvrfs/schema"
	"nvrfs/store"
)

// RepairOptions are the options of the check that finds the problems, and functions that Repair calls before and after each repair. All
// must be set.
type RepairOptions struct {
	CheckOptions
	Plan func(p Problem, action string)           // what will be done, of all problems before anything is
	Done func(p Problem, aside string, err error) // what was done, and what the file that was set aside is called, if one was
}

// Repair checks a data directory, and repairs the problems that it finds, so that another check finds none. It deletes no file: a
// damaged file is set aside, and its whole fragments are written to a new one. It takes the lock of the data directory, and returns
// store.ErrLocked when a recorder has it. left is the number of recordings that could not be repaired.
func Repair(ctx context.Context, data string, o RepairOptions) (sum CheckSummary, left int, err error) {
	set, err := volume.OpenExisting(ctx, data, o.Log)
	if err != nil {
		return sum, 0, err
	}
	defer func() { err = errors.Join(err, set.Close()) }()
	r := repairer{o: o, data: data, db: set.DB, volumes: set.Present(), fresh: map[int64]*streamRecovery{}}
	if sum, err = r.check(ctx); err != nil {
		return sum, 0, err
	}
	left, err = r.repair(ctx)
	return sum, left, err
}

type repairer struct {
	o       RepairOptions
	data    string
	db      *schema.DB
	volumes map[int64]*volume.Volume
	streams map[int64]schema.Stream
	broken  []Problem                 // the first problem of each recording
	fresh   map[int64]*streamRecovery // by stream: gives what is whole behind damage its rows
}

// check finds the recordings that are to be repaired.
func (r *repairer) check(ctx context.Context) (CheckSummary, error) {
	streams, err := r.db.Streams(ctx)
	if err != nil {
		return CheckSummary{}, err
	}
	r.streams = map[int64]schema.Stream{}
	for _, s := range streams {
		r.streams[s.ID] = s
	}
	o, seen := r.o.CheckOptions, map[Problem]bool{}
	o.Found = func(p Problem) {
		r.o.Found(p)
		key := p
		if key.What = ""; !seen[key] {
			r.broken = append(r.broken, p)
		}
		seen[key] = true
	}
	c := &checker{o: o, data: r.data, db: r.db, volumes: r.volumes}
	err = c.run(ctx)
	return c.sum, err
}

// repair plans all repairs, and then makes them.
func (r *repairer) repair(ctx context.Context) (left int, err error) {
	plans := make([]plan, len(r.broken))
	for i, p := range r.broken {
		if plans[i], err = r.plan(ctx, p); err != nil {
			return 0, err
		}
	}
	for i, p := range r.broken {
		r.o.Plan(p, plans[i].action)
	}
	for i, p := range r.broken {
		if err := ctx.Err(); err != nil {
			return left, err
		}
		if plans[i].do == nil {
			left++
			continue
		}
		aside, err := plans[i].do(ctx)
		if err == nil {
			err = r.verify(ctx, p)
		}
		if err != nil {
			left++
		}
		r.o.Done(p, aside, err)
	}
	for _, x := range r.fresh {
		if err := x.run(ctx); err != nil {
			return left, err
		}
	}
	return left, nil
}

// verify checks a recording again, at level Hash.
func (r *repairer) verify(ctx context.Context, p Problem) (err error) {
	o := r.o.CheckOptions
	o.Level, o.Found = Hash, func(p Problem) { err = errors.Join(err, fmt.Errorf("there is more: %s", p.What)) }
	c := &checker{o: o, data: r.data, db: r.db, volumes: r.volumes}
	return errors.Join(c.recording(ctx, r.streams[p.stream], schema.MakeRecordingID(p.stream, p.Recording)), err)
}

// A plan is what to do about a recording; do is nil when nothing can be done.
type plan struct {
	action string
	do     func(context.Context) (aside string, err error)
}

func (r *repairer) plan(ctx context.Context, p Problem) (plan, error) {
	if p.stream == 0 {
		return plan{action: "nothing: a new database made by nvrfs rebuild would know it"}, nil
	}
	d, ok := r.volumes[p.dir]
	switch {
	case p.dir != 0 && !ok:
		return plan{action: "nothing: mount the disk of the sample directory"}, nil
	case p.Recording == 0:
		return plan{"count its recordings anew", func(ctx context.Context) (string, error) {
			return "", r.db.Write(ctx, func(tx *schema.Tx) error { return tx.Recount(p.stream) })
		}}, nil
	}
	b := broken{r: r, stream: r.streams[p.stream], key: store.Key{Stream: p.Stream, Number: p.Recording}, dir: p.dir, st: d.Store()}
	return b.plan(ctx)
}

// broken is a recording that is to be repaired.
type broken struct {
	r      *repairer
	stream schema.Stream
	key    store.Key
	dir    int64
	st     store.Store
	row    *schema.Recording // nil when there is none
}

func (b *broken) id() schema.RecordingID { return schema.MakeRecordingID(b.stream.ID, b.key.Number) }

func (b *broken) plan(ctx context.Context) (plan, error) {
	row, ok, err := b.r.db.Recording(ctx, b.id())
	if err != nil {
		return plan{}, err
	}
	if ok && row.Dir != b.dir {
		if other, there := b.r.volumes[row.Dir]; !there || fileThere(other.Store(), b.key) {
			return plan{"set the file aside: there is another one of the recording", b.setAside}, nil
		}
	} else if ok {
		b.row = &row
	}
	rec := recovery{db: b.r.db, dir: b.dir, st: b.st, stream: b.stream.ID, key: b.key, log: b.r.o.Log}
	found, err := rec.read()
	if errors.Is(err, mp4.ErrHeader) && b.row != nil {
		if rec.header, err = b.headerOfRow(ctx); err != nil {
			return plan{}, err
		}
		found, err = rec.read()
	}
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return plan{fmt.Sprintf("remove the row; its %d bytes are lost", row.Bytes), func(ctx context.Context) (string, error) { return "", b.forget(ctx) }}, nil
	case errors.Is(err, mp4.ErrHeader), errors.Is(err, store.ErrNotRegular), err == nil && found.index == nil:
		return plan{"set the file aside, nothing of it is whole" + b.andRow(), b.giveUp}, nil
	case err != nil:
		return plan{action: fmt.Sprintf("nothing: %v", err)}, nil
	}
	if err := belongs(found.SampleFile, b.stream, b.key.Number); err != nil {
		return plan{"set the file aside" + b.andRow(), b.giveUp}, nil
	}
	put := func(ctx context.Context) (string, error) { return "", b.put(ctx, &rec, found) }
	if found.Torn == nil && found.Seal != nil {
		return plan{"write the row anew, from the file", put}, nil
	}
	return b.planSalvage(ctx, found, put)
}

// headerOfRow returns the header of a file whose own header is damaged, as far as the database knows it. Only the start that the header
// gave may differ, because it is corrected while the recording goes on.
func (b *broken) headerOfRow(ctx context.Context) (*mp4.SampleFile, error) {
	run, err := b.r.db.Run(ctx, b.row.Run)
	if err != nil {
		return nil, err
	}
	f := &mp4.SampleFile{HeaderBytes: b.row.HeaderBytes}
	f.Identity = mp4.Identity{
		Camera: b.stream.Camera, Stream: b.stream.Name, Recording: b.key.Number,
		Run: run.UUID, Sequence: b.row.Sequence, Start90k: b.row.Start90k,
	}
	for _, t := range b.row.Tracks {
		e, err := b.r.db.SampleEntry(ctx, t.Entry)
		if err != nil {
			return nil, err
		}
		f.Tracks = append(f.Tracks, e.First())
	}
	return f, nil
}

func (b *broken) planSalvage(ctx context.Context, found *readBack, put func(context.Context) (string, error)) (plan, error) {
	fresh, err := b.fresh(ctx)
	if err != nil {
		return plan{}, err
	}
	s := &salvage{volumes: b.r.volumes, st: b.st, key: b.key, found: found, next: &fresh.next}
	action := fmt.Sprintf("set the file aside, and write the %d bytes of it that are whole to %s", s.whole(), oneOrMore(len(s.intact())))
	if b.row == nil {
		s.end(cutOffReason)
	} else {
		run, err := b.r.db.Run(ctx, b.row.Run)
		if err != nil {
			return plan{}, err
		}
		s.endAs(b.row, run.EndReason)
		if lost := b.row.Bytes - b.row.HeaderBytes - s.whole(); lost > 0 {
			action += fmt.Sprintf("; %d bytes are lost", lost)
		}
	}
	return plan{action, func(ctx context.Context) (aside string, err error) {
		aside, err = s.rewrite()
		fresh.add(b.dir, s.behind)
		switch {
		case err == nil:
			_, err = put(ctx)
		case aside != "": // the row has no file any more
			err = errors.Join(err, b.forget(ctx))
		}
		return aside, err
	}}, nil
}

func oneOrMore(files int) string {
	if files == 1 {
		return "a new one"
	}
	return fmt.Sprintf("%d new ones", files)
}

// fresh lists the files of the stream that have no row yet because they were being written. Files that should have a row are problems
// of their own.
func (b *broken) fresh(ctx context.Context) (*streamRecovery, error) {
	if x := b.r.fresh[b.stream.ID]; x != nil {
		return x, nil
	}
	x, err := newStreamRecovery(ctx, b.r.db, b.r.volumes, b.stream, b.r.o.Log)
	if err != nil {
		return nil, err
	}
	x.files = slices.DeleteFunc(x.files, func(f schema.RecordingFile) bool { return f.ID.Number() < b.stream.NextNumber })
	b.r.fresh[b.stream.ID] = x
	return x, nil
}

func (b *broken) andRow() string {
	if b.row == nil {
		return ""
	}
	return ", and remove the row"
}

func fileThere(st store.Store, k store.Key) bool {
	_, err := st.Size(k)
	return !errors.Is(err, fs.ErrNotExist)
}

func (b *broken) setAside(context.Context) (string, error) { return b.st.SetAside(b.key) }

// giveUp sets the file aside, and removes its row if it has one.
func (b *broken) giveUp(ctx context.Context) (aside string, err error) {
	if aside, err = b.setAside(ctx); err != nil || b.row == nil {
		return aside, err
	}
	return aside, b.forget(ctx)
}

func (b *broken) forget(ctx context.Context) error {
	return b.r.db.Write(ctx, func(tx *schema.Tx) error { return tx.Forget(b.id()) })
}

// put replaces the row by one that counts what was found in the file.
func (b *broken) put(ctx context.Context, rec *recovery, found *readBack) error {
	return b.r.db.Write(ctx, func(tx *schema.Tx) error {
		if err := tx.Forget(b.id()); err != nil {
			return err
		}
		return rec.put(tx, found, true)
	})
}
