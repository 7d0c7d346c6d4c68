package main

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

	"nvrfs/config"
	"nvrfs/media"
	"nvrfs/recorder/importer"
	"nvrfs/schema"
)

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
	importPlan
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

// A treeImport imports what there is in trees of files, as far as it can.
type treeImport struct {
	*importing
	cfg   *config.Config
	names treeNames
	files []*treeFile
	recs  int64 // recordings that were made
}

// runTree imports trees, or says what it would take of them.
func (im *importing) runTree(ctx context.Context, paths []string) error {
	cfg, err := im.configuration()
	if err != nil {
		return err
	}
	if !im.dryRun {
		if err := im.checkData(cfg.Data); err != nil {
			return err
		}
	}
	t := &treeImport{importing: im, cfg: cfg}
	if t.names, err = newTreeNames(im, cfg.Timezone); err != nil {
		return err
	}
	if err := t.gather(ctx, paths); err != nil {
		return err
	}
	if err := t.names.read(ctx, t.files); err != nil {
		return err
	}
	if err := t.measure(ctx); err != nil {
		return err
	}
	streams := t.streams()
	if err := t.compare(ctx, streams); err != nil {
		return err
	}
	if !im.dryRun {
		err = t.take(ctx, streams)
	}
	if err == nil || interrupted(ctx, err) || t.recs > 0 {
		err = errors.Join(err, t.report())
	}
	if n := t.count(left); err == nil && n > 0 {
		err = fmt.Errorf("%s of %d not taken, for the reasons in the table", counted(n, "file"), len(t.files))
	}
	return err
}

// Endings of names. Files of others are passed over.
var (
	mp4Endings   = []string{".mp4", ".mov", ".m4v"}
	otherEndings = []string{".mkv", ".avi", ".ts", ".m2ts", ".mts", ".dav", ".flv", ".ubv", ".bvr", ".264", ".h264", ".265", ".h265", ".ps", ".mpg", ".mpeg", ".wmv", ".asf", ".webm", ".3gp"}
)

// gather lists the files.
func (t *treeImport) gather(ctx context.Context, paths []string) error {
	for _, root := range paths {
		root, err := absolute(root)
		if err != nil {
			return err
		}
		err = filepath.WalkDir(root, func(path string, d fs.DirEntry, err error) error {
			if ended := ctx.Err(); ended != nil {
				return ended
			}
			f := &treeFile{importPlan: importPlan{path: path}}
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
		return usageErrorf("there is no .mp4 file in %s", strings.Join(paths, ", "))
	}
	slices.SortStableFunc(t.files, func(a, b *treeFile) int { return strings.Compare(a.path, b.path) })
	t.files = slices.CompactFunc(t.files, func(a, b *treeFile) bool { return a.path == b.path })
	return nil
}

// measure reads the tables of the files, and leaves out those that cannot be read or overlap one before them.
func (t *treeImport) measure(ctx context.Context) error {
	bar := t.env.newCountProgress("reading", int64(len(t.files)))
	defer bar.Close()
	for _, f := range t.files {
		if err := ctx.Err(); err != nil {
			return err
		}
		bar.Add(1)
		if f.fate == left {
			continue
		}
		err := t.open(f.path, func(why string) { f.parts = append(f.parts, why) }, func(file *importer.File) (err error) {
			f.span, f.bytes, err = file.Measure(f.start)
			return err
		})
		if err != nil {
			f.leave("%v", reasonOf(err, f.path))
		}
	}
	for _, files := range t.streams() {
		last := files[0]
		for _, f := range files[1:] {
			if last.span.Overlaps(f.span) {
				f.leave("it overlaps %s", last.path)
			} else if f.span.To90k > last.span.To90k {
				last = f
			}
		}
	}
	return nil
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
		slices.SortStableFunc(files, func(a, b *treeFile) int { return cmp.Compare(a.span.From90k, b.span.From90k) })
	}
	return streams
}

// compare says of each file whether it is there already, of which nothing is changed.
func (t *treeImport) compare(ctx context.Context, streams map[string][]*treeFile) error {
	info, err := os.Stat(filepath.Join(t.cfg.Data, schema.FileName))
	if errors.Is(err, fs.ErrNotExist) || err == nil && info.Size() == 0 { // of an import that was cut off at its very beginning
		return nil
	}
	if err != nil {
		return err
	}
	db, err := schema.OpenReadOnly(ctx, t.cfg.Data)
	if err != nil {
		return err
	}
	defer db.Close() //nolint:errcheck // read only: nothing can be lost
	known, err := db.Streams(ctx)
	if err != nil {
		return err
	}
	for _, s := range known {
		for _, f := range streams[s.Label()] {
			pieces, err := importer.Covered(ctx, db, s.ID, f.span)
			if err != nil {
				return err
			}
			f.compare(pieces)
		}
	}
	return nil
}

// compare says what is missing of a file, of whose time there are pieces of footage.
func (f *treeFile) compare(pieces []importer.Span) {
	switch missing, from90k := importer.MissingIn(f.span, pieces); missing {
	case importer.Nothing:
		f.fate = thereAlready
	case importer.Rest:
		f.skip = from90k - f.span.From90k
	case importer.Pieces:
		f.leave("there is other footage of its camera in a part of its time")
	}
}

// take imports the files, stream after stream.
func (t *treeImport) take(ctx context.Context, streams map[string][]*treeFile) error {
	total := int64(0)
	var to []importer.Options
	labels := slices.Sorted(maps.Keys(streams))
	need := map[string][]importPlan{} // by directory
	for _, label := range labels {
		camera, stream, err := splitLabel(label)
		if err != nil {
			return err
		}
		var plans []importPlan
		for _, f := range streams[label] {
			if f.fate == planned {
				plans, total = append(plans, f.importPlan), total+f.bytes
			}
		}
		o := t.options(t.cfg, camera, stream, plans)
		to, need[o.Samples] = append(to, o), append(need[o.Samples], plans...)
	}
	for i := range to {
		if err := checkRoom(to[i], need[to[i].Samples]); err != nil {
			return err
		}
	}
	bar := t.env.newByteProgress("importing", total)
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
		return explainAway(err)
	}
	defer func() {
		sum, closing := im.Close()
		t.recs += sum.Recordings
		if !errors.Is(err, closing) {
			err = errors.Join(err, closing)
		}
	}()
	for _, f := range files { // again, because what a crash left is footage now
		if f.fate != planned {
			continue
		}
		pieces, err := im.Covered(ctx, f.span)
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

// takeFile imports a file, or the rest of one that was begun before. An error is one after which nothing more can be imported.
func (t *treeImport) takeFile(ctx context.Context, im *importer.Importer, f *treeFile) error {
	var adding error
	err := t.open(f.path, nil, func(file *importer.File) error {
		start := f.start
		if f.skip > 0 {
			at90k, ok := file.Skip(f.skip)
			if !ok {
				f.fate = thereAlready
				return nil
			}
			start = media.ToTime(media.FromTime(f.start) + at90k)
		}
		adding = im.Add(ctx, file, start)
		return nil
	})
	if err = errors.Join(err, adding); err != nil {
		f.leave("%v", reasonOf(err, f.path))
	} else if f.fate == planned {
		f.fate = taken
	}
	if errors.Is(adding, importer.ErrSource) {
		return nil
	}
	return adding
}

func (t *treeImport) count(what fate) (n int64) {
	for _, f := range t.files {
		if f.fate == what {
			n++
		}
	}
	return n
}

// layoutNames lists the layouts, and layoutsHelp says what each is like.
func layoutNames() (names []string) {
	for _, l := range importer.Layouts {
		names = append(names, l.Name)
	}
	return names
}

func layoutsHelp() string {
	var help strings.Builder
	for _, l := range importer.Layouts {
		fmt.Fprintf(&help, "  %-10s %s\n", l.Name, strings.ReplaceAll(l.About, ", ", ",\n             "))
	}
	return help.String()
}
