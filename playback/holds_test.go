package playback_test

import (
	"errors"
	"testing"
	"time"

	"nvrfs/playback"
)

// TestHolds adds, lists and removes holds through a view of everything, and one of one camera.
func TestHolds(t *testing.T) {
	_, all, one := twoCameras(t)
	ctx, at := t.Context(), time.Date(2026, 11, 20, 14, 0, 10, 0, time.UTC)
	ids := map[string]int64{}
	for _, label := range []string{"cam", "secret"} {
		h, err := all.AddHold(ctx, playback.Hold{Stream: label, Start: at, End: at.Add(time.Minute), Why: "fox", Created: at.Add(time.Hour)})
		if err != nil || !h.Start.Equal(at) || h.ID == 0 {
			t.Fatal(h, err)
		}
		ids[label] = h.ID
	}
	labels := func(v *playback.View) (labels []string) {
		holds, err := v.Holds(ctx)
		if err != nil {
			t.Fatal(err)
		}
		for _, h := range holds {
			if !h.Start.Equal(at) || !h.End.Equal(at.Add(time.Minute)) || !h.Created.Equal(at.Add(time.Hour)) || h.Why != "fox" || h.ID != ids[h.Stream] {
				t.Errorf("%+v", h)
			}
			labels = append(labels, h.Stream)
		}
		return labels
	}
	if got := labels(all); len(got) != 2 || got[0] != "cam" || got[1] != "secret" {
		t.Errorf("holds of %q", got)
	}
	if got := labels(one); len(got) != 1 || got[0] != "cam" {
		t.Errorf("a view of cam sees holds of %q", got)
	}
	if _, err := one.AddHold(ctx, playback.Hold{Stream: "secret", Start: at, End: at.Add(time.Minute), Why: "x", Created: at}); !errors.Is(err, playback.ErrNotFound) {
		t.Errorf("a view of cam holds the other: %v", err)
	}
	for _, id := range []int64{ids["secret"], 77} {
		if err := one.RemoveHold(ctx, id); !errors.Is(err, playback.ErrNoHold) {
			t.Errorf("a view of cam removes hold %d: %v", id, err)
		}
	}
	if err := all.RemoveHold(ctx, ids["secret"]); err != nil {
		t.Error(err)
	}
	if got := labels(all); len(got) != 1 {
		t.Errorf("afterwards, holds of %q", got)
	}
}
