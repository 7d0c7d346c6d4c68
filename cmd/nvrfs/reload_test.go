package main

import (
	"bytes"
	"context"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/spf13/cobra"

	"nvrfs/config"
	"nvrfs/recorder"
)

// reloadedConfig is the configuration before a reload.
const reloadedConfig = `data: /d
mount: /m
cameras:
  a: { url: 'rtsp://u:${PASSWORD}@h/1', sub: 'rtsp://h/2' }
  b: { url: 'rtsp://h/3' }
`

// A reloadTest is a reloader whose recorder only notes what it is to record.
type reloadTest struct {
	reloader
	text    bytes.Buffer // of the log
	applied []string     // each time, the streams
	told    []string     // to the service manager
	fails   error        // what apply returns
	env     map[string]string
}

func newReloadTest(t *testing.T) *reloadTest {
	t.Helper()
	x := &reloadTest{env: map[string]string{"PASSWORD": "xyzzy"}}
	x.file = filepath.Join(t.TempDir(), "nvrfs.yaml")
	x.lookup = func(name string) (string, bool) {
		value, ok := x.env[name]
		return value, ok
	}
	format := logOptions{format: choice{value: "text"}, level: choice{value: "info"}}
	x.log = format.newLogger(&x.text, false)
	x.apply = func(_ context.Context, cfg *config.Config) error {
		if x.fails == nil {
			x.applied = append(x.applied, streamsOf(cfg))
		}
		return x.fails
	}
	x.notify = func(state string) {
		state, _, _ = strings.Cut(state, "\n")
		x.told = append(x.told, state)
	}
	x.write(t, reloadedConfig)
	var err error
	if x.now, err = config.Read(x.file, x.lookup); err != nil {
		t.Fatal(err)
	}
	return x
}

// streamsOf writes the streams of a configuration, and what takes a restart.
func streamsOf(cfg *config.Config) string {
	s := cfg.Mount.Path + ":"
	env := &environment{}
	env.log = (&logOptions{format: choice{value: "json"}, level: choice{value: "info"}}).newLogger(&bytes.Buffer{}, false)
	for _, o := range env.streams(cfg) {
		s += " " + o.Camera + "." + o.Name
		if o.Retain != (recorder.Limits{AtLeast: time.Hour}) {
			s += "(" + o.Retain.Age.String() + ")"
		}
	}
	return s
}

func (x *reloadTest) write(t *testing.T, text string) {
	t.Helper()
	if err := os.WriteFile(x.file, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
}

// said returns what was logged since the last time, in one line without time and path.
func (x *reloadTest) said(t *testing.T) string {
	t.Helper()
	lines := strings.ReplaceAll(x.text.String(), " path="+x.file, "")
	x.text.Reset()
	if strings.Count(lines, "\n") != 1 || strings.Contains(lines, "xyzzy") {
		t.Errorf("want one line without secrets, have %q", lines)
	}
	_, line, _ := strings.Cut(strings.TrimSpace(strings.ReplaceAll(lines, x.file, "FILE")), " ")
	return line
}

func TestReload(t *testing.T) {
	const refused = `ERROR the configuration was not reloaded; recording goes on with the one from before`
	tests := []struct {
		name     string
		old, new string // what is replaced in reloadedConfig
		applied  string
		want     string // in the log
	}{
		{"nothing", "data: /d", "data: /d # here", "", `INFO  the configuration was reloaded; nothing has changed`},
		{"added", "  b:", "  c: { url: 'rtsp://h/4', sub: 'rtsp://h/5' }\n  b:", "/m: a.main a.sub c.main c.sub b.main", `INFO  the configuration was reloaded added="c, c.sub"`},
		{"removed", "  b: { url: 'rtsp://h/3' }\n", "", "/m: a.main a.sub", `INFO  the configuration was reloaded removed=b`},
		{"password", "${PASSWORD}", "plugh", "/m: a.main a.sub b.main", `INFO  the configuration was reloaded changed="a (url)"`},
		{"all of a stream", "'rtsp://h/3'", "'rtsp://h/9', transport: udp, samples: /s, retain: { days: 1 }", "/m: a.main a.sub b.main(24h0m0s)", `INFO  the configuration was reloaded changed="b (url, transport, samples, retain)"`},
		{"limits of all", "data: /d", "data: /d\nretain: { bytes: 1TB }", "/m: a.main a.sub b.main", `INFO  the configuration was reloaded changed=retain`},
		{"restart", "mount: /m", "mount: /n\ncache: 50MB", "", `WARN  the configuration was reloaded, but some settings stay as they are until nvrfs is started again restart="mount, cache"`},
		{"restart and more", "mount: /m\ncameras:\n", "mount: /n\ncameras:\n  c: { url: 'rtsp://h/4' }\n", "/m: c.main a.main a.sub b.main", `WARN  the configuration was reloaded, but some settings stay as they are until nvrfs is started again added=c restart=mount`},
		{"mistake", "'rtsp://h/3'", "'rtsp://h/3', transport: tpc", "", refused + ` err="FILE:5:38: cameras.b.transport: \"tpc\"; want tcp, udp, auto, multicast or http"`},
		{"mistake beside a change", reloadedConfig[strings.Index(reloadedConfig, "  a:"):], "  b: { url: 'http://h/3' }\n", "", refused + ` err="FILE:4:13: cameras.b.url: `},
		{"no secret", "${PASSWORD}", "${NOWHERE}", "", refused + ` err="FILE:4:13: cameras.a.url: environment variable NOWHERE is not set`},
		{"no YAML", "cameras:", "cameras: [", "", refused + ` err="FILE:`},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			x := newReloadTest(t)
			before := streamsOf(x.now)
			x.write(t, strings.Replace(reloadedConfig, tt.old, tt.new, 1))
			x.reload(t.Context())
			said := x.said(t)
			if exact := !strings.HasPrefix(tt.want, refused); exact && said != tt.want || !strings.HasPrefix(said, tt.want) {
				t.Errorf("it says\n%s, want\n%s", said, tt.want)
			}
			want := before
			if tt.applied != "" {
				want = tt.applied
			}
			if got := strings.Join(x.applied, "; "); got != tt.applied || streamsOf(x.now) != want {
				t.Errorf("applied was %q, want %q; it goes by %q, want %q", got, tt.applied, streamsOf(x.now), want)
			}
		})
	}
}

// A file that the recorder refuses changes nothing; when it is read again, it is compared with what is recorded.
func TestReloadRefusedByRecorder(t *testing.T) {
	x := newReloadTest(t)
	x.fails = errors.New("make sample directory /s: it belongs to another database")
	x.write(t, reloadedConfig+"  c: { url: 'rtsp://h/4', samples: /s }\n")
	x.reload(t.Context())
	if said := x.said(t); !strings.HasPrefix(said, "ERROR the configuration was not reloaded") || !strings.Contains(said, x.fails.Error()) {
		t.Error(said)
	}
	x.fails = nil
	x.reload(t.Context())
	if said := x.said(t); said != "INFO  the configuration was reloaded added=c" {
		t.Error(said)
	}
}

// What waits for a restart is said each time, until the file says again what holds.
func TestReloadRestartIsRemembered(t *testing.T) {
	x := newReloadTest(t)
	x.write(t, "timezone: UTC\n"+reloadedConfig)
	x.reload(t.Context())
	first := x.said(t)
	x.reload(t.Context())
	if again := x.said(t); !strings.Contains(first, "restart=timezone") || again != first {
		t.Errorf("first %s, then %s", first, again)
	}
	x.write(t, reloadedConfig)
	x.reload(t.Context())
	if said := x.said(t); !strings.HasSuffix(said, "nothing has changed") {
		t.Error(said)
	}
}

// Secrets are read again: that of the environment is as it was at the start, that of a file may be another one.
func TestReloadSecretFile(t *testing.T) {
	x := newReloadTest(t)
	secret := filepath.Join(filepath.Dir(x.file), "secret")
	for _, password := range []string{"xyzzy1", "xyzzy2"} {
		if err := os.WriteFile(secret, []byte(password+"\n"), 0o600); err != nil {
			t.Fatal(err)
		}
		x.write(t, strings.Replace(reloadedConfig, "${PASSWORD}", "${file:secret}", 1))
		x.reload(t.Context())
		if said := x.said(t); said != `INFO  the configuration was reloaded changed="a (url)"` {
			t.Error(said)
		}
	}
}

// Signals that come while the configuration is applied are not lost, and there is one reload for all of them.
func TestReloadOneAtATime(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		x := newReloadTest(t)
		goOn, inside := make(chan struct{}), 0
		apply := x.apply
		x.apply = func(ctx context.Context, cfg *config.Config) error {
			if inside++; inside != 1 {
				t.Errorf("%d reloads at a time", inside)
			}
			<-goOn
			inside--
			return apply(ctx, cfg)
		}
		asked := make(chan os.Signal, 1)
		ask := func() {
			select { // as os/signal does
			case asked <- os.Interrupt:
			default:
			}
			synctest.Wait()
		}
		ctx, cancel := context.WithCancel(t.Context())
		done := make(chan struct{})
		go func() { defer close(done); x.run(ctx, asked) }()
		x.write(t, reloadedConfig+"  c: { url: 'rtsp://h/4' }\n")
		ask()
		x.write(t, reloadedConfig+"  c: { url: 'rtsp://h/4' }\n  d: { url: 'rtsp://h/5' }\n")
		for range 3 {
			ask()
		}
		for range 2 {
			goOn <- struct{}{}
			synctest.Wait()
		}
		if got := strings.Join(x.applied, "; "); got != "/m: a.main a.sub b.main c.main; /m: a.main a.sub b.main c.main d.main" {
			t.Errorf("applied: %s", got)
		}
		x.write(t, reloadedConfig)
		ask() // and stop within it
		cancel()
		close(goOn)
		<-done
		if told := strings.Join(x.told, " "); told != strings.TrimSpace(strings.Repeat("RELOADING=1 READY=1 ", 3)) {
			t.Errorf("the service manager was told %s", told)
		}
		if logged := strings.Count(x.text.String(), "was reloaded"); logged != 2 || strings.Contains(x.text.String(), "ERROR") {
			t.Errorf("the log: %s", &x.text)
		}
	})
}

// SIGHUP stops a command as SIGINT does, also one that came while the command started; but not one that reloads.
func TestHangup(t *testing.T) {
	for _, reloads := range []bool{false, true} {
		hangups := make(chan os.Signal, 1)
		hangups <- os.Interrupt
		ctx, cancel := context.WithCancel(t.Context())
		service := func(env *environment) *cobra.Command {
			env.hangups = hangups
			cmd := &cobra.Command{Use: "service", RunE: func(cmd *cobra.Command, _ []string) error {
				if reloads {
					<-env.hangups // for the command itself
					if cmd.Context().Err() != nil {
						t.Error("it is stopped")
					}
					cancel()
				}
				<-cmd.Context().Done()
				return cmd.Context().Err()
			}}
			if reloads {
				cmd.Annotations = map[string]string{reloadsAtHangup: "yes"}
			}
			return cmd
		}
		if code, _, stderr := runCommand(t, ctx, service, "service"); code != exitInterrupted {
			t.Errorf("exit code %d: %s", code, stderr)
		}
		cancel()
	}
	if env := new(environment); !reloads(newRunCommand(env)) || reloads(newDemoCommand(env)) || reloads(newMountCommand(env)) {
		t.Error("run is to reload, and demo and mount are to stop")
	}
}
