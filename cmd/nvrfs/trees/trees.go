package trees

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"nvrfs/media"
	"nvrfs/recorder/importer"
	"nvrfs/schema"
)

// Options says what is imported, where to, and who is told.
type Options struct {
	Paths []string // trees, and files

	Layout   string   // the name of one of importer.Layouts; empty: none
	Pattern  string   // a layout of one's own; empty: none
	Cameras  []string // "CAMERA" of all files, or "FROM=CAMERA" for each camera of the layout
	Repeated string   // "first" or "second": which hour is meant of one that a clock change repeats; empty: it is asked
	Location *time.Location
	ZoneSaid bool // the times of names are in Location, whatever the layout

	Data   string // the data directory
	DryRun bool   // nothing is imported

	// To returns where the footage of a stream belongs that is to be imported from files. Import sets its Committed.
	To func(camera, stream string, files []importer.Plan) importer.Options
	// Room returns an error where a directory has no room for files.
	Room func(o importer.Options, files []importer.Plan) error
	// Progress begins to show how much of so many files, or bytes, is done.
	Progress func(what string, total int64, bytes bool) Progress
	// Ask asks a question, again until the answer is good. It returns an empty answer where there is nobody to ask.
	Ask func(ctx context.Context, question string, good func(answer string) bool) (string, error)
}

// A Progress shows how much is done; it is told of each step.
type Progress interface {
	Add(n int64)
	Close()
}

// ErrUsage says that options contradict each other, or cannot be read.
var ErrUsage = errors.New("wrong options")

// usageError is an ErrUsage with a message of its own.
type usageError struct{ error }

func (e usageError) Is(target error) bool { return target == ErrUsage }
func (e usageError) Unwrap() error        { return e.error }

func usageErrorf(format string, args ...any) error { return usageError{fmt.Errorf(format, args...)} }

// What becomes of a file of a tree.
type fate int

const (
	planned fate = iota // to be taken
	taken
	thereAlready
	left
)

// A treeFile is a file of a tree that may be imported.
type treeFile struct {
	importer.Plan
	label  string // of the stream, once it is known
	fate   fate
	reason string   // why it is left
	parts  []string // of the file that are left out
	skip   int64    // 90 kHz ticks of it that are there already, from its beginning on
}

// leave notes why a file is not taken.
func (f *treeFile) leave(format string, args ...any) {
	f.fate, f.reason = left, fmt.Sprintf(format, args...)
}

// A treeImport is one import.
type treeImport struct {
	Options
	names treeNames
	files []*treeFile
}

// Import imports trees of files, as many of them as it can, and returns what became of each file, also where an error ends it early.
// When ctx ends, it finishes the file under way. An ErrUsage comes before anything was done.
func Import(ctx context.Context, o Options) ([]Row, error) {
	t := &treeImport{Options: o}
	var err error
	if t.names, err = newTreeNames(o); err != nil {
		return nil, err
	}
	for _, step := range []func(context.Context) error{t.gather, t.nameFiles, t.measure, t.compare} {
		if err := step(ctx); err != nil {
			return nil, err
		}
	}
	if !o.DryRun {
		err = t.take(ctx)
	}
	return t.rows(), err
}

// Endings of names. Files with other endings are passed over.
var (
	mp4Endings   = []string{".mp4", ".mov", ".m4v"}
	otherEndings = []string{".mkv", ".avi", ".ts", ".m2ts", ".mts", ".dav", ".flv", ".ubv", ".bvr", ".264", ".h264", ".265", ".h265", ".ps", ".mpg", ".mpeg", ".wmv", ".asf", ".webm", ".3gp"}
)

// gather lists the files.
func (t *treeImport) gather(ctx context.Context) error {
	for _, root := range t.Paths {
		root, err := filepath.Abs(root)
		if real, e := filepath.EvalSymlinks(root); e == nil {
			root = real // what is below a link is looked at only where the link is named
		}
		if err != nil {
			return err
		}
		err = filepath.WalkDir(root, func(path string, d fs.DirEntry, err error) error {
			if ended := ctx.Err(); ended != nil {
				return ended
			}
			f := &treeFile{Plan: importer.Plan{Path: path}}
			ending := strings.ToLower(filepath.Ext(path))
			switch {
			case err != nil && path == root:
				return usageErrorf("%w", err)
			case err != nil:
				f.leave("%v", withoutPath(err))
			case d.IsDir():
				return nil
			case slices.Contains(otherEndings, ending):
				f.leave("it is not mp4; copy what is in it without encoding it anew, with: ffmpeg -i IN -c copy OUT.mp4")
			case !slices.Contains(mp4Endings, ending) && path != root:
				return nil
			}
			t.files = append(t.files, f)
			return nil
		})
		if err != nil {
			return err
		}
	}
	if len(t.files) == 0 {
		return usageErrorf("there is no .mp4 file in %s", strings.Join(t.Paths, ", "))
	}
	slices.SortStableFunc(t.files, func(a, b *treeFile) int { return strings.Compare(a.Path, b.Path) })
	t.files = slices.CompactFunc(t.files, func(a, b *treeFile) bool { return a.Path == b.Path })
	return nil
}

// nameFiles finds out which stream each file is of, and when it begins.
func (t *treeImport) nameFiles(ctx context.Context) error {
	for _, f := range t.files {
		if f.fate == left {
			continue
		}
		if err := t.names.readFile(ctx, f); err != nil {
			return err
		}
	}
	return nil
}

// measure reads the tables of the files, and leaves out those that cannot be read or overlap one before them.
func (t *treeImport) measure(ctx context.Context) error {
	bar := t.Progress("reading", int64(len(t.files)), false)
	defer bar.Close()
	for _, f := range t.files {
		if err := ctx.Err(); err != nil {
			return err
		}
		bar.Add(1)
		if f.fate == left {
			continue
		}
		err := Open(f.Path, func(why string) { f.parts = append(f.parts, why) }, func(file *importer.File) (err error) {
			f.Span, f.Bytes, err = file.Measure(f.Start)
			return err
		})
		if err != nil {
			f.leave("%v", reasonOf(err, f.Path))
		}
	}
	for _, files := range t.streams() {
		last := files[0]
		for _, f := range files[1:] {
			if last.Span.Overlaps(f.Span) {
				f.leave("it overlaps %s", last.Path)
			} else if f.Span.To90k > last.Span.To90k {
				last = f
			}
		}
	}
	return nil
}

// withoutPath returns err without the operation and the path of an fs.PathError, so that the same reason of many files is one.
func withoutPath(err error) error {
	var of *fs.PathError
	if errors.As(err, &of) {
		return of.Err
	}
	return err
}

// reasonOf returns what an error says of a file, without its path.
func reasonOf(err error, path string) string {
	return strings.TrimPrefix(withoutPath(err).Error(), path+": ")
}

// streams returns the files that are to be taken, by stream, each by time.
func (t *treeImport) streams() map[string][]*treeFile {
	streams := map[string][]*treeFile{}
	for _, f := range t.files {
		if f.fate != left {
			streams[f.label] = append(streams[f.label], f)
		}
	}
	for _, files := range streams {
		slices.SortStableFunc(files, func(a, b *treeFile) int { return cmp.Compare(a.Span.From90k, b.Span.From90k) })
	}
	return streams
}

// compare finds out which files are there already. It changes nothing in the archive.
func (t *treeImport) compare(ctx context.Context) error {
	info, err := os.Stat(filepath.Join(t.Data, schema.FileName))
	if errors.Is(err, fs.ErrNotExist) || err == nil && info.Size() == 0 { // of an import that was cut off at its very beginning
		return nil
	}
	if err != nil {
		return err
	}
	db, err := schema.OpenReadOnly(ctx, t.Data)
	if err != nil {
		return err
	}
	defer db.Close() //nolint:errcheck // read only: nothing can be lost
	known, err := db.Streams(ctx)
	if err != nil {
		return err
	}
	streams := t.streams()
	for _, s := range known {
		for _, f := range streams[s.Label()] {
			pieces, err := importer.Covered(ctx, db, s.ID, f.Span)
			if err != nil {
				return err
			}
			f.compare(pieces)
		}
	}
	return nil
}

// compare finds out what is missing of a file, where there is footage in a part of its time.
func (f *treeFile) compare(pieces []importer.Span) {
	switch missing, from90k := importer.MissingIn(f.Span, pieces); missing {
	case importer.Nothing:
		f.fate = thereAlready
	case importer.Rest:
		f.skip = from90k - f.Span.From90k
	case importer.Pieces:
		f.leave("there is other footage of its camera in a part of its time")
	}
}

// take imports the files, stream after stream.
func (t *treeImport) take(ctx context.Context) error {
	streams, total := t.streams(), int64(0)
	var to []importer.Options
	labels := slices.Sorted(maps.Keys(streams))
	need := map[string][]importer.Plan{} // by directory
	for _, label := range labels {
		camera, stream, err := SplitLabel(label)
		if err != nil {
			return err
		}
		var plans []importer.Plan
		for _, f := range streams[label] {
			if f.fate == planned {
				plans, total = append(plans, f.Plan), total+f.Bytes
			}
		}
		o := t.To(camera, stream, plans)
		to, need[o.Samples] = append(to, o), append(need[o.Samples], plans...)
	}
	for i := range to {
		if err := t.Room(to[i], need[to[i].Samples]); err != nil {
			return err
		}
	}
	bar := t.Progress("importing", total, true)
	defer bar.Close()
	for i, label := range labels {
		to[i].Committed = bar.Add
		if err := t.takeStream(ctx, to[i], streams[label]); err != nil {
			return err
		}
	}
	return nil
}

// takeStream imports the files of a stream.
func (t *treeImport) takeStream(ctx context.Context, o importer.Options, files []*treeFile) (err error) {
	if !slices.ContainsFunc(files, func(f *treeFile) bool { return f.fate == planned }) {
		return nil
	}
	im, err := importer.Open(ctx, o)
	if err != nil {
		return err
	}
	defer func() {
		_, closing := im.Close()
		if !errors.Is(err, closing) {
			err = errors.Join(err, closing)
		}
	}()
	for _, f := range files { // again, because what a crash left is footage now
		if f.fate != planned {
			continue
		}
		pieces, err := im.Covered(ctx, f.Span)
		if err != nil {
			return err
		}
		f.compare(pieces)
	}
	for _, f := range files {
		if f.fate != planned {
			continue
		}
		if err := ctx.Err(); err != nil {
			return err
		}
		// Once begun, a file is finished, so that it is there whole.
		if err := t.takeFile(context.WithoutCancel(ctx), im, f); err != nil {
			return err
		}
	}
	return nil
}

// takeFile imports a file, or the rest of a file that was begun before. It returns only errors after which nothing more can be imported.
func (t *treeImport) takeFile(ctx context.Context, im *importer.Importer, f *treeFile) error {
	var adding error
	err := Open(f.Path, nil, func(file *importer.File) error {
		start := f.Start
		if f.skip > 0 {
			at90k, ok := file.Skip(f.skip)
			if !ok {
				f.fate = thereAlready
				return nil
			}
			start = media.ToTime(media.FromTime(f.Start) + at90k)
		}
		adding = im.Add(ctx, file, start)
		return nil
	})
	if err = errors.Join(err, adding); err != nil {
		f.leave("%v", reasonOf(err, f.Path))
	} else if f.fate == planned {
		f.fate = taken
	}
	if errors.Is(adding, importer.ErrSource) {
		return nil
	}
	return adding
}
