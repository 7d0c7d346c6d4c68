package integration

import (
	"strings"
	"syscall"
	"testing"
	"time"

	"nvrfs/camera"
	"nvrfs/recorder/onvif/onviftest"
)

// markListing is a line of nvrfs marks --json.
type markListing struct {
	Camera, Kind, Text, Path string
	Start                    time.Time
	End                      *time.Time
}

func (s site) marks(t *testing.T) (marks []markListing) {
	t.Helper()
	decode(t, []byte(mustRun(t, nvrfs("marks", "--config", s.config, "--json"))), &marks)
	return marks
}

// TestMarks adds a camera by ONVIF, whose clock is years off, while another is recorded. From then on its events are marks, which are
// listed and in the info of entries while it is recorded, and which end when the recorder is killed. A reload ends the asking, and no run.
func TestMarks(t *testing.T) {
	needMounts(t)
	t.Parallel()
	const secret = "p@ss:w/rd"
	yard := play(t, camera.Options{Clip: camera.DemoClip()})
	gate := play(t, camera.Options{Clip: camera.DemoClip(), Path: "main", User: "admin", Password: secret, Auth: camera.AuthDigest})
	device := onviftest.Start(t, onviftest.Options{
		Auth: onviftest.WS, User: "admin", Password: secret, Ahead: -5 * 365 * 24 * time.Hour, Serial: "S1", Endpoint: "urn:uuid:1",
		Profiles: []onviftest.Profile{{Token: "m", Codec: "H264", Width: 1920, Height: 1080, URI: gate.URL()}},
	})
	s := newSite(t, "recording: { length: 2s, sync: 500ms }\ncameras:\n  yard: { url: "+yard.URL()+" }\n")
	p := s.record(t)
	s.newest(t, "yard", 20*time.Second)
	cmd := nvrfs("camera", "add", "gate", device.Address(), "--user", "admin", "--config", s.config)
	cmd.Env = append(cmd.Env, "NVRFS_CAMERA_PASSWORD="+secret)
	mustRun(t, cmd)
	s.newest(t, "gate", 20*time.Second)
	subscribed := func() bool { return device.Subscriptions() > 0 }
	waitFor(t, 20*time.Second, "a subscription", subscribed)

	motion := func(state string) {
		device.Emit(onviftest.Message("tns1:RuleEngine/CellMotionDetector/Motion", "Changed", device.Now(), []string{"Source=V1"}, []string{"IsMotion=" + state}))
	}
	began := time.Now()
	motion("true")
	waitFor(t, 20*time.Second, "a mark, and its footage", func() bool {
		m := s.marks(t)
		return len(m) == 1 && m[0].Camera == "gate" && m[0].Kind == "motion" && m[0].End == nil && m[0].Path != ""
	})
	m := s.marks(t)[0]
	if d := m.Start.Sub(began).Abs(); d > 6*time.Second {
		t.Errorf("it starts %v off", d)
	}
	waitFor(t, 20*time.Second, "the mark in the info of its entry", func() bool {
		return strings.Contains(string(readFile(t, s.mnt+"/.nvrfs/info/"+m.Path+".json")), `"text": "RuleEngine/CellMotionDetector/Motion: V1"`)
	})
	motion("false")
	waitFor(t, 20*time.Second, "its end", func() bool { return s.marks(t)[0].End != nil })
	if table := mustRun(t, nvrfs("marks", "gate", "--config", s.config, "--from", "now")); strings.Count(table, "\n") != 1 {
		t.Errorf("from now on, there is\n%s", table)
	}

	motion("true")
	waitFor(t, 20*time.Second, "another mark", func() bool { return len(s.marks(t)) == 2 })
	p.kill(t)
	if table := mustRun(t, nvrfs("marks", "--config", s.config)); !strings.Contains(table, "cut off") {
		t.Errorf("while nothing records:\n%s", table)
	}
	p = s.record(t)
	if m := s.marks(t)[1]; m.End == nil || m.End.Before(m.Start) || m.End.After(time.Now()) {
		t.Errorf("the mark of the killed recorder is %+v", m)
	}
	waitFor(t, 20*time.Second, "a subscription of the second recorder", func() bool { return device.Subscriptions() > 1 })
	motion("true")
	waitFor(t, 20*time.Second, "a third mark", func() bool { return len(s.marks(t)) == 3 })

	mustRun(t, nvrfs("config", "unset", s.config, "cameras.gate.onvif"))
	if err := p.cmd.Process.Signal(syscall.SIGHUP); err != nil {
		t.Fatal(err)
	}
	p.says(t, 20*time.Second, `"changed":"gate (onvif)"`)
	waitFor(t, 20*time.Second, "the end of the third mark", func() bool { return s.marks(t)[2].End != nil })
	s.stopUnmounted(t, p)
	if log := p.stderr.String(); strings.Contains(log, secret) {
		t.Error("the log tells the password")
	}
	if reasons := mustRun(t, nvrfs("ls", "--config", s.config, "--reasons", "gate")); strings.Count(reasons, "stopped") != 1 {
		t.Errorf("asking for events no longer has ended a run:\n%s", reasons)
	}
}
