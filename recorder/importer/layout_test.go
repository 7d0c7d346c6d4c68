package importer

import (
	"strings"
	"testing"
)

func TestLayouts(t *testing.T) {
	const local, utc, unsaid = "2026-11-20T14:03:10 local", "2026-11-20T14:03:10 UTC", "2026-11-20T14:03:10 unsaid"
	for _, c := range []struct{ layout, path, camera, stream, root, clock string }{
		{"frigate", "/media/frigate/recordings/2026-11-20/14/front_door/03.10.mp4", "front_door", "", "/media/frigate/recordings/", utc},
		{"frigate", "/r/2026-11/20/14/front/03.10.mp4", "front", "", "/r/", unsaid},
		{"frigate", "/r/2026-11-20/14/03.10.mp4", "", "", "", ""},
		{"mediamtx", "/recordings/live/a/2026-11-20_14-03-10-000000.mp4", "a", "", "/recordings/live/", unsaid},
		{"dahua", "/ftp/IPC/2026-11-20/001/dav/14/14.03.10-14.05.00[R][0@0][0].mp4", "", "", "/ftp/IPC/", local},
		{"dahua", "/x/2026-11-20/14.03.10-14.05.00[M][0@0][0].mp4", "", "", "/x/", local},
		{"dahua", "NVR_ch1_main_20261120140310_20261120140500.mp4", "ch1", "main", "", local},
		{"dahua", "/x/XVR_ch12_sub_20261120140310_20261120140500.mp4", "ch12", "sub", "/x/", local},
		{"hikvision", "/x/192.168.0.64_01_20261120140310000_TIMING.mp4", "192.168.0.64_01", "", "/x/", local},
		{"unifi", "/x/E063DA3FEC8C_0_rotating_2026-11-20T14.03.10Z.mp4", "E063DA3FEC8C", "main", "/x/", utc},
		{"unifi", "/x/E063DA3FEC8C_2_rotating_2026-11-20T14.03.10Z.mp4", "E063DA3FEC8C", "sub", "/x/", utc},
		{"wyze", "/sd/record/20261120/14/03.mp4", "", "", "/sd/record/", "2026-11-20T14:03:00 local"},
		{"reolink", "/ftp/2026/11/20/RLC-410W_01_20261120140310.mp4", "RLC-410W_01", "", "/ftp/2026/11/20/", local},
		{"reolink", "/sd/Mp4Record/2026-11-20/RecM01_20261120_140310_140500_6D28808_1A468F9.mp4", "", "main", "/sd/Mp4Record/2026-11-20/", local},
		{"reolink", "/sd/RecS02_DST20261120_140310_140500_2B14808_32F1DF.mp4", "", "sub", "/sd/", local + " summer"},
		{"synology", "/v/front/20261120PM/front-20261120-150310-1795183390.mp4", "front", "", "/v/front/20261120PM/", "2026-11-20T14:03:10 UTC"},
		{"synology", "/v/Cam 120261120-150310-1795183390.mp4", "Cam 1", "", "/v/", "2026-11-20T14:03:10 UTC"},
		{"blueiris", "/New/front.20261120_140310.mp4", "front", "", "/New/", local},
		{"blueiris", "/New/front.20261120_140310.1.MP4", "front", "", "/New/", local},
		{"blueiris", "/New/front.20261131_140310.mp4", "", "", "", ""},
		{"blueiris", "/New/front.20261120_240310.mp4", "", "", "", ""},
		{"blueiris", "/New/front.20261120_140310.bvr", "", "", "", ""},
		{"{camera}/%Y-%m-%d/%H/%M.%S.mp4", "/x/hall/2026-11-20/14/03.10.mp4", "hall", "", "/x/", local},
		{"/%d.%m.%y %I-%M-%S %p {camera}", "/x/20.11.26 02-03-10 PM hall.mov", "hall", "", "/x/", local},
		{"%d.%m.%y %I-%M %p", "20.11.26 12-03 AM.m4v", "", "", "", "2026-11-20T00:03:00 local"},
		{"a%%b/?/%Y%m%d/%Y%m%dT%H%M%S.%f%z", "/x/a%b/1/20261120/20261120T150310.5+0100.mp4", "", "", "/x/", "2026-11-20T14:03:10.5 UTC"},
		{"%Y-%m-%dT%H:%M:%S%z", "2026-11-20T08:33:10-05:30.mp4", "", "", "", "2026-11-20T14:03:10 UTC"},
	} {
		var l Layout
		for _, known := range Layouts {
			if known.Name == c.layout {
				l = known
			}
		}
		if l.Name == "" {
			p, err := NewPattern(c.layout)
			if err != nil {
				t.Error(err)
				continue
			}
			l.Patterns = []Pattern{p}
		}
		n, ok := l.Read(c.path)
		if !ok {
			n.Root = ""
		}
		if ok != (c.clock != "") {
			t.Errorf("%s: %s fits: %t", c.layout, c.path, ok)
			continue
		}
		clock := ""
		if ok {
			clock = n.Clock.Format("2006-01-02T15:04:05.999") + " " + []string{"local", "UTC", "unsaid"}[n.Zone]
			if n.Summer {
				clock += " summer"
			}
		}
		if n.Camera != c.camera || n.Stream != c.stream || n.Root != c.root || clock != c.clock {
			t.Errorf("%s: %s is of %q.%q in %q at %s, want %q.%q in %q at %s", c.layout, c.path, n.Camera, n.Stream, n.Root, clock, c.camera, c.stream, c.root, c.clock)
		}
	}
}

func TestNewPatternRefuses(t *testing.T) {
	for pattern, want := range map[string]string{
		"%Y-%m-%d":            "does not say year, month, day and hour",
		"%Y-%m-%d_%I-%M":      "does not say year, month, day and hour",
		"%Y%m%d%H %q":         `"%q" is not known`,
		"{cam}/%Y%m%d%H":      `"{cam}" is not known`,
		"x***/%Y%m%d%H%M%S":   `"***" is not known`,
		"%Y%m%d%H%M%S***.mp4": `"***" is not known`,
	} {
		if _, err := NewPattern(pattern); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v, want something with %q", pattern, err, want)
		}
	}
}
