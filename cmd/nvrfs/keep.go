package main

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"text/tabwriter"
	"time"

	"github.com/spf13/cobra"

	"nvrfs/cmd/nvrfs/clock"
	"nvrfs/playback"
)

func newKeepCommand(env *environment) *cobra.Command {
	var from footageFlags
	var why string
	var list bool
	var remove int64
	cmd := &cobra.Command{
		Use:   "keep CAMERA START END --why TEXT",
		Short: "Keep footage from being deleted for its age or for space",
		Long: `Hold the footage of CAMERA from START to END: it is not deleted, however old it
gets and however full the disk, until the hold is removed. When only held
footage is left to delete, it is not deleted: recording stops, and the log says
so.

For the forms of START and END, see: nvrfs ts --help`,
		Example: `  nvrfs keep front-door "yesterday 14:00" "yesterday 15:00" --why "parcel thief"
  nvrfs keep --list
  nvrfs keep --remove 3`,
		Args: func(cmd *cobra.Command, args []string) error {
			if list || remove != 0 {
				return wantArgs(0, 0, "")(cmd, args)
			}
			return wantArgs(3, 3, "CAMERA START END")(cmd, args)
		},
		RunE: func(cmd *cobra.Command, args []string) error {
			lib, err := from.open(cmd.Context(), env)
			if err != nil {
				return err
			}
			k := keeper{env, lib.View(nil)}
			switch {
			case list:
				err = k.list(cmd.Context())
			case remove != 0:
				err = k.remove(cmd.Context(), remove)
			default:
				err = k.add(cmd.Context(), args, why)
			}
			return errors.Join(err, lib.Close())
		},
	}
	from.add(cmd)
	cmd.Flags().StringVar(&why, "why", "", "the `TEXT` that says, later, what it is kept for")
	cmd.Flags().BoolVar(&list, "list", false, "list the holds")
	cmd.Flags().Int64Var(&remove, "remove", 0, "remove the hold of this `NUMBER`")
	onlyOneOf(cmd, "why", "list", "remove")
	return cmd
}

// keeper changes the holds of footage.
type keeper struct {
	env  *environment
	view *playback.View
}

func (k *keeper) add(ctx context.Context, args []string, why string) error {
	if why == "" {
		return usageErrorf("what is it kept for? Say so, with: --why \"...\"")
	}
	now, loc := k.env.now(), k.view.Location()
	start, err := parseTime(args[1], loc, now)
	if err != nil {
		return err
	}
	end, err := parseTime(args[2], loc, now)
	if err != nil {
		return err
	}
	if !start.Before(end) {
		return usageErrorf("END %s is not after START %s", clock.WithOffset(end.In(loc)), clock.WithOffset(start.In(loc)))
	}
	h, err := k.view.AddHold(ctx, playback.Hold{Stream: args[0], Start: start, End: end, Why: why, Created: now})
	if errors.Is(err, playback.ErrNotFound) {
		return usageErrorf("camera %s has no footage; see what there is with: nvrfs ls", args[0])
	}
	if err == nil {
		fmt.Fprintf(k.env.stdout, "hold %d: %s from %s to %s\n", h.ID, h.Stream, k.local(h.Start), k.local(h.End))
	}
	return err
}

func (k *keeper) list(ctx context.Context) error {
	holds, err := k.view.Holds(ctx)
	if err != nil {
		return err
	}
	w := tabwriter.NewWriter(k.env.stdout, 0, 0, 2, ' ', 0)
	fmt.Fprintln(w, "HOLD\tCAMERA\tFROM\tTO\tSINCE\tWHY\t")
	for _, h := range holds {
		fmt.Fprintf(w, "%d\t%s\t%s\t%s\t%s\t%s\t\n", h.ID, h.Stream, k.local(h.Start), k.local(h.End), k.local(h.Created), strconv.Quote(h.Why))
	}
	return w.Flush()
}

func (k *keeper) remove(ctx context.Context, id int64) error {
	err := k.view.RemoveHold(ctx, id)
	if errors.Is(err, playback.ErrNoHold) {
		return usageErrorf("there is no hold %d; see them with: nvrfs keep --list", id)
	}
	if err == nil {
		fmt.Fprintf(k.env.stdout, "hold %d is removed\n", id)
	}
	return err
}

func (k *keeper) local(t time.Time) string { return t.In(k.view.Location()).Format(time.DateTime) }
