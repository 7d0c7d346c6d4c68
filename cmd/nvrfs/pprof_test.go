package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"io"
	"net"
	"net/http"
	"regexp"
	"strings"
	"testing"

	"github.com/spf13/cobra"
)

// serviceCommand is a service that runs f until it returns.
func serviceCommand(f func(ctx context.Context, env *environment) error) func(*environment) *cobra.Command {
	return func(env *environment) *cobra.Command {
		cmd := &cobra.Command{Use: "service", RunE: func(cmd *cobra.Command, _ []string) error { return f(cmd.Context(), env) }}
		env.addPprof(cmd)
		return cmd
	}
}

// pprofURL finds the URL in what was logged.
func pprofURL(t *testing.T, env *environment) string {
	t.Helper()
	log := env.stderr.(*bytes.Buffer).String()
	url := regexp.MustCompile(`http://[^/ ]+`).FindString(log)
	if url == "" {
		t.Fatalf("no URL in the log: %s", log)
	}
	return url
}

func get(t *testing.T, url string) string {
	t.Helper()
	r, err := http.Get(url)
	if err != nil {
		t.Fatal(err)
	}
	defer r.Body.Close()
	text, err := io.ReadAll(r.Body)
	if err != nil || r.StatusCode != http.StatusOK {
		t.Fatalf("GET %s: %s, %v", url, r.Status, err)
	}
	return string(text)
}

func TestPprofServes(t *testing.T) {
	for _, host := range []string{"127.0.0.1", "localhost", "[::1]"} {
		if host == "[::1]" {
			l, err := net.Listen("tcp", host+":0")
			if err != nil {
				continue // this host has no IPv6
			}
			l.Close()
		}
		var url string
		code, _, stderr := runCommand(t, t.Context(), serviceCommand(func(_ context.Context, env *environment) error {
			url = pprofURL(t, env)
			if profile := get(t, url+"/debug/pprof/goroutine?debug=1"); !strings.Contains(profile, "TestPprofServes") {
				t.Errorf("%s: not the profile of this process:\n%s", host, profile)
			}
			remove := env.counters.add("disk", func() any { return map[string]int{"syncs": 3} })
			checkVars(t, get(t, url+"/debug/vars"), true)
			remove()
			checkVars(t, get(t, url+"/debug/vars"), false)
			return nil
		}), "service", "--pprof", host+":0")
		if code != exitOK {
			t.Errorf("%s: exit %d: %s", host, code, stderr)
		}
		if _, err := http.Get(url + "/debug/vars"); err == nil {
			t.Errorf("%s: profiles are served after the end of the command", host)
		}
	}
}

func checkVars(t *testing.T, text string, disk bool) {
	t.Helper()
	var vars struct {
		Runtime map[string]float64 `json:"runtime"`
		Disk    *struct{ Syncs int }
	}
	if err := json.Unmarshal([]byte(text), &vars); err != nil {
		t.Fatalf("%v: %s", err, text)
	}
	if vars.Runtime["/sched/goroutines:goroutines"] < 1 {
		t.Errorf("no goroutines are counted: %s", text)
	}
	if (vars.Disk != nil) != disk || disk && vars.Disk.Syncs != 3 {
		t.Errorf("counters of the disk: %+v, want them: %v", vars.Disk, disk)
	}
}

// A command ends while a profile of it is being taken.
func TestPprofStops(t *testing.T) {
	taken := make(chan error, 1)
	code, _, stderr := runCommand(t, t.Context(), serviceCommand(func(_ context.Context, env *environment) error {
		url := pprofURL(t, env)
		r, err := http.Get(url + "/debug/pprof/trace?seconds=3600") // which answers at once and then goes on
		if err != nil {
			return err
		}
		go func() {
			_, err := io.Copy(io.Discard, r.Body)
			taken <- errors.Join(err, r.Body.Close())
		}()
		return nil
	}), "service", "--pprof", "127.0.0.1:0")
	if code != exitOK {
		t.Fatalf("exit %d: %s", code, stderr)
	}
	<-taken
}

func TestPprofRefuses(t *testing.T) {
	taken, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer taken.Close()
	for address, want := range map[string]string{
		"0.0.0.0:6060":        "others could reach that address; choose a loopback one, such as 127.0.0.1:6060",
		":6060":               "others could reach that address; choose a loopback one, such as 127.0.0.1:6060",
		"[::]:6060":           "others could reach that address",
		"192.0.2.1:6060":      "others could reach that address",
		"6060":                "want HOST:PORT, such as 127.0.0.1:6060",
		"127.0.0.1:http-9":    "want HOST:PORT, such as 127.0.0.1:6060",
		taken.Addr().String(): "choose another port, or stop what listens there",
	} {
		code, _, stderr := runCommand(t, t.Context(), serviceCommand(func(context.Context, *environment) error {
			t.Errorf("--pprof %s: the service runs", address)
			return nil
		}), "service", "--pprof", address)
		if code != exitBadSetup || !strings.Contains(stderr, "--pprof "+address+": ") || !strings.Contains(stderr, want) {
			t.Errorf("--pprof %s: exit %d: %s", address, code, stderr)
		}
	}
}

// The services have the flag.
func TestPprofFlag(t *testing.T) {
	for _, args := range [][]string{
		{"run", "--pprof", "0.0.0.0:1"},
		{"demo", "--pprof", "0.0.0.0:1"},
		{"mount", "--data", "/nowhere", "--pprof", "0.0.0.0:1", "/nowhere"},
	} {
		if code, _, stderr := runCommand(t, t.Context(), nil, args...); code != exitBadSetup || !strings.Contains(stderr, "others could reach") {
			t.Errorf("%q: exit %d: %s", args, code, stderr)
		}
	}
}
