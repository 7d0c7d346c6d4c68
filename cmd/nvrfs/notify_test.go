package main

import (
	"bytes"
	"net"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"
)

func TestNotify(t *testing.T) {
	for _, address := range []string{filepath.Join(t.TempDir(), "notify"), "@nvrfs-test-" + filepath.Base(t.TempDir()) + time.Now().Format("150405.000000")} {
		l, err := net.ListenUnixgram("unixgram", &net.UnixAddr{Name: address, Net: "unixgram"})
		if err != nil {
			t.Fatal(err)
		}
		defer l.Close()
		env := newEnvironment(strings.NewReader(""), new(bytes.Buffer), new(bytes.Buffer))
		env.lookupEnv = func(name string) (string, bool) { return address, name == "NOTIFY_SOCKET" }
		for _, tt := range []struct{ state, want string }{{stateReady, "^READY=1$"}, {stateReloading(), "^RELOADING=1\nMONOTONIC_USEC=[1-9][0-9]*$"}} {
			env.notify(tt.state)
			_ = l.SetReadDeadline(time.Now().Add(time.Minute))
			buf := make([]byte, 200)
			n, err := l.Read(buf)
			if err != nil || !regexp.MustCompile(tt.want).Match(buf[:n]) {
				t.Errorf("%s got %q, %v, want %s", address, buf[:n], err, tt.want)
			}
		}
	}
}

// A manager that is not there costs a line in the log, and where there is none at all, not even that.
func TestNotifyNobody(t *testing.T) {
	for address, lines := range map[string]int{"": 0, filepath.Join(t.TempDir(), "gone"): 1} {
		var log bytes.Buffer
		env := newEnvironment(strings.NewReader(""), new(bytes.Buffer), new(bytes.Buffer))
		env.log = (&logOptions{format: choice{value: "json"}, level: choice{value: "info"}}).newLogger(&log, false)
		env.lookupEnv = func(string) (string, bool) { return address, address != "" }
		env.notify(stateReady)
		if n := strings.Count(log.String(), "\n"); n != lines {
			t.Errorf("%q: %s", address, &log)
		}
	}
}
