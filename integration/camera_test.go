package integration

import (
	"strings"
	"testing"
	"time"

	"nvrfs/camera"
	"nvrfs/recorder/onvif/onviftest"
)

// TestCameraAdd adds a camera by ONVIF while another is recorded. The recorder takes it in, with a password from the file that was
// made for it, and what records goes on with its run.
func TestCameraAdd(t *testing.T) {
	needMounts(t)
	t.Parallel()
	const secret = "p@ss:w/rd"
	yard := play(t, camera.Options{Clip: camera.DemoClip()})
	gate := play(t, camera.Options{
		Clip: camera.DemoClip(), Path: "main", Others: map[string]*camera.Clip{"sub": camera.DemoClip()},
		User: "admin", Password: secret, Auth: camera.AuthDigest,
	})
	device := onviftest.Start(t, onviftest.Options{
		Auth: onviftest.WS, User: "admin", Password: secret, Ahead: -5 * 365 * 24 * time.Hour, Serial: "S1", Endpoint: "urn:uuid:1",
		Profiles: []onviftest.Profile{
			{Token: "m", Codec: "H264", Width: 1920, Height: 1080, URI: gate.URL()},
			{Token: "s", Codec: "H264", Width: 640, Height: 360, URI: strings.TrimSuffix(gate.URL(), "main") + "sub"},
		},
	})
	s := newSite(t, "recording: { length: 2s, sync: 500ms }\ncameras:\n  yard: { url: "+yard.URL()+" } # mine\n")
	p := s.record(t)
	s.newest(t, "yard", 20*time.Second)

	cmd := nvrfs("camera", "add", "gate", device.Address(), "--user", "admin", "--config", s.config)
	cmd.Env = append(cmd.Env, "NVRFS_CAMERA_PASSWORD="+secret)
	r := run(t, cmd)
	if r.code != 0 || !strings.Contains(r.stderr, "was told to read the configuration") || strings.Contains(r.stdout+r.stderr, secret) {
		t.Fatal(r)
	}
	p.says(t, 20*time.Second, `"added":"gate, gate.sub"`)
	for _, label := range []string{"gate", "gate.sub"} {
		s.newest(t, label, 20*time.Second)
	}
	if text := string(readFile(t, s.config)); !strings.Contains(text, "# mine\n  gate: { url: 'rtsp://admin:${file:gate.password}@") || strings.Contains(text, secret) {
		t.Errorf("the configuration is\n%s", text)
	}
	if strings.Contains(p.stderr.String(), secret) {
		t.Error("the log tells the password")
	}
	s.stopUnmounted(t, p)
	if reasons := mustRun(t, nvrfs("ls", "--config", s.config, "--reasons", "yard")); strings.Count(reasons, "stopped") != 1 {
		t.Errorf("the other camera's runs are\n%s", reasons)
	}
}

// A process that holds the data directory and is not nvrfs run is left alone, since SIGHUP would stop it.
func TestCameraAddBesideAnotherCommand(t *testing.T) {
	needMounts(t)
	t.Parallel()
	cam := play(t, camera.Options{Clip: camera.DemoClip()})
	dir := tempDir(t)
	demo := start(t, nvrfs("demo", "--dir", dir+"/demo"))
	waitFor(t, 20*time.Second, "the demo", func() bool { return strings.Contains(demo.stdout.String(), "Stop with Ctrl-C") })
	r := run(t, nvrfs("camera", "add", "gate", cam.URL(), "--config", dir+"/demo/nvrfs.yaml"))
	if r.code != 0 || !strings.Contains(r.stderr, "systemctl reload nvrfs, or send SIGHUP") {
		t.Error(r)
	}
	if demo.over() {
		t.Errorf("the demo was stopped:\n%s", &demo.stderr)
	}
}
