package fsck

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"maps"
	"os"
	"path/filepath"
	"slices"

	"nvrfs/holds"
	"nvrfs/mp4"
	"nvrfs/recorder/volume"
	"nvrfs/schema"
	"nvrfs/store"
	"nvrfs/store/dir"
)

// RebuildOptions says where sample files lie besides the data directory, and has functions that Rebuild calls to report progress and
// problems. All must be set.
type RebuildOptions struct {
	Samples []string          // absolute paths
	Total   func(bytes int64) // once, before the first: the sizes of all sample files
	Read    func(bytes int64) // after each file: its size
	Found   func(Problem)     // a file of which not everything could be taken in
	Log     *slog.Logger
}

// A RebuildSummary says what Rebuild has put into the new database.
type RebuildSummary struct {
	Streams    int64
	Recordings int64
	Bytes      int64
	Holds      int64
	Problems   int64
}

// ErrNothingDone says that Rebuild refused, and has not changed anything.
var ErrNothingDone = errors.New("nothing was changed")

// unknownReason is the reason of runs whose end no sample file tells.
const unknownReason = "not known: the database was rebuilt from the sample files"

// rebuildBatch is how many recordings one transaction takes in.
const rebuildBatch = 64

// Rebuild makes the database of a data directory from its sample files alone. The new database has the UUID of the one
// that was lost, so that the sample directories belong to it. A recording that was cut off is ended as by the recorder's start; a
// damaged file is set aside, and its whole fragments are written to a new one. Holds are restored from the lists beside the sample
// files. Recordings that were deleted a moment ago are back.
//
// It returns ErrNothingDone if there is a database, or if the sample directories belong to different ones, and store.ErrLocked when a
// recorder is at work. If it fails later, there is no database, as before.
func Rebuild(ctx context.Context, data string, o RebuildOptions) (sum RebuildSummary, err error) {
	lock, err := dir.LockDir(data)
	if err != nil {
		return sum, err
	}
	defer func() { err = errors.Join(err, lock.Release()) }()
	uuid, paths, err := rebuildFrom(data, o.Samples)
	if err != nil {
		return sum, fmt.Errorf("rebuild the database of %s: %w; %w", data, err, ErrNothingDone)
	}
	// It appears under its name when it is whole.
	tmp, err := os.MkdirTemp(data, "rebuild-")
	if err != nil {
		return sum, fmt.Errorf("make a directory for the new database: %w", err)
	}
	defer func() { err = errors.Join(err, os.RemoveAll(tmp)) }()
	r := &rebuilder{o: o, data: data}
	if err := r.run(ctx, tmp, uuid, paths); err != nil {
		return r.sum, fmt.Errorf("rebuild the database of %s: %w", data, err)
	}
	if err := os.Rename(filepath.Join(tmp, schema.FileName), filepath.Join(data, schema.FileName)); err != nil {
		return r.sum, fmt.Errorf("put the new database in its place: %w", err)
	}
	return r.sum, syncDir(data)
}

// rebuildFrom returns the sample directories, and which database they belong to.
func rebuildFrom(data string, samples []string) (uuid string, paths []string, err error) {
	for _, name := range []string{schema.FileName, schema.FileName + "-wal"} {
		path := filepath.Join(data, name)
		info, err := os.Lstat(path)
		if err == nil && (name == schema.FileName || info.Size() > 0) { // what an old WAL holds would get into the new database
			return "", nil, fmt.Errorf("there is %s; move it away first", path)
		}
		if err != nil && !errors.Is(err, fs.ErrNotExist) {
			return "", nil, fmt.Errorf("look for a database: %w", err)
		}
	}
	first := schema.SampleDirPath(data, schema.DefaultSampleDir)
	if _, err := os.Stat(first); err == nil || len(samples) == 0 {
		paths = append(paths, first)
	}
	for _, path := range samples {
		if !slices.Contains(paths, path) {
			paths = append(paths, path)
		}
	}
	for _, path := range paths {
		owner, err := dir.Database(path)
		if err != nil {
			return "", nil, err
		}
		if uuid != "" && owner != uuid {
			return "", nil, fmt.Errorf("sample directory %s belongs to database %s, and %s to %s", paths[0], uuid, path, owner)
		}
		uuid = owner
	}
	return uuid, paths, nil
}

func syncDir(path string) error {
	d, err := os.Open(path)
	if err != nil {
		return fmt.Errorf("sync directory: %w", err)
	}
	return errors.Join(d.Sync(), d.Close())
}

type rebuilder struct {
	o       RebuildOptions
	data    string
	db      *schema.DB
	volumes map[int64]*volume.Volume
	sum     RebuildSummary
}

// run makes the database in tmp.
func (r *rebuilder) run(ctx context.Context, tmp, uuid string, paths []string) (err error) {
	if r.db, err = schema.CreateWithUUID(ctx, tmp, uuid); err != nil {
		return err
	}
	err = r.fill(ctx, uuid, paths)
	return errors.Join(err, r.closeVolumes(), r.db.Close())
}

func (r *rebuilder) fill(ctx context.Context, uuid string, paths []string) error {
	if err := r.openVolumes(ctx, uuid, paths); err != nil {
		return err
	}
	files, err := r.list()
	if err != nil {
		return err
	}
	for _, label := range slices.Sorted(maps.Keys(files)) {
		s := rebuiltStream{rebuilder: r, label: label, files: files[label]}
		if err := s.run(ctx); err != nil {
			return fmt.Errorf("stream %s: %w", label, err)
		}
	}
	held := holds.Read(paths, uuid, func(path string, err error) {
		r.o.Log.Error("the list of holds in a sample directory cannot be read", "path", path, "err", err,
			"do", "see with nvrfs keep --list which holds there are, and add those that are missing")
		r.sum.Problems++
	})
	return r.db.Write(ctx, func(tx *schema.Tx) (err error) {
		r.sum.Holds, err = held.Restore(tx, func(h holds.Hold, err error) {
			r.o.Log.Error("a hold cannot be restored", "hold", h.ID, "reason", h.Why, "err", err, "do", "hold the footage again with nvrfs keep")
			r.sum.Problems++
		})
		return errors.Join(err, tx.EndRuns(unknownReason))
	})
}

func (r *rebuilder) openVolumes(ctx context.Context, uuid string, paths []string) error {
	first := schema.SampleDirPath(r.data, schema.DefaultSampleDir)
	attach := volume.AttachTo
	if slices.Contains(paths, first) {
		attach = volume.OpenOf // it is there
	}
	v, err := attach(1, first, r.data, uuid, r.o.Log)
	if err != nil {
		return err
	}
	r.volumes = map[int64]*volume.Volume{1: v}
	for _, path := range paths {
		if path == first {
			continue
		}
		id, err := volume.AddDir(ctx, r.db, path)
		if err != nil {
			return err
		}
		if r.volumes[id], err = volume.OpenOf(id, path, r.data, uuid, r.o.Log); err != nil {
			delete(r.volumes, id)
			return err
		}
	}
	return nil
}

func (r *rebuilder) closeVolumes() (err error) {
	for _, v := range r.volumes {
		err = errors.Join(err, v.Close())
	}
	return err
}

// list lists all sample files by stream, in order of their numbers, and reports how many bytes they have.
func (r *rebuilder) list() (map[string][]fileID, error) {
	files, total := map[string][]fileID{}, int64(0)
	for dir, d := range r.volumes {
		labels, err := d.Store().Streams()
		if err != nil {
			return nil, err
		}
		for _, label := range labels {
			numbers, err := d.Store().Scan(label, 1)
			if err != nil {
				return nil, err
			}
			for _, n := range numbers {
				size, err := d.Store().Size(store.Key{Stream: label, Number: n})
				if err != nil && !errors.Is(err, store.ErrNotRegular) {
					return nil, err
				}
				files[label], total = append(files[label], fileID{n, dir}), total+size
			}
		}
	}
	for _, ids := range files {
		slices.SortFunc(ids, func(a, b fileID) int {
			if a.number != b.number {
				return int(a.number - b.number)
			}
			return int(a.dir - b.dir)
		})
	}
	r.o.Total(total)
	return files, nil
}

// rebuiltStream takes in the files of one stream.
type rebuiltStream struct {
	*rebuilder
	label string
	files []fileID      // by number
	row   schema.Stream // ID is 0 before the first of its files
	last  int64         // the last number taken in
	open  *rebuilt      // the last recording taken in, when its file says that its run goes on
	batch []*rebuilt
}

type rebuilt struct {
	rec    recovery
	found  *readBack
	before *rebuilt // the recording before, with which its run ended, though its file says that it went on
}

func (s *rebuiltStream) run(ctx context.Context) error {
	for i := 0; i < len(s.files); i++ { // salvage adds some
		p := s.files[i]
		if err := ctx.Err(); err != nil {
			return err
		}
		size, err := s.file(ctx, p)
		if err != nil {
			return fmt.Errorf("recording %d: %w", p.number, err)
		}
		s.o.Read(size)
		if len(s.batch) == rebuildBatch {
			if err := s.flush(ctx); err != nil {
				return err
			}
		}
	}
	return s.flush(ctx)
}

// file takes in one file, and returns its size.
func (s *rebuiltStream) file(ctx context.Context, p fileID) (size int64, err error) {
	st := s.volumes[p.dir].Store()
	rec := recovery{db: s.db, dir: p.dir, st: st, key: store.Key{Stream: s.label, Number: p.number}, reason: cutOffReason, log: s.o.Log.With("stream", s.label, "recording", p.number)}
	size, err = st.Size(rec.key)
	switch {
	case errors.Is(err, store.ErrNotRegular):
		return 0, s.setAside(&rec, p, err.Error())
	case err != nil:
		return 0, err
	}
	found, err := rec.read()
	switch {
	case errors.Is(err, errUnreadable):
		s.found(p, fmt.Sprintf("left out: %v", err))
		return size, nil
	case errors.Is(err, mp4.ErrHeader):
		return size, s.setAside(&rec, p, err.Error())
	case err != nil:
		return size, err
	case found.index == nil:
		return size, s.setAside(&rec, p, "it has not one whole fragment")
	case p.number == s.last:
		return size, s.setAside(&rec, p, "there is another one of the recording")
	}
	if err := s.identify(ctx, found.SampleFile, p.number); err != nil {
		return size, s.setAside(&rec, p, err.Error())
	}
	follows := p.number == s.last+1
	rec.stream, s.last = s.row.ID, p.number
	if err := s.end(&rec, p, found); err != nil {
		return size, err
	}
	s.sum.Recordings++
	s.sum.Bytes += found.Bytes
	s.take(&rebuilt{rec: rec, found: found}, follows)
	return size, nil
}

// take has a recording committed. Where it follows one whose run went on, by its number, but is of another run, the
// recorder was cut off in between.
func (s *rebuiltStream) take(x *rebuilt, follows bool) {
	if s.open != nil && follows && s.open.found.Identity.Run != x.found.Identity.Run {
		x.before = s.open
	}
	if s.open = x; x.found.Seal.EndReason != "" {
		s.open = nil
	}
	s.batch = append(s.batch, x)
}

// identify compares whose recording a file is with its name. The first file of a stream tells of which camera it is.
func (s *rebuiltStream) identify(ctx context.Context, f *mp4.SampleFile, number int64) error {
	of := s.row
	if of.ID == 0 {
		of = schema.Stream{Camera: f.Identity.Camera, Name: f.Identity.Stream}
		if of.Label() != s.label || schema.CheckStreamName(of.Name) != nil {
			of.Camera = s.label // which it is not
		}
	}
	if err := belongs(f, of, number); err != nil || s.row.ID != 0 {
		return err
	}
	s.sum.Streams++
	return s.db.Write(ctx, func(tx *schema.Tx) (err error) {
		s.row, err = tx.Stream(of.Camera, of.Name)
		return err
	})
}

// end ends a file that has no seal: as start-up does where the writer was cut off, and else what is whole of it.
func (s *rebuiltStream) end(rec *recovery, p fileID, found *readBack) error {
	if found.Seal != nil && found.Torn == nil {
		return nil
	}
	next := s.files[len(s.files)-1].number + 1
	x := salvage{volumes: s.volumes, st: rec.st, key: rec.key, found: found, next: &next}
	x.end(cutOffReason)
	cutOff := found.damage == nil && (found.Torn == nil || errors.Is(found.Torn, mp4.ErrTorn))
	if cutOff && !x.split && found.Seal.EndReason != "" {
		found.Seal = nil
		return rec.endFile(found)
	}
	s.found(p, fmt.Sprintf("the sample file does not end as it should, or is damaged; it is set aside, and the %d bytes of it that are whole are kept", x.whole()))
	_, err := x.rewrite()
	for _, n := range x.behind {
		s.files = append(s.files, fileID{n, p.dir})
	}
	return err
}

func (s *rebuiltStream) setAside(rec *recovery, p fileID, why string) error {
	name, err := rec.st.SetAside(rec.key)
	s.found(p, fmt.Sprintf("set aside as %s: %s", name, why))
	return err
}

func (s *rebuiltStream) found(p fileID, what string) {
	s.sum.Problems++
	s.o.Found(Problem{Stream: s.label, Recording: p.number, What: what, dir: p.dir})
}

// flush commits what was read.
func (s *rebuiltStream) flush(ctx context.Context) error {
	batch := s.batch
	s.batch = nil
	if len(batch) == 0 {
		return nil
	}
	return s.db.Write(ctx, func(tx *schema.Tx) error {
		for _, x := range batch {
			if x.before != nil {
				if err := x.before.endRun(tx); err != nil {
					return err
				}
			}
			if err := x.rec.put(tx, x.found, true); err != nil {
				return err
			}
		}
		return nil
	})
}

// endRun ends the run of a recording with it.
func (x *rebuilt) endRun(tx *schema.Tx) error {
	return volume.EndRun(tx, x.rec.stream, x.found.Identity.Run, x.found.Identity.Start90k, cutOffReason)
}
