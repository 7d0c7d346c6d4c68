package clock

import (
	"strings"
	"testing"
)

func TestTimeInName(t *testing.T) {
	loc := berlin(t)
	const at = "2026-11-20T14:03:10+01:00"
	for _, c := range []struct{ path, want, err string }{
		{"2026-11-20_14-03-10.mp4", at, ""},
		{"/mnt/old/front-door_2026-11-20_14-03-10.mp4", at, ""},
		{"front-door_2026-11-20_14-03-10--14-05-00.mp4", at, ""},
		{"cam 2026-11-20 14.03.10.mp4", at, ""},
		{"2026-11-20T14:03:10.mp4", at, ""},
		{"RLC-410W_01_20261120140310.mp4", at, ""},
		{"20261120T140310.mp4", at, ""},
		{"Camera1.20261120_140310.1.mp4", at, ""},
		{"192.168.1.20_20261120-140310-0001.mp4", at, ""},
		{"20261120140310-20261120140410.mp4", at, ""},
		{"2026-11-20T13-03-10Z.mp4", at, ""},
		{"recordings/2026-11-20/14-03-10.mp4", at, ""},
		{"recordings/20261120/140310.mp4", at, ""},
		{"2025-01-01_00-00-00/2026-11-20_14-03-10.mp4", at, ""},
		{"cam_2026-10-25_02-30-00+0200.mp4", "2026-10-25T02:30:00+02:00", ""},
		{"cam_2026-10-25_02-30-00+0100.mp4", "2026-10-25T02:30:00+01:00", ""},
		{"cam_2026-10-25_02A-30-00+0200.mp4", "2026-10-25T02:30:00+02:00", ""},
		{"cam_2026-10-25_02B-30-00+0100.mp4", "2026-10-25T02:30:00+01:00", ""},
		{"cam_2026-10-25_02B-30-00.mp4", "2026-10-25T02:30:00+01:00", ""},
		{"cam_2026-10-25_02B01-30-00+0000.mp4", "2026-10-25T02:30:00+01:00", ""}, // of Troll
		{"cam_2026-11-01_01A-30-00-0400.mp4", "2026-11-01T06:30:00+01:00", ""},   // of New York
		{"cam_2026-10-25_02-30-00.mp4", "", "happens twice"},
		{"cam_2026-10-25_02-30-00-0001.mp4", "", "happens twice"},
		{"cam_2026-03-29_02-30-00.mp4", "", "does not exist"},
		{"cam_2026-13-20_14-03-10.mp4", "", "not a time"},
		{"cam_2026-11-20_24-03-10.mp4", "", "not a time"},
		{"front-door.mp4", "", "no time in its name"},
		{"2026-11-20.mp4", "", "no time in its name"},
		{"202611201403100.mp4", "", "no time in its name"},
		{"2026-11-20_14-03.mp4", "", "no time in its name"},
	} {
		got, err := InName(c.path, loc)
		switch {
		case c.err != "":
			if err == nil || !strings.Contains(err.Error(), c.err) || !strings.Contains(err.Error(), c.path) {
				t.Errorf("%s: %v, %v; want an error that says %q", c.path, got, err, c.err)
			}
		case err != nil || WithOffset(got.In(loc)) != c.want:
			t.Errorf("%s: %v, %v; want %s", c.path, got, err, c.want)
		}
	}
}
