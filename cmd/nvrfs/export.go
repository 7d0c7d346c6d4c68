package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	iofs "io/fs"
	"math/rand/v2"
	"os"
	"path/filepath"
	"time"

	"github.com/spf13/cobra"

	"nvrfs/cmd/nvrfs/clock"
	"nvrfs/playback"
)

func newExportCommand(env *environment) *cobra.Command {
	var from footageFlags
	var out string
	var force bool
	cmd := &cobra.Command{
		Use:   "export CAMERA START END",
		Short: "Write any range of footage as one .mp4",
		Long: `Write the frames of CAMERA from START to just before END as one .mp4 file,
joined across recordings and gaps. Nothing is re-encoded: the frames are those
of the camera. A CAMERA's stream NAME other than main is CAMERA.NAME. For the
forms of START and END: nvrfs ts --help

The file appears when it is whole; interrupted, nothing is left behind.`,
		Example: `  nvrfs export front-door "2026-11-20 14:03:10" "2026-11-20 14:05"
  nvrfs export --data ./demo/data demo -- -2m now
  nvrfs export front-door "yesterday 22:00" "today 06:00" -o night.mp4`,
		Args: wantArgs(3, 3, "CAMERA START END"),
		RunE: func(cmd *cobra.Command, args []string) error {
			ctx := cmd.Context()
			lib, err := from.open(ctx, env)
			if err != nil {
				return err
			}
			defer lib.Close() //nolint:errcheck // read only: nothing can be lost
			view := lib.View(nil)
			e, err := env.clip(ctx, view, args)
			if err != nil {
				return err
			}
			if out == "" {
				out = e.Stream().Label + "_" + e.Name
			}
			if err := env.writeClip(ctx, view, e, out, force); err != nil {
				return err
			}
			return env.sayExported(ctx, view, e, out)
		},
	}
	from.add(cmd)
	cmd.Flags().StringVarP(&out, "output", "o", "", "the `FILE` to write; - is standard output (default CAMERA_START--END.mp4 here)")
	_ = cmd.MarkFlagFilename("output", "mp4")
	cmd.Flags().BoolVar(&force, "force", false, "overwrite FILE when there is one")
	return cmd
}

// clip finds the range that the arguments CAMERA START END say.
func (env *environment) clip(ctx context.Context, view *playback.View, args []string) (*playback.Entry, error) {
	s, err := stream(ctx, view, args[0])
	if err != nil {
		return nil, err
	}
	now := env.now()
	start, err := parseTime(args[1], view.Location(), now)
	if err != nil {
		return nil, err
	}
	end, err := parseTime(args[2], view.Location(), now)
	if err != nil {
		return nil, err
	}
	if !start.Before(end) {
		return nil, usageErrorf("END %s is not after START %s", clock.WithOffset(end.In(view.Location())), clock.WithOffset(start.In(view.Location())))
	}
	e, err := view.Clip(ctx, s, start, end)
	if errors.Is(err, playback.ErrNotFound) {
		return nil, fmt.Errorf("export %s: there is no footage from %s to %s; see what there is with: nvrfs ls %s",
			s.Label, clock.WithOffset(start.In(view.Location())), clock.WithOffset(end.In(view.Location())), s.Label)
	}
	return e, err
}

// writeClip writes an entry to a file, or to standard output for "-".
func (env *environment) writeClip(ctx context.Context, view *playback.View, e *playback.Entry, out string, force bool) error {
	f, err := view.Open(ctx, e, "export")
	if err != nil {
		return err
	}
	defer f.Close()
	bar := env.newByteProgress("exporting", f.Size())
	defer bar.Close()
	src := io.TeeReader(contextReader{ctx, io.NewSectionReader(f, 0, f.Size())}, bar)
	if out == "-" {
		if env.stdoutTerminal {
			return usageErrorf("-o -: a terminal cannot show an .mp4; write to a file or a pipe")
		}
		_, err := io.CopyBuffer(env.stdout, onlyReader{src}, make([]byte, 1<<20))
		return explainAway(err)
	}
	return explainAway(writeWhole(out, force, src))
}

// writeWhole writes src to a file that has its name only when it is whole and synced.
func writeWhole(path string, force bool, src io.Reader) error {
	if _, err := os.Lstat(path); err == nil && !force {
		return usageErrorf("%s: there is a file of that name; choose another one, or add --force to overwrite it", path)
	}
	// 0o666 leaves it to the user's umask who may read it.
	name := fmt.Sprintf(".%s.%08x.part", filepath.Base(path), rand.Uint32())
	tmp, err := os.OpenFile(filepath.Join(filepath.Dir(path), name), os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o666)
	if err != nil {
		return fmt.Errorf("write %s: %w", path, err)
	}
	defer os.Remove(tmp.Name()) //nolint:errcheck // gone when all went well
	_, err = io.CopyBuffer(onlyWriter{tmp}, src, make([]byte, 1<<20))
	err = errors.Join(err, tmp.Sync(), tmp.Close())
	if err == nil && force {
		err = os.Rename(tmp.Name(), path)
	} else if err == nil {
		err = os.Link(tmp.Name(), path) // unlike Rename, it never overwrites
		if !errors.Is(err, iofs.ErrExist) && err != nil {
			err = os.Rename(tmp.Name(), path) // a filesystem without links
		}
	}
	if err != nil {
		return fmt.Errorf("write %s: %w", path, err)
	}
	return nil
}

// contextReader ends with the context.
type contextReader struct {
	ctx context.Context
	r   io.Reader
}

func (c contextReader) Read(p []byte) (int, error) {
	if err := c.ctx.Err(); err != nil {
		return 0, err
	}
	return c.r.Read(p)
}

// onlyReader and onlyWriter hide the shortcuts of io.Copy, so that the buffer given is used and the bar moves.
type (
	onlyReader struct{ io.Reader }
	onlyWriter struct{ io.Writer }
)

// sayExported says what was written, and what of the range there was not.
func (env *environment) sayExported(ctx context.Context, view *playback.View, e *playback.Entry, out string) error {
	info, err := view.Info(ctx, e)
	if errors.Is(err, playback.ErrStale) {
		info, err = &playback.Info{Start: e.Start, End: e.End, Bytes: e.Size}, nil
	}
	if err != nil {
		return err
	}
	if out == "-" {
		out = "standard output"
	}
	missing := time.Duration(0)
	for _, g := range info.Gaps {
		missing += g.End.Sub(g.Start)
	}
	gaps := ""
	if len(info.Gaps) > 0 {
		gaps = fmt.Sprintf("; gaps are left out: %d, of %v in all", len(info.Gaps), missing.Round(time.Second))
	}
	fmt.Fprintf(env.stderr, "%s: %s from %s to %s, %s%s\n", out, e.Stream().Label,
		info.Start.In(view.Location()).Format(time.DateTime), info.End.In(view.Location()).Format(time.DateTime), humanBytes(info.Bytes), gaps)
	return nil
}
