package footage

import (
	"context"
	"fmt"
	"slices"
	"time"

	"nvrfs/camera"
)

// A Camera says what footage to make of one stream.
type Camera struct {
	Name            string        // of the camera: "front-door"
	Stream          string        // empty means main
	Start           time.Time     // wall time of the first frame
	Duration        time.Duration // of the footage, gaps included; for Make. It ends with the GOP that reaches it
	RecordingLength time.Duration // 0 means a minute
	Gaps            []Gap         // by At
	Clip            *camera.Clip  // nil means the built-in one
	// Turns are more clips of the same times, whose parameter sets differ from those of Clip: GOPs are taken from Clip and each of
	// them in turn.
	Turns   []*camera.Clip
	Tiny    bool // samples of a few bytes at the times of the clip
	MuLaw   bool // the sound is mu-law, as MuLaw makes it, instead of that of the clip
	NoAudio bool
	Grow    bool // leave the last recording growing, as while a recorder runs
}

// A Gap is a span of time without footage.
type Gap struct {
	At  time.Duration // since Camera.Start; it begins with the first sync sample from then on
	For time.Duration
}

// Make makes the footage of cameras in a data directory, in which there may be some already.
func Make(ctx context.Context, dataDir string, cameras ...Camera) error {
	for _, c := range cameras {
		if err := c.make(ctx, dataDir); err != nil {
			return fmt.Errorf("make footage of %s: %w", c.Name, err)
		}
	}
	return nil
}

func (c Camera) make(ctx context.Context, dataDir string) (err error) {
	g, err := NewGrower(ctx, dataDir, c)
	if err != nil {
		return err
	}
	defer g.Close() //nolint:errcheck // what was made is committed
	gaps := slices.Clone(c.Gaps)
	for g.next().Sub(c.Start) < c.Duration {
		if err := ctx.Err(); err != nil {
			return err
		}
		if len(gaps) > 0 && g.next().Sub(c.Start) >= gaps[0].At {
			if err := g.gap(gaps[0].For, "a gap was asked for"); err != nil {
				return err
			}
			gaps = gaps[1:]
			continue
		}
		if err := g.append(); err != nil {
			return err
		}
	}
	if !c.Grow {
		if err := g.end("the footage ends"); err != nil {
			return err
		}
	}
	return g.commit(ctx)
}
