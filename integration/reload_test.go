package integration

import (
	"bytes"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"
)

// TestReload changes the configuration of 16 streams that are recorded: one is added, with a directory of its own, one removed, one
// gets other limits, one another address. Files with a mistake are refused. Every frame that a camera has sent is there afterwards,
// and no stream but those whose camera changed so much as began another run.
func TestReload(t *testing.T) {
	needMounts(t)
	t.Parallel()
	const file = "../camera/clip.mp4"
	x := reloadTest{crowd: startCrowd(t, file), of: map[string]string{}}
	for i := range 16 {
		x.of[fmt.Sprintf("cam%02d", i)] = fmt.Sprintf("first%02d", i)
	}
	x.site = newSite(t, x.yaml())
	var told output
	cmd := nvrfs("run", "--config", x.config)
	cmd.Env = append(cmd.Env, "NOTIFY_SOCKET="+serviceManager(t, x.dir, &told))
	x.p = start(t, cmd)
	waitFor(t, 20*time.Second, "the start", func() bool { return told.String() == "READY=1\n" })
	x.advance(t)

	delete(x.of, "cam03")
	x.of["cam16"] = "first16, samples: disk2"
	x.of["cam05"] += ", retain: { days: 30 }"
	x.of["cam07"] = "second07"
	x.reload(t, `"msg":"the configuration was reloaded","path":"`+x.config+`","added":"cam16","removed":"cam03","changed":"cam05 (retain), cam07 (url)"`)
	x.advance(t)
	x.newest(t, "cam16", 20*time.Second)

	// A mistake, beside changes that are none.
	right := x.yaml()
	x.configure(t, strings.NewReplacer(x.crowd.url+"first08", "rtps://camera/first08", "first09", "first10").Replace(right))
	x.hangup(t, "recording goes on with the one from before", x.lineOf(t, "cam08:"), "cameras.cam08.url: not an RTSP URL")
	x.configure(t, strings.NewReplacer("days", "dais", "first09", "first10").Replace(right))
	x.hangup(t, "recording goes on with the one from before", x.lineOf(t, "dais"), `did you mean \"days\"?`)
	x.advance(t)

	// As it is, though it is asked for thrice; and with something that takes another start.
	x.configure(t, right)
	for range 3 {
		x.hangup(t, "the configuration was reloaded; nothing has changed")
	}
	x.of["cam10"] += ", retain: { at_least: 2h }"
	x.configure(t, "cache: 50MB\n"+x.yaml())
	x.hangup(t, "until nvrfs is started again", `"changed":"cam10 (retain)","restart":"cache"`)
	x.advance(t)

	waitFor(t, 20*time.Second, "seven reloads that the service manager knows of", func() bool {
		return strings.Count(told.String(), "RELOADING=1") == 7 && strings.Count(told.String(), "READY=1") == 8
	})

	sent := x.crowd.ask(t, "stop")
	waitFor(t, 20*time.Second, "the end of every session", func() bool {
		return strings.Count(x.p.stderr.String(), "closed the connection") >= len(x.of)
	})
	x.stopUnmounted(t, x.p)
	x.checkClean(t)
	x.compare(t, file, sent)
}

// serviceManager returns the address of a socket in a directory, and notes what comes there.
func serviceManager(t *testing.T, dir string, told *output) (address string) {
	t.Helper()
	address = filepath.Join(dir, "notify")
	l, err := net.ListenUnixgram("unixgram", &net.UnixAddr{Name: address, Net: "unixgram"})
	if err != nil {
		t.Fatal(err)
	}
	done := make(chan struct{})
	go func() {
		defer close(done)
		buf := make([]byte, 200)
		for {
			n, err := l.Read(buf)
			if err != nil {
				return
			}
			fmt.Fprintf(told, "%s\n", buf[:n])
		}
	}()
	t.Cleanup(func() {
		l.Close()
		<-done
	})
	return address
}

// A reloadTest is a site whose cameras are a crowd.
type reloadTest struct {
	site
	crowd *crowd
	p     *process
	of    map[string]string // by camera, what its configuration says behind the crowd's URL
}

func (x *reloadTest) yaml() string {
	var names []string
	for name := range x.of {
		names = append(names, name)
	}
	slices.Sort(names)
	yaml := "recording: { length: 5s, sync: 500ms }\ncameras:\n"
	for _, name := range names {
		yaml += "  " + name + ": { url: " + x.crowd.url + x.of[name] + " }\n"
	}
	return yaml
}

// lineOf says where in the configuration file a word is first, as messages do.
func (x *reloadTest) lineOf(t *testing.T, word string) string {
	t.Helper()
	text, err := os.ReadFile(x.config)
	if err != nil {
		t.Fatal(err)
	}
	before, _, found := strings.Cut(string(text), word)
	if !found {
		t.Fatalf("%q is not in the configuration", word)
	}
	return fmt.Sprintf("%s:%d:", x.config, strings.Count(before, "\n")+1)
}

// path is the path of the URL of a camera.
func (x *reloadTest) path(camera string) string {
	path, _, _ := strings.Cut(x.of[camera], ",")
	return path
}

// advance waits until every camera of the configuration has sent two seconds more, and those that are not in it have been left.
func (x *reloadTest) advance(t *testing.T) {
	t.Helper()
	wanted, before := map[string]bool{}, x.crowd.ask(t, "report")
	for name := range x.of {
		wanted[x.path(name)] = true
	}
	frames := func(s []sending) (n int) {
		for _, s := range s {
			n += s.Video
		}
		return n
	}
	waitFor(t, 30*time.Second, "two seconds of every camera", func() bool {
		now := x.crowd.ask(t, "report")
		for path := range wanted {
			if frames(now[path]) < frames(before[path])+50 {
				return false
			}
		}
		for path, s := range now {
			if !wanted[path] && !s[len(s)-1].Over {
				return false
			}
		}
		return true
	})
}

// reload writes the configuration and has it read.
func (x *reloadTest) reload(t *testing.T, want ...string) {
	t.Helper()
	x.configure(t, x.yaml())
	x.hangup(t, want...)
}

// hangup sends SIGHUP, and waits for a line of the log that has all that is wanted.
func (x *reloadTest) hangup(t *testing.T, want ...string) {
	t.Helper()
	before := len(x.p.stderr.String())
	if err := x.p.cmd.Process.Signal(syscall.SIGHUP); err != nil {
		t.Fatal(err)
	}
	var said string
	waitFor(t, 20*time.Second, fmt.Sprintf("a line with %q", want), func() bool {
		said = x.p.stderr.String()[before:]
		for line := range strings.Lines(said) {
			if !slices.ContainsFunc(want, func(w string) bool { return !strings.Contains(line, w) }) {
				return true
			}
		}
		return false
	})
}

// compare compares what the cameras have sent with what is mounted: as many frames, in their order.
func (x *reloadTest) compare(t *testing.T, file string, sent map[string][]sending) {
	t.Helper()
	x.mount(t)
	played := frameBytes(t, file)
	const removed, changed, last = "removed from the configuration", "the configuration has another address for it", "the camera closed the connection"
	for name := range x.of {
		got := x.recorded(t, name)
		reasons := []string{last}
		if name == "cam07" { // what was sent to the one that left, it did not read to the end
			reasons = []string{changed, last}
			left := max(0, len(got)-sent["second07"][0].Video)
			x.compareFrames(t, "first07", got[:left], played, min(left, sent["first07"][0].Video))
			got = got[left:]
		}
		x.compareRuns(t, name, reasons)
		path := x.path(name)
		if n := len(sent[path]); n != 1 {
			t.Fatalf("%s had %d readers, want 1: %+v", path, n, sent[path])
		}
		x.compareFrames(t, path, got, played, sent[path][0].Video)
	}
	got := x.recorded(t, "cam03")
	x.compareRuns(t, "cam03", []string{removed})
	x.compareFrames(t, "first03", got, played, min(len(got), sent["first03"][0].Video))
}

// recorded returns all frames that are mounted of a camera.
func (x *reloadTest) recorded(t *testing.T, name string) (all [][]byte) {
	t.Helper()
	for _, path := range x.entries(t, name) {
		all = append(all, frameBytes(t, path)...)
	}
	return all
}

// compareFrames compares frames with as many of what a camera played, from the first one on, again and again.
func (x *reloadTest) compareFrames(t *testing.T, path string, got, played [][]byte, n int) {
	t.Helper()
	if len(got) != n || n < 50 {
		t.Errorf("%s: there are %d frames of %d that were sent", path, len(got), n)
	}
	for i := range got {
		if !bytes.Equal(got[i], played[i%len(played)]) {
			t.Errorf("%s: frame %d is another one", path, i)
			return
		}
	}
}

func (x *reloadTest) compareRuns(t *testing.T, name string, want []string) {
	t.Helper()
	var runs []struct {
		Reason string `json:"end_reason"`
	}
	decode(t, []byte(mustRun(t, nvrfs("ls", "--data", x.data, "--json", "--reasons", name))), &runs)
	var got []string
	for _, r := range runs {
		got = append(got, r.Reason)
	}
	if len(got) != len(want) || !slices.EqualFunc(got, want, strings.Contains) {
		t.Errorf("%s: the runs ended for %q, want %q", name, got, want)
	}
}

// frameBytes returns the bytes of each frame of a file's picture.
func frameBytes(t *testing.T, path string) (all [][]byte) {
	t.Helper()
	track := clip(t, path).Tracks()[0]
	for i := range track.Len() {
		data, err := track.Read(i)
		if err != nil {
			t.Fatalf("%s: %v", filepath.Base(path), err)
		}
		all = append(all, data)
	}
	return all
}
