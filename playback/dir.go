package playback

import "context"

// Names in the tree that are not those of footage.
const (
	hiddenName = ".nvrfs" // the directory of the root that is not listed
	clipsName  = "clips"
	daysName   = "days"
	infoName   = "info"
	readmeName = "README.txt"
	statusName = "status.json"
	infoSuffix = ".json" // behind the name of an entry
)

// kind says which sort of directory or file of the tree something is.
type kind uint8

const (
	rootDir    kind = iota + 1
	hiddenDir       // .nvrfs
	clipsDir        // .nvrfs/clips: has a directory for each stream
	daysDir         // .nvrfs/days: has a directory for each stream
	infoDir         // .nvrfs/info: has a directory for each stream
	clipFiles       // .nvrfs/clips/front-door: has a file for every range that there is a name for, and lists none of them
	dayFiles        // .nvrfs/days/front-door: has a file for each day
	streamDir       // front-door: has a directory for each day
	dayDir          // front-door/2026-11-20: has a directory for each hour
	hourDir         // front-door/2026-11-20/14: has the entries
	entryFile       // in an hour
	readmeFile      // .nvrfs/README.txt
	statusFile      // .nvrfs/status.json
)

// A Dir is a directory of the tree that the mount and HTTP show. It is a value that says where the directory is; View.List and
// View.Find say what is in it. The zero Dir is none.
//
//	/front-door/2026-11-20/14/                                             its entries
//	/.nvrfs/info/front-door/2026-11-20/14/                                 what each of them is made of
//	/.nvrfs/clips/front-door/, /.nvrfs/days/front-door/                    any range, and whole days
type Dir struct {
	kind   kind
	info   bool // of a streamDir, dayDir or hourDir: in .nvrfs/info, where files say what entries are made of
	stream Stream
	day    Span
	hour   Span
}

// Root is the root of the tree.
func Root() Dir { return Dir{kind: rootDir} }

// Path is the path of the directory, with a slash before each name. The path of the root is empty.
func (d Dir) Path() string {
	if d.kind == rootDir {
		return ""
	}
	return d.Parent().Path() + "/" + d.Name()
}

// Name is the last name of the path.
func (d Dir) Name() string {
	switch d.kind {
	case hiddenDir:
		return hiddenName
	case clipsDir:
		return clipsName
	case daysDir:
		return daysName
	case infoDir:
		return infoName
	case clipFiles, dayFiles, streamDir:
		return d.stream.Label
	case dayDir:
		return d.day.Name
	case hourDir:
		return d.hour.Name
	}
	return ""
}

// Parent is the directory that d is in. The parent of the root is the root.
func (d Dir) Parent() Dir {
	switch d.kind {
	case clipsDir, daysDir, infoDir:
		return Dir{kind: hiddenDir}
	case clipFiles:
		return Dir{kind: clipsDir}
	case dayFiles:
		return Dir{kind: daysDir}
	case streamDir:
		if d.info {
			return Dir{kind: infoDir}
		}
	case dayDir:
		return Dir{kind: streamDir, info: d.info, stream: d.stream}
	case hourDir:
		return Dir{kind: dayDir, info: d.info, stream: d.stream, day: d.day}
	}
	return Root()
}

// Span is the day or hour that is in the directory; ok is false for the other directories.
func (d Dir) Span() (span Span, ok bool) {
	switch d.kind {
	case dayDir:
		return d.day, true
	case hourDir:
		return d.hour, true
	}
	return span, false
}

// Fixed reports whether the directory always has the same names in it.
func (d Dir) Fixed() bool { return d.kind == hiddenDir }

// A Ref says where a directory or file of the tree is. It is small and has no pointers, so that hundreds of thousands can be
// remembered; View.At finds it again. Clips and whole days have none, which is the zero Ref.
type Ref struct {
	from90k int64 // of the day or hour
	order   int64 // of an entry in its hour: its Order
	stream  int32
	kind    kind
	info    bool
}

// Ref returns where the directory is.
func (d Dir) Ref() Ref {
	r := Ref{kind: d.kind, info: d.info}
	if d.stream != (Stream{}) {
		r.stream = d.stream.ID()
	}
	if span, ok := d.Span(); ok {
		r.from90k = span.From90k
	}
	return r
}

// Hour returns the Ref of the directory of the hour that a file is in; ok is false if r is not in an hour.
func (r Ref) Hour() (hour Ref, ok bool) {
	if r.kind != entryFile {
		return hour, false
	}
	return Ref{from90k: r.from90k, stream: r.stream, kind: hourDir, info: r.info}, true
}

// IsFile reports whether the Ref leads to a file, rather than a directory.
func (r Ref) IsFile() bool { return r.kind >= entryFile }

// Hash is a number that few other Refs have.
func (r Ref) Hash() uint64 {
	h := uint64(r.from90k)<<20 ^ uint64(r.stream)<<5 ^ uint64(r.kind)<<1 ^ uint64(r.order)*0x9e3779b97f4a7c15
	if r.info {
		h++
	}
	return h
}

// refOf returns the Ref of an entry, or of its info file.
func refOf(e *Entry, info bool) Ref {
	from90k, ok := e.Hour()
	if !ok {
		return Ref{}
	}
	return Ref{from90k: from90k, order: e.Order, stream: e.stream.ID(), kind: entryFile, info: info}
}

// dirAt returns the directory at r, or if r is a file, the directory that the file is in.
func (v *View) dirAt(ctx context.Context, r Ref) (Dir, error) {
	d := Dir{kind: r.kind, info: r.info}
	switch r.kind {
	case rootDir, hiddenDir, clipsDir, daysDir, infoDir:
		return d, nil
	case readmeFile, statusFile:
		return Dir{kind: hiddenDir}, nil
	case 0:
		return d, ErrStale
	case entryFile:
		d.kind = hourDir
	}
	var err error
	if d.stream, err = v.StreamByID(ctx, r.stream); err != nil {
		return Dir{}, err
	}
	switch d.kind {
	case dayDir:
		d.day = v.l.DayAt(r.from90k)
	case hourDir:
		d.day, d.hour = v.l.DayAt(r.from90k), v.l.HourAt(r.from90k)
	}
	return d, nil
}

// Where returns the directory that r is in, and its name there.
func (v *View) Where(ctx context.Context, r Ref) (parent Dir, name string, err error) {
	d, err := v.dirAt(ctx, r)
	switch {
	case err != nil:
		return d, "", err
	case r.kind == readmeFile:
		return d, readmeName, nil
	case r.kind == statusFile:
		return d, statusName, nil
	case r.kind != entryFile:
		return d.Parent(), d.Name(), nil
	}
	name = v.l.NameAt(d.stream, d.hour, r.order)
	if r.info {
		name += infoSuffix
	}
	return d, name, nil
}

// Hours returns the two directories of the hour that a change is in: with its entries, and with their info files.
func (c *Change) Hours() [2]Dir {
	d := Dir{kind: hourDir, stream: c.Stream, day: c.Day, hour: c.Hour}
	info := d
	info.info = true
	return [2]Dir{d, info}
}

// DayFile returns the directory and the name of the file of the whole day that a change is in.
func (c *Change) DayFile() (d Dir, name string) {
	return Dir{kind: dayFiles, stream: c.Stream}, dayFileName(c.Day)
}

// Listings returns the directories, except those of the hour, that may have more or fewer names after recordings were added or
// deleted.
func (c *Change) Listings() []Dir {
	dirs := []Dir{Root(), {kind: clipsDir}, {kind: daysDir}, {kind: infoDir}, {kind: dayFiles, stream: c.Stream}}
	for _, hour := range c.Hours() {
		dirs = append(dirs, hour.Parent(), hour.Parent().Parent())
	}
	return dirs
}

// dayFileName is the name of the file of a whole day.
func dayFileName(day Span) string { return day.Name + ".mp4" }
