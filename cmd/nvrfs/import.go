package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"
	"golang.org/x/sys/unix"

	"nvrfs/cmd/nvrfs/clock"
	"nvrfs/cmd/nvrfs/trees"
	"nvrfs/codec"
	"nvrfs/config"
	"nvrfs/media"
	"nvrfs/recorder/importer"
	"nvrfs/store/dir"
)

func newImportCommand(env *environment) *cobra.Command {
	im := importing{env: env}
	cmd := &cobra.Command{
		Use:   "import FILE|DIR... [--camera CAMERA]",
		Short: "Take .mp4 files of another recorder in as footage",
		Long: `Take .mp4 files in as footage of CAMERA, as if it had sent what is in them. They
are copied frame by frame, not re-encoded, and stay as they are. A CAMERA's
stream NAME other than main is CAMERA.NAME.

  video: ` + codec.Imported("or", media.Video) + `
  sound: ` + codec.Imported("or", media.Audio, media.RawAudio) + `

Each FILE begins at the time in its name, as local time: 2026-11-20_14-03-10,
20261120T140310 and the like, also with the date in the name of its directory.
With --start, the first FILE begins at that time, and the others follow without
a gap. For the forms of a time: nvrfs ts --help

Nothing may record into the data directory meanwhile. Nothing is imported when
one FILE cannot be read, or overlaps another or footage that is there by more
than two seconds. Interrupted, what was imported before stays.

Of a DIR, all files in it are taken that can be, and a table says which were
not, and why. Interrupted, it finishes the file under way; run again, it leaves
out what is there already. --layout says how a recorder names its files, and so
of which camera they are; CAMERA is then only needed where it does not say that,
or to rename: --camera FROM=CAMERA. The layouts, each with an example:

` + trees.LayoutsHelp() + `
--pattern is a layout of your own, which the end of a path must have: * stands
for anything in a name, ** for any directories; {camera}, {stream} (main or
sub); as of strftime %Y %y %m %d %H %I %p %M %S %z %s; and %f, a fraction of a
second. Times are those of --timezone, unless the layout says that they are in
UTC. Where a name does not tell which of two times is meant, it is asked, or the
file is not taken.`,
		Example: `  nvrfs import --camera front-door /mnt/old/front-door/*.mp4
  nvrfs import --layout frigate /media/frigate/recordings --dry-run
  nvrfs import --pattern '{camera}/%Y-%m-%d/%H/%M.%S' --timezone UTC /mnt/old
  nvrfs import --camera barn --start "2026-11-20 14:03:10" barn.mp4
  nvrfs import --camera test --start 2026-01-01 --repeat 1440 minute.mp4`,
		Args: wantArgs(1, -1, "FILE, an .mp4, or DIR"),
		ValidArgsFunction: func(*cobra.Command, []string, string) ([]string, cobra.ShellCompDirective) {
			return []string{"mp4", "mov", "m4v"}, cobra.ShellCompDirectiveFilterFileExt
		},
		RunE: func(cmd *cobra.Command, args []string) error {
			return explainLocked(im.start(cmd.Context(), args))
		},
	}
	im.from.add(cmd)
	cmd.Flags().StringArrayVar(&im.cameras, "camera", nil, "the `CAMERA` whose footage it becomes, which may be a new one; FROM=CAMERA renames that of a layout")
	cmd.Flags().StringVar(&im.first, "start", "", "the `TIME` of the first picture of the first FILE (default that in each FILE's name)")
	cmd.Flags().Int64Var(&im.laps, "repeat", 1, "play the one FILE this `NUMBER` of times, end to end")
	cmd.Flags().StringVar(&im.layout, "layout", "", "the `RECORDER` whose names the files have")
	_ = cmd.RegisterFlagCompletionFunc("layout", cobra.FixedCompletions(trees.LayoutNames(), cobra.ShellCompDirectiveNoFileComp))
	cmd.Flags().StringVar(&im.pattern, "pattern", "", "the `PATTERN` of the names")
	addChoice(cmd, cmd.Flags(), &im.repeated, "repeated-hour", "which of the two hours is meant when the clocks are set back", "first", "second")
	cmd.Flags().BoolVar(&im.dryRun, "dry-run", false, "say what would be taken, and take nothing")
	cmd.Flags().BoolVar(&im.json, "json", false, "print JSON, for scripts")
	onlyOneOf(cmd, "layout", "pattern")
	return cmd
}

// importing is one run of the command.
type importing struct {
	env     *environment
	from    footageFlags
	cameras []string
	first   string // when the first file begins
	laps    int64

	label string // of files alone: the stream whose footage they become

	// Of trees.
	layout, pattern string
	repeated        choice
	dryRun, json    bool
}

// start imports files that are named one by one, all or none of them, or as many files of trees as can be imported.
func (im *importing) start(ctx context.Context, paths []string) error {
	tree := im.layout != "" || im.pattern != "" || im.dryRun || im.json || im.repeated.value != ""
	for _, path := range paths {
		info, err := os.Stat(path)
		tree = tree || err == nil && info.IsDir()
	}
	if !tree {
		return im.run(ctx, paths)
	}
	if im.first != "" || im.laps != 1 {
		return usageErrorf("--start and --repeat are for FILEs alone, without a DIR, a layout, --dry-run or --json")
	}
	return im.trees(ctx, paths)
}

func (im *importing) run(ctx context.Context, paths []string) error {
	if len(im.cameras) > 1 {
		return usageErrorf("FILEs alone become footage of one camera, and --camera names %d", len(im.cameras))
	}
	im.label = strings.Join(im.cameras, "")
	if im.label == "" {
		return usageErrorf("whose footage is it? Name the camera, with: --camera CAMERA")
	}
	name, stream, err := trees.SplitLabel(im.label)
	if err != nil {
		return usageErrorf("--camera %s: %w", im.label, err)
	}
	if im.laps != 1 && len(paths) > 1 {
		return usageErrorf("--repeat repeats one FILE, and %d are named", len(paths))
	}
	cfg, err := im.configuration()
	if err != nil {
		return err
	}
	if err := im.checkData(cfg.Data); err != nil {
		return err
	}
	plans, err := im.plan(ctx, paths, cfg.Timezone)
	if err != nil {
		return err
	}
	o := im.options(cfg, name, stream, plans)
	if err := checkRoom(o, plans); err != nil {
		return err
	}
	return im.all(ctx, o, plans, cfg.Timezone)
}

// configuration returns what the flags say, with an absolute data directory.
func (im *importing) configuration() (*config.Config, error) {
	cfg, err := im.from.configuration(im.env)
	if err != nil {
		return nil, err
	}
	cfg.Data, err = absolute(cfg.Data)
	return cfg, err
}

// checkData refuses a data directory into which nothing can be imported now.
func (im *importing) checkData(data string) error {
	if err := im.env.host.checkDataDir(data, true); err != nil {
		return err
	}
	return dir.CheckUnlocked(data)
}

// options returns where footage of a stream belongs. It warns of what would be deleted as soon as the recorder runs.
func (im *importing) options(cfg *config.Config, camera, stream string, plans []importer.Plan) importer.Options {
	o := importer.Options{Data: cfg.Data, Camera: camera, Stream: stream, Length: cfg.Recording.Length, Log: im.env.log}
	for _, c := range cfg.Cameras {
		if c.Name == camera {
			s, ok := c.Stream(stream)
			if !ok && len(c.Streams) > 0 {
				s = c.Streams[0]
			}
			o.Samples = s.Samples
			im.warnOfAge(s, plans)
		}
	}
	return o
}

// plan looks at all files, and says when each is to start. It reads no sample.
func (im *importing) plan(ctx context.Context, paths []string, loc *time.Location) (plans []importer.Plan, err error) {
	var next time.Time
	if im.first != "" {
		if next, err = parseTime(im.first, loc, im.env.now()); err != nil {
			return nil, err
		}
	}
	for _, path := range paths {
		if err := ctx.Err(); err != nil {
			return nil, err
		}
		p := importer.Plan{Path: path, Start: next}
		if im.first == "" {
			if p.Start, err = clock.InName(path, loc); err != nil {
				return nil, &usageError{err}
			}
		}
		err := im.open(path, im.warnOfTracks(path), func(f *importer.File) (err error) {
			p.Span, p.Bytes, err = f.Measure(p.Start)
			return err
		})
		if err != nil {
			return nil, usageErrorf("%w", err)
		}
		next = media.ToTime(p.Span.To90k)
		plans = append(plans, p)
	}
	slices.SortStableFunc(plans, func(a, b importer.Plan) int { return a.Start.Compare(b.Start) })
	for i := range plans[1:] {
		if a, b := plans[i], plans[i+1]; a.Span.Overlaps(b.Span) {
			return nil, usageErrorf("%s, which lasts until %s, and %s, which begins at %s, overlap; "+
				"leave one of them out, or say when they begin with --start, one by one",
				a.Path, localTime(a.Span.To90k, loc), b.Path, localTime(b.Span.From90k, loc))
		}
	}
	return plans, nil
}

func localTime(t90k int64, loc *time.Location) string {
	return media.ToTime(t90k).In(loc).Round(time.Millisecond).Format("2006-01-02T15:04:05.999-07:00")
}

// warnOfTracks returns what logs what is left out of a file.
func (im *importing) warnOfTracks(path string) func(why string) {
	return func(why string) { im.env.log.Warn("a part of the file is not imported", "path", path, "reason", why) }
}

// open opens a file, with its laps, and passes it to f.
func (im *importing) open(path string, tell func(why string), f func(*importer.File) error) error {
	return trees.Open(path, tell, func(file *importer.File) error {
		file.Laps = im.laps
		return f(file)
	})
}

// warnOfAge says when footage would be deleted as soon as the recorder runs. There are no plans when all of it is there already.
func (im *importing) warnOfAge(s config.Stream, plans []importer.Plan) {
	if len(plans) == 0 {
		return
	}
	if age := im.env.now().Sub(plans[0].Start); s.Retain.Age > 0 && age > s.Retain.Age {
		im.env.log.Warn("the footage is older than its camera keeps it, so nvrfs run deletes it when it starts",
			"path", plans[0].Path, "reason", "retain of the camera keeps "+s.Retain.Age.String(), "do", "before you start nvrfs run, hold the footage with nvrfs keep, or raise days of retain")
	}
}

// checkRoom refuses what the disk has no room for.
func checkRoom(o importer.Options, plans []importer.Plan) error {
	dir := o.Data
	if o.Samples != "" {
		dir = o.Samples
	}
	var st unix.Statfs_t
	if err := unix.Statfs(dir, &st); err != nil {
		return nil // it is still to be made
	}
	need, free := int64(0), int64(st.Bavail)*st.Bsize
	for _, p := range plans {
		need += p.Bytes + p.Bytes/100 // and the headers of fragments
	}
	if need > free {
		why := fmt.Sprintf("has %s free, and the footage takes %s", humanBytes(free), humanBytes(need))
		return &environmentError{"directory " + dir, why, "free space, or import less"}
	}
	return nil
}

// all imports what is planned.
func (im *importing) all(ctx context.Context, o importer.Options, plans []importer.Plan, loc *time.Location) (err error) {
	total := int64(0)
	for _, p := range plans {
		total += p.Bytes
	}
	bar := im.env.newByteProgress("importing", total)
	defer bar.Close()
	o.Committed = bar.Add
	to, err := importer.Open(ctx, o)
	if err != nil {
		return explainAway(err)
	}
	err = im.each(ctx, to, plans, loc)
	sum, closing := to.Close()
	bar.Close()
	if sum.Recordings > 0 {
		fmt.Fprintf(im.env.stdout, "%s: %s, %s, from %s to %s\n", im.label, counted(sum.Recordings, "recording"), humanBytes(sum.Bytes),
			localTime(plans[0].Span.From90k, loc), localTime(sum.To90k, loc))
	}
	if errors.Is(err, closing) {
		return err
	}
	return errors.Join(err, closing)
}

func (im *importing) each(ctx context.Context, to *importer.Importer, plans []importer.Plan, loc *time.Location) error {
	for _, p := range plans {
		there, ok, err := to.Existing(ctx, p.Span)
		if err != nil {
			return err
		}
		if ok {
			return usageErrorf("%s: there is footage of %s already from %s to %s, and nothing was imported; "+
				"leave the file out, or give it another --start or --camera",
				p.Path, im.label, localTime(there.From90k, loc), localTime(there.To90k, loc))
		}
	}
	for _, p := range plans {
		err := im.open(p.Path, nil, func(f *importer.File) error { return to.Add(ctx, f, p.Start) })
		if err != nil {
			return err
		}
	}
	return nil
}
