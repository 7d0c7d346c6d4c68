package cameras

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"nvrfs/config"
)

// A camera may answer with any URL. None has the configuration read a secret of this host, or says anything else in YAML.
func TestWhatACameraNamesStandsForItself(t *testing.T) {
	secret := filepath.Join(t.TempDir(), "secret")
	if err := os.WriteFile(secret, []byte("p:@/ %"), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, plain := range []string{
		"rtsp://192.0.2.1:554/a?b=1&c=2",
		"rtsp://192.0.2.1/x?y=${file:/etc/passwd}",
		"rtsp://192.0.2.1/x?y=$${HOME}${",
		"rtsp://192.0.2.1/it's?a='b', sub: 'rtsp://192.0.2.9/' }, retain: { days: 1 # }",
		"rtsp://192.0.2.1/x?\"y\":[]{}#*&!|>%25@`",
	} {
		transport := "udp"
		sum := "sha256:" + strings.Repeat("0a", 32)
		a := addition{transport: &transport, tls: fingerprintFlag{sum: sum}, login: login{user: "ad min:é'", file: secret, password: "x"}}
		reference, file := a.secret()
		if file != nil {
			t.Fatal("a file is to be made beside the one that was named")
		}
		value := a.value(candidate{main: strings.ReplaceAll(plain, "#", "%23"), device: config.Device{Serial: "'} ${HOME} #"}}, reference)
		text, err := config.Apply("/nvrfs.yaml", []byte("data: /d\ncameras:\n  a: { url: rtsp://192.0.2.2/ }\n"), nil, config.Add("cameras.b", value))
		if err != nil {
			t.Errorf("%s: %v", plain, err)
			continue
		}
		cfg, err := config.Parse("/nvrfs.yaml", text, func(name string) (string, bool) { return "looked for " + name, true })
		if err != nil {
			t.Errorf("%s: %v", plain, err)
			continue
		}
		s := cfg.Cameras[1].Streams
		if len(s) != 1 || s[0].Transport != "udp" || s[0].Fingerprint != sum || s[0].Retain != cfg.Cameras[0].Streams[0].Retain || s[0].Device.Serial != "'} ${HOME} #" {
			t.Errorf("%s: the camera became %+v", plain, s)
		}
		got := s[0].URL.Reveal()
		if !strings.HasPrefix(got, "rtsp://ad%20min%3A%C3%A9%27:p%3A%40%2F%20%25@192.0.2.1") && !strings.HasPrefix(got, "rtsp://ad%20min%3A%C3%A9':p%3A%40%2F%20%25@192.0.2.1") {
			t.Errorf("%s became %s", plain, got)
		}
		if strings.Contains(got, "root:") || strings.Contains(got, "looked") {
			t.Errorf("%s: a secret was looked for: %s", plain, got)
		}
	}
}

func TestSecretFile(t *testing.T) {
	dir := t.TempDir()
	for _, tt := range []struct{ config, want os.FileMode }{{0o644, 0o600}, {0o600, 0o600}, {0o640, 0o640}, {0o660, 0o640}} {
		file := filepath.Join(dir, "nvrfs.yaml")
		if err := os.WriteFile(file, nil, 0o600); err != nil {
			t.Fatal(err)
		}
		if err := os.Chmod(file, tt.config); err != nil {
			t.Fatal(err)
		}
		s := secretFile{path: filepath.Join(dir, "a.password"), password: "x"}
		undo, err := s.write(file)
		if err != nil {
			t.Fatal(err)
		}
		if info, err := os.Stat(s.path); err != nil || info.Mode().Perm() != tt.want {
			t.Errorf("beside %v the file has %v, %v, want %v", tt.config, info.Mode(), err, tt.want)
		}
		if _, err := s.write(file); err != nil {
			t.Errorf("the same password again: %v", err)
		}
		if _, err := (secretFile{path: s.path, password: "y"}).write(file); err == nil {
			t.Error("a file with another password was replaced")
		}
		undo()
		if _, err := os.Stat(s.path); err == nil {
			t.Error("it is there after undo")
		}
	}
}

func TestIsRun(t *testing.T) {
	if isRun(os.Getpid()) {
		t.Error("the test is taken for nvrfs run")
	}
}
