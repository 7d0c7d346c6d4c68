package main

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"text/tabwriter"
	"time"

	"github.com/spf13/cobra"

	"nvrfs/media"
	"nvrfs/recorder"
	"nvrfs/schema"
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
gets and however full the disk, until the hold is removed. Where only held
footage is left to delete, recording stops, and says so, rather than delete it.

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
			data, loc, err := from.locate(env)
			if err != nil {
				return err
			}
			db, err := schema.OpenExisting(cmd.Context(), data)
			if err != nil {
				return err
			}
			k := keeper{env: env, db: db, loc: loc, data: data}
			switch {
			case list:
				err = k.list(cmd.Context())
			case remove != 0:
				err = k.remove(cmd.Context(), remove)
			default:
				err = k.add(cmd.Context(), args, why)
			}
			return errors.Join(err, db.Close())
		},
	}
	from.add(cmd)
	cmd.Flags().StringVar(&why, "why", "", "the `TEXT` that says, later, what it is kept for")
	cmd.Flags().BoolVar(&list, "list", false, "list what is held")
	cmd.Flags().Int64Var(&remove, "remove", 0, "remove the hold of this `NUMBER`")
	cmd.MarkFlagsMutuallyExclusive("why", "list", "remove")
	return cmd
}

// keeper changes the holds of a database.
type keeper struct {
	env  *environment
	db   *schema.DB
	loc  *time.Location
	data string // directory
}

// written says that holds were changed, and has that written beside the sample files.
func (k *keeper) written(ctx context.Context) error {
	failed, err := recorder.WriteHolds(ctx, k.db, k.data)
	for path, err := range failed {
		k.env.log.Warn("what is held could not be written beside the sample files; a recorder does that once the disk is there", "path", path, "err", err)
	}
	return err
}

func (k *keeper) add(ctx context.Context, args []string, why string) error {
	if why == "" {
		return usageErrorf("what is it kept for? Say so, with: --why \"...\"")
	}
	s, err := k.stream(ctx, args[0])
	if err != nil {
		return err
	}
	now := k.env.now()
	start, err := parseTime(args[1], k.loc, now)
	if err != nil {
		return err
	}
	end, err := parseTime(args[2], k.loc, now)
	if err != nil {
		return err
	}
	if !start.Before(end) {
		return usageErrorf("END %s is not after START %s", withOffset(end.In(k.loc)), withOffset(start.In(k.loc)))
	}
	h := schema.Hold{Stream: s.ID, From90k: media.FromTime(start), To90k: media.FromTime(end), Why: why, Created90k: media.FromTime(now)}
	err = k.db.Write(ctx, func(tx *schema.Tx) error {
		var err error
		h.ID, err = tx.Hold(h)
		return err
	})
	if err == nil {
		fmt.Fprintf(k.env.stdout, "hold %d: %s from %s to %s\n", h.ID, args[0], k.local(h.From90k), k.local(h.To90k))
		err = k.written(ctx)
	}
	return err
}

// stream finds a stream by its label.
func (k *keeper) stream(ctx context.Context, label string) (schema.Stream, error) {
	streams, err := k.db.Streams(ctx)
	if err != nil {
		return schema.Stream{}, err
	}
	for _, s := range streams {
		if s.Label() == label {
			return s, nil
		}
	}
	return schema.Stream{}, usageErrorf("camera %s has no footage; see what there is with: nvrfs ls", label)
}

func (k *keeper) list(ctx context.Context) error {
	holds, err := k.db.Holds(ctx)
	if err != nil {
		return err
	}
	streams, err := k.db.Streams(ctx)
	if err != nil {
		return err
	}
	label := map[int64]string{}
	for _, s := range streams {
		label[s.ID] = s.Label()
	}
	w := tabwriter.NewWriter(k.env.stdout, 0, 0, 2, ' ', 0)
	fmt.Fprintln(w, "HOLD\tCAMERA\tFROM\tTO\tSINCE\tWHY\t")
	for _, h := range holds {
		fmt.Fprintf(w, "%d\t%s\t%s\t%s\t%s\t%s\t\n", h.ID, label[h.Stream], k.local(h.From90k), k.local(h.To90k), k.local(h.Created90k), strconv.Quote(h.Why))
	}
	return w.Flush()
}

func (k *keeper) remove(ctx context.Context, id int64) error {
	err := k.db.Write(ctx, func(tx *schema.Tx) error { return tx.RemoveHold(id) })
	if errors.Is(err, schema.ErrNoHold) {
		return usageErrorf("there is no hold %d; see them with: nvrfs keep --list", id)
	}
	if err == nil {
		fmt.Fprintf(k.env.stdout, "hold %d is removed\n", id)
		err = k.written(ctx)
	}
	return err
}

func (k *keeper) local(t90k int64) string {
	return media.ToTime(t90k).In(k.loc).Format(time.DateTime)
}
