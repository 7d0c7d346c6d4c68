package main

import (
	"crypto/tls"
	"encoding/json"
	"fmt"
	"net/http/httptest"
	"net/url"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/pion/rtcp"

	"nvrfs/camera"
	"nvrfs/config"
	"nvrfs/integration/oddcamera"
	"nvrfs/recorder/onvif/onviftest"
)

const cameraSecret = "p@ss w/rd%'1"

// A cameraBench has a camera with a main and a sub stream, an ONVIF device that tells of them, and a configuration file.
type cameraBench struct {
	dir, config string
	camera      *camera.Server
	device      *onviftest.Device
}

const yardConfig = "# the yard\ndata: /d\ncameras:\n  yard: { url: rtsp://192.0.2.1/1 } # mine\n"

func newCameraBench(t *testing.T, o onviftest.Options) *cameraBench {
	t.Helper()
	b := &cameraBench{dir: t.TempDir()}
	b.config = b.write(t, "nvrfs.yaml", yardConfig)
	b.write(t, "secret", cameraSecret+"\n")
	var err error
	b.camera, err = camera.Start(camera.Options{
		Clip: camera.DemoClip(), Path: "main", Others: map[string]*camera.Clip{"sub": camera.DemoClip()},
		User: "admin", Password: cameraSecret, Auth: camera.AuthDigest,
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := b.camera.Close(); err != nil {
			t.Error(err)
		}
	})
	if o.Profiles == nil {
		o.Profiles = []onviftest.Profile{
			{Token: "s", Source: "v1", Codec: "H264", Width: 640, Height: 360, URI: b.url("sub")},
			{Token: "m", Source: "v1", Codec: "H264", Width: 1920, Height: 1080, URI: b.url("main")},
		}
	}
	o.User, o.Password, o.Endpoint, o.Serial = "admin", cameraSecret, "urn:uuid:1234", "00'12"
	b.device = onviftest.Start(t, o)
	return b
}

func (b *cameraBench) write(t *testing.T, name, text string) string {
	t.Helper()
	path := filepath.Join(b.dir, name)
	if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
	return path
}

// url returns that of a stream of the camera, without password.
func (b *cameraBench) url(path string) string {
	return strings.TrimSuffix(b.camera.URL(), "main") + path
}

// withPassword returns the URL of a stream of the camera.
func (b *cameraBench) withPassword(path string) string {
	return strings.Replace(b.url(path), "://", "://"+url.UserPassword("admin", cameraSecret).String()+"@", 1)
}

func (b *cameraBench) run(t *testing.T, args ...string) (code int, stdout, stderr string) {
	t.Helper()
	code, stdout, stderr = runCommand(t, t.Context(), nil, append([]string{"camera"}, args...)...)
	if strings.Contains(stdout+stderr, cameraSecret) {
		t.Errorf("the output tells the password:\n%s%s", stdout, stderr)
	}
	return code, stdout, stderr
}

func (b *cameraBench) text(t *testing.T) string {
	t.Helper()
	text, err := os.ReadFile(b.config)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

func TestCameraAdd(t *testing.T) {
	b := newCameraBench(t, onviftest.Options{Auth: onviftest.WS, Ahead: -9 * 365 * 24 * time.Hour, Host: "0.0.0.0"})
	secret := filepath.Join(b.dir, "secret")
	args := []string{"add", "front-door", b.device.Address(), "--user", "admin", "--password-file", secret, "--config", b.config}
	authority := "admin:${file:" + secret + "}@"
	at := func(path string) string { return strings.Replace(b.url(path), "://", "://"+authority, 1) }
	line := fmt.Sprintf("front-door: { url: '%s', sub: '%s', serial: '00''12', endpoint: 'urn:uuid:1234', onvif: 'http://%s/onvif/device_service' }\n",
		at("main"), at("sub"), b.device.Address())

	code, stdout, stderr := b.run(t, append(args, "--dry-run")...)
	if code != exitOK || stdout != line || b.text(t) != yardConfig {
		t.Fatalf("dry run: exit %d, stdout %s, stderr %s, file\n%s", code, stdout, stderr, b.text(t))
	}
	code, stdout, stderr = b.run(t, args...)
	if code != exitOK || stdout != line {
		t.Fatalf("exit %d, stderr %s\n got %swant %s", code, stderr, stdout, line)
	}
	for _, want := range []string{"ACME IPC-1", "serial number 00'12", "behind this host's", "main stream: it sends H.264 High", "sub stream: it sends H.264 High", "nvrfs run"} {
		if !strings.Contains(stderr, want) {
			t.Errorf("it does not say %q:\n%s", want, stderr)
		}
	}
	if got, want := b.text(t), yardConfig+"  "+line; got != want {
		t.Errorf("the file is\n%s\nwant\n%s", got, want)
	}
	cfg, err := config.Read(b.config, os.LookupEnv)
	if err != nil {
		t.Fatal(err)
	}
	if d := cfg.Cameras[1].Streams[1].Device; d != (config.Device{Serial: "00'12", Endpoint: "urn:uuid:1234"}) {
		t.Errorf("the device is %+v", d)
	}
	code, _, stderr = b.run(t, args...)
	if code != exitBadSetup || !strings.Contains(stderr, "cameras.front-door: it is there already") {
		t.Errorf("again: exit %d, %s", code, stderr)
	}
	args[1] = "door"
	if code, _, stderr = b.run(t, append(args, "--dry-run")...); code != exitOK || !strings.Contains(stderr, "front-door records this stream already") {
		t.Errorf("by another name: exit %d, %s", code, stderr)
	}
}

// A password in the URL goes to a file that only those read who read the configuration.
func TestCameraAddURL(t *testing.T) {
	b := newCameraBench(t, onviftest.Options{})
	code, stdout, stderr := b.run(t, "add", "gate", b.withPassword("main"), "--config", b.config)
	line := "gate: { url: '" + strings.Replace(b.url("main"), "://", "://admin:${file:gate.password}@", 1) + "' }\n"
	if code != exitOK || stdout != line {
		t.Fatalf("exit %d, stderr %s\n got %swant %s", code, stderr, stdout, line)
	}
	path := filepath.Join(b.dir, "gate.password")
	info, err := os.Stat(path)
	if err != nil {
		t.Fatal(err)
	}
	if text, _ := os.ReadFile(path); string(text) != cameraSecret+"\n" || info.Mode().Perm() != 0o600 {
		t.Errorf("the file has %d bytes and mode %v", len(text), info.Mode())
	}
	if code, stdout, stderr = b.run(t, "test", "gate", "--for", "1s", "--config", b.config); code != exitOK || !strings.Contains(stdout, "H.264") {
		t.Errorf("exit %d\n%s%s", code, stdout, stderr)
	}
}

// A camera with a certificate of its own is added by the fingerprint that the error names.
func TestCameraAddByFingerprint(t *testing.T) {
	b := newCameraBench(t, onviftest.Options{})
	certified := httptest.NewTLSServer(nil)
	certified.Close()
	odd := oddcamera.Start(t, oddcamera.Case{TLS: &tls.Config{Certificates: certified.TLS.Certificates}})
	code, _, stderr := b.run(t, "add", "gate", odd.URL, "--config", b.config)
	sum := regexp.MustCompile(`sha256:[0-9a-f]{64}`).FindString(stderr)
	if code != exitFailure || sum == "" {
		t.Fatalf("exit %d, %s", code, stderr)
	}
	code, stdout, stderr := b.run(t, "add", "gate", odd.URL, "--config", b.config, "--fingerprint", strings.ToUpper(sum))
	if want := "gate: { url: '" + odd.URL + "', tls: { fingerprint: '" + sum + "' } }\n"; code != exitOK || stdout != want {
		t.Errorf("exit %d, stderr %s\n got %swant %s", code, stderr, stdout, want)
	}
	if code, stdout, stderr = b.run(t, "test", "gate", "--for", "1s", "--config", b.config); code != exitOK || !strings.Contains(stdout, "H.264") {
		t.Errorf("exit %d\n%s%s", code, stdout, stderr)
	}
}

// Whatever goes wrong is said, and changes nothing.
func TestCameraAddRefused(t *testing.T) {
	b := newCameraBench(t, onviftest.Options{Auth: onviftest.Digest})
	wrong, secret := b.write(t, "wrong", "wrong"), filepath.Join(b.dir, "secret")
	b.write(t, "taken.password", "something else")
	as := func(file string) []string { return []string{"--user", "admin", "--password-file", file} }
	with := func(args ...string) []string { return append([]string{"add"}, args...) }
	for _, tt := range []struct {
		name string
		args []string
		code int
		want string
	}{
		{"existing name", with("yard", b.device.Address()), exitBadSetup, "cameras.yard: it is there already"},
		{"name but for capitals", with("Yard", b.device.Address()), exitBadSetup, "but for capitals"},
		{"bad name", with("a.b", b.device.Address()), exitBadSetup, "name cannot hold"},
		{"wrong password, ONVIF", with(append([]string{"x", b.device.Address()}, as(wrong)...)...), exitFailure, "refuses the user name or password"},
		{"wrong password, RTSP", with(append([]string{"x", b.url("main")}, as(wrong)...)...), exitFailure, "refuses the user name or password"},
		{"no user", with("x", b.device.Address()), exitFailure, "give --user"},
		{"no terminal", with("x", b.device.Address(), "--user", "admin"), exitBadSetup, "no terminal"},
		{"no password file", with(append([]string{"x", b.device.Address()}, as(b.dir+"/none")...)...), exitBadSetup, "no such file"},
		{"no ONVIF", with("x", "127.0.0.1:1"), exitFailure, "give the URL of its stream"},
		{"no address", with("x", "a b"), exitFailure, "is no address"},
		{"no stream", with(append([]string{"x", b.url("none")}, as(secret)...)...), exitFailure, "knows no stream of that path"},
		{"no such source", with(append([]string{"x", b.device.Address(), "--source", "2"}, as(secret)...)...), exitBadSetup, "the device shows 1"},
		{"no fingerprint", with("x", b.url("main"), "--fingerprint", "md5:00"), exitBadSetup, "want sha256:"},
		{"template", with("x", "rtsp://${USER}@127.0.0.1/"), exitBadSetup, "${…}"},
		{"no configuration", with("x", b.device.Address(), "--config", b.dir+"/none.yaml"), exitBadSetup, "name the configuration file with --config"},
		{"password file that is another's", with("taken", b.withPassword("main")), exitFailure, "taken.password, is there already"},
	} {
		args := tt.args
		if !slices.Contains(args, "--config") {
			args = append(args, "--config", b.config)
		}
		code, stdout, stderr := b.run(t, args...)
		if code != tt.code || stdout != "" || !strings.Contains(stderr, tt.want) {
			t.Errorf("%s: exit %d, stdout %s\n got %swant %s", tt.name, code, stdout, stderr, tt.want)
		}
	}
	if b.text(t) != yardConfig {
		t.Errorf("the file was changed:\n%s", b.text(t))
	}
}

func TestCameraTest(t *testing.T) {
	b := newCameraBench(t, onviftest.Options{})
	b.config = b.write(t, "cams.yaml", "data: /d\ncameras:\n  gate: { url: '"+strings.Replace(b.url("main"), "://", "://admin:${file:secret}@", 1)+
		"', sub: '"+strings.Replace(b.url("sub"), "://", "://admin:${file:secret}@", 1)+"' }\n")
	code, stdout, stderr := b.run(t, "test", "gate", "--for", "5s", "--config", b.config)
	for _, want := range []string{"stream    gate\n", "H.264 High, level 3.1, 640x360, 2", "every 1.0 s (25 pictures) (IDR)", `stored as "avc1"`, "AAC, 48000 Hz, mono", "clock     the camera's timestamps run as fast as this host's clock\n", "clock     the camera's date is that of this host", "nothing is to be changed"} {
		if code != exitOK || !strings.Contains(stdout, want) {
			t.Errorf("exit %d, want %q\n%s%s", code, want, stdout, stderr)
		}
	}
	code, stdout, stderr = b.run(t, "test", "gate.sub", "--for", "1s", "--json", "--config", b.config)
	var got struct {
		Stream string
		Tracks []struct {
			Kind, Codec string
			Width       int
			Bits        float64 `json:"bits_per_second"`
		}
	}
	if err := json.Unmarshal([]byte(stdout), &got); err != nil || code != exitOK || got.Stream != "gate.sub" || len(got.Tracks) != 2 ||
		got.Tracks[0].Codec != "avc1.64001F" || got.Tracks[0].Bits < 1000 || got.Tracks[1].Kind != "audio" {
		t.Errorf("exit %d, %v, %+v\n%s%s", code, err, got, stdout, stderr)
	}
	for _, tt := range []struct {
		args []string
		code int
		want string
	}{
		{[]string{"gat"}, exitBadSetup, `did you mean "gate"?`},
		{[]string{"zzzzz"}, exitBadSetup, "it has gate, gate.sub"},
		{[]string{b.url("none")}, exitFailure, "connect to rtsp://"},
		{[]string{"rtsp://${NOT_SET}@127.0.0.1/"}, exitBadSetup, "NOT_SET"},
		{[]string{"http://127.0.0.1/"}, exitBadSetup, "not an RTSP URL"},
		{[]string{"gate", "--for", "1ms"}, exitBadSetup, "--for 1ms: want 1s to 10m"},
	} {
		code, stdout, stderr := b.run(t, append(append([]string{"test"}, tt.args...), "--config", b.config)...)
		if code != tt.code || stdout != "" || !strings.Contains(stderr, tt.want) {
			t.Errorf("%v: exit %d, stdout %s\n got %swant %s", tt.args, code, stdout, stderr, tt.want)
		}
	}
}

// What a camera does otherwise than it should is told, with what to change.
func TestCameraTestOdd(t *testing.T) {
	odd := oddcamera.Start(t, oddcamera.Case{
		SDP: func(sdp string) string { return strings.Replace(sdp, "mpeg4-generic/48000", "G7221/16000", 1) },
		Report: func(_ *oddcamera.Session, _ int, r *rtcp.SenderReport) bool {
			r.NTPTime -= 3 * 3600 << 32
			return true
		},
	}, oddcamera.DemoVideo(), oddcamera.DemoSound())
	code, stdout, stderr := runCommand(t, t.Context(), nil, "camera", "test", odd.URL, "--for", "3s")
	for _, want := range []string{
		"left out  G7221: ", "clock     the camera's date is 3h0m0s behind this host's", "advice    set the camera's clock by NTP",
		"advice    what is left out could be recorded as another codec: set pictures to H.264", "sound     none that is recorded",
	} {
		if code != exitOK || !strings.Contains(stdout, want) {
			t.Errorf("exit %d, want %q\n%s%s", code, want, stdout, stderr)
		}
	}
}

func TestCameraScan(t *testing.T) {
	b := newCameraBench(t, onviftest.Options{Auth: onviftest.Digest})
	other := onviftest.Start(t, onviftest.Options{Endpoint: "urn:uuid:2", Serial: "S2", Public: true})
	probe, wait := b.device.Probe.String(), []string{"--wait", "700ms", "--json"}
	scan := func(cfg string, args ...string) []map[string]any {
		t.Helper()
		b.config = b.write(t, "cams.yaml", "data: /d\ncameras:\n"+cfg)
		code, stdout, stderr := b.run(t, append(append([]string{"scan", probe, other.Probe.String(), "--config", b.config}, wait...), args...)...)
		var list []map[string]any
		if err := json.Unmarshal([]byte(stdout), &list); err != nil || code != exitOK || len(list) != 2 {
			t.Fatalf("exit %d, %v\n%s%s", code, err, stdout, stderr)
		}
		slices.SortFunc(list, func(x, y map[string]any) int {
			return strings.Compare(fmt.Sprint(x["endpoint"]), fmt.Sprint(y["endpoint"]))
		})
		return list
	}
	check := func(what string, d map[string]any, want map[string]any) {
		t.Helper()
		for name, value := range want {
			if d[name] != value {
				t.Errorf("%s: %s is %v, want %v", what, name, d[name], value)
			}
		}
	}
	list := scan("  yard: { url: 'rtsp://u:${NOT_SET}@192.0.2.1/1', endpoint: 'urn:uuid:1234' }\n  barn: { url: rtsp://192.0.2.2/, serial: s2 }\n")
	check("with a password", list[0], map[string]any{"name": "Front door", "model": "IPC-1", "serial": nil, "configured": "yard", "by": "endpoint"})
	check("public", list[1], map[string]any{"serial": "S2", "manufacturer": "ACME", "configured": "barn", "by": "serial"})
	list = scan("  yard: { url: 'rtsp://u:${NOT_SET}@localhost/1' }\n", "--user", "admin", "--password-file", filepath.Join(b.dir, "secret"))
	check("as a user", list[0], map[string]any{"serial": "00'12", "firmware": "1.0", "configured": "yard", "by": "address"})

	code, stdout, stderr := b.run(t, "scan", probe, "--wait", "700ms", "--config", b.config)
	want := []string{"ADDRESS NAME MODEL SERIAL CONFIGURED", b.device.Address() + " Front door IPC-1 - yard"} // as nvrfs camera add takes it
	if got := table(stdout); code != exitOK || !slices.Equal(got, want) {
		t.Errorf("exit %d, stderr %s\n got %q\nwant %q", code, stderr, got, want)
	}
	code, stdout, stderr = b.run(t, "scan", "127.0.0.1:1", "--wait", "100ms")
	if code != exitOK || stdout != "" || !strings.Contains(stderr, "no camera answered") {
		t.Errorf("nobody: exit %d, %s%s", code, stdout, stderr)
	}
}
