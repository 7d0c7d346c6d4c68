package bench_test

import (
	"bytes"
	"context"
	"fmt"
	"io/fs"
	"math"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"nvrfs/camera"
	"nvrfs/schema"
)

// BenchmarkRecord records cameras with the built program, `nvrfs run`, and measures that process alone. The cameras are a
// process of their own (see cameras), and play over TCP. What is reported, of a window in the middle of a run unless it
// says otherwise:
//
//	cpu-s/stream-minute   user and system time of the recorder
//	MB                    its resident memory at the end of the window
//	MB/stream             that beyond the run of one stream, by further stream
//	x-sample-bytes        bytes that it had the disk write (file headers, database and journal included), by bytes of samples.
//	                      In a window of minutes it has the database's checkpoints, too, which are 0.05 % more
//	frames-lost           video frames that the cameras sent and the archive does not have, of the whole run; must be 0
//	sounds-lost           the same of audio frames
//	wall-off-ms           by how much the archive's time of a first frame differs from when it was due, at most
//	late-ms               by how much the cameras were late themselves; where it is much, the host was too slow for both
//	read-MB/s             what was read through a mount at the same time
//	syscalls/minute, syncs/minute, of each stream, counted by strace in a run of its own, where it is installed
//
// Without prepared data it records two cameras for two seconds, to see that it works. NVRFS_BENCH_DATA names a directory
// for the real runs, on the disk that is to be measured; they play record.mp4 there, which ffmpeg makes where it is missing:
// 10 s of 1080p25 H.264 and AAC at 4 Mbit/s. NVRFS_BENCH_SECONDS is the length of the window, 10 unless set; as a multiple
// of 10 it holds whole laps of the clip. 64 streams for ten minutes, with some 20 GB of space in that directory, is
//
//	NVRFS_BENCH_DATA=/var/tmp/bench NVRFS_BENCH_SECONDS=600 go test -run '^$' -bench 'Record/streams=64$' -benchtime 1x -timeout 20m ./bench
func BenchmarkRecord(b *testing.B) {
	data := os.Getenv(dataVariable)
	if data != "" && !filepath.IsAbs(data) {
		b.Fatalf("%s is %s, want an absolute path", dataVariable, data)
	}
	seconds := 10.0
	if s := os.Getenv("NVRFS_BENCH_SECONDS"); s != "" {
		var err error
		if seconds, err = strconv.ParseFloat(s, 64); err != nil {
			b.Fatalf("NVRFS_BENCH_SECONDS: %v", err)
		}
	}
	r := recordBench{clip: "../camera/clip.mp4", window: 2 * time.Second, streams: 2}
	if data == "" {
		r.dir = b.TempDir()
		b.Run("streams=2", r.run)
		return
	}
	r.dir, r.clip, r.codecs = data, filepath.Join(data, "record.mp4"), recordedCodecs[0]
	r.settle, r.window = 3*time.Second, time.Duration(seconds*float64(time.Second))
	r.makeClip(b)
	for _, n := range []int{1, 16, 64} {
		r.streams = n
		b.Run(fmt.Sprintf("streams=%d", n), r.run)
	}
	r.streams, r.reading = 16, true
	b.Run("streams=16,reading", r.run)
	r.streams, r.reading, r.tracing = 16, false, true
	b.Run("streams=16,strace", r.run)
	r.streams, r.tracing = 8, false
	for _, codecs := range recordedCodecs {
		r.clip, r.codecs = filepath.Join(data, "record-"+codecs.name+".mov"), codecs
		r.makeClip(b)
		b.Run("streams=8,"+codecs.name, r.run)
	}
}

// codecOptions are ffmpeg's, for a clip of codecs.
type codecOptions struct {
	name         string
	video, audio []string
}

// recordedCodecs are measured beside each other, at 4 Mbit/s each, the first as what the others are compared with.
var recordedCodecs = []codecOptions{
	{"h264-aac", h264Options, aacOptions},
	{"h264-g711", h264Options, g711Options},
	{"h265-g711", strings.Fields("-c:v libx265 -preset ultrafast -x265-params log-level=error:keyint=50:min-keyint=50:scenecut=0:bframes=0:bitrate=4050:vbv-maxrate=4050:vbv-bufsize=2000 -tag:v hvc1"), g711Options},
	{"av1-opus", strings.Fields("-c:v libaom-av1 -usage realtime -cpu-used 8 -g 50 -b:v 4050k"), strings.Fields("-c:a libopus -b:a 64k -f mp4")},
	{"mjpeg-g711", strings.Fields("-c:v mjpeg -huffman default -pix_fmt yuvj420p -b:v 4050k -s 960x540"), g711Options},
}

var (
	h264Options = strings.Fields("-c:v libx264 -preset ultrafast -tune zerolatency -x264-params keyint=50:min-keyint=50:scenecut=0:force-cfr=1 " +
		"-b:v 4050k -minrate 4050k -maxrate 4050k -bufsize 1M -pix_fmt yuv420p")
	aacOptions  = strings.Fields("-c:a aac -b:a 64k")
	g711Options = strings.Fields("-ar 8000 -c:a pcm_alaw")
)

// recordBench is one of BenchmarkRecord's.
type recordBench struct {
	dir     string // for what is recorded
	clip    string
	codecs  codecOptions  // of the clip
	settle  time.Duration // before the window
	window  time.Duration
	streams int
	reading bool // through a mount, at the same time
	tracing bool // system calls
}

// memoryOfOne is the MB of the run with one stream.
var memoryOfOne float64

func (r *recordBench) makeClip(b *testing.B) {
	if _, err := os.Stat(r.clip); err == nil {
		return
	}
	half := strings.TrimSuffix(r.clip, filepath.Ext(r.clip)) + ".new" + filepath.Ext(r.clip)
	args := []string{
		"-v", "error", "-y",
		"-f", "lavfi", "-i", "testsrc2=size=1920x1080:rate=25,noise=alls=12:allf=t",
		"-f", "lavfi", "-i", "sine=frequency=440:sample_rate=48000,aformat=channel_layouts=mono",
		"-t", "10",
	}
	args = slices.Concat(args, r.codecs.video, r.codecs.audio, []string{"-movflags", "+faststart", half})
	cmd := exec.Command("ffmpeg", args...)
	if out, err := cmd.CombinedOutput(); err != nil {
		b.Skipf("make %s: %v\n%s", r.clip, err, out)
	}
	if err := os.Rename(half, r.clip); err != nil {
		b.Fatal(err)
	}
}

func (r *recordBench) run(b *testing.B) {
	if r.tracing {
		if _, err := exec.LookPath("strace"); err != nil {
			b.Skip(err)
		}
	}
	if r.reading {
		if _, err := os.Stat("/dev/fuse"); err != nil {
			b.Skip(err)
		}
	}
	for range b.N {
		r.once(b)
	}
}

// once records, and reports.
func (r *recordBench) once(b *testing.B) {
	dir, err := os.MkdirTemp(r.dir, "record-")
	if err != nil {
		b.Fatal(err)
	}
	defer os.RemoveAll(dir)
	cams := startCrowd(b, r.clip)
	defer cams.end(b)
	config := r.configure(b, dir, cams.url)
	rec := r.start(b, config)
	defer rec.stop() //nolint:errcheck // looked at below
	cams.await(b, func(sent []sentFrames) bool {
		playing := slices.DeleteFunc(sent, func(s sentFrames) bool { return s.Video == 0 })
		return len(playing) == r.streams
	})

	time.Sleep(r.settle)
	reader := r.startReader(rec.root + filepath.Join(dir, "mnt"))
	calls := r.trace(b, rec.pid())
	before, from := processUse(b, rec.pid()), time.Now()
	time.Sleep(r.window)
	after, minutes := processUse(b, rec.pid()), time.Since(from).Minutes()*float64(r.streams)
	read := reader.stop()

	rec.expectQuiet(b)
	sent := cams.ask(b, "stop")
	rec.awaitEnds(b, r.streams)
	if err := rec.stop(); err != nil {
		b.Error(err)
	}
	if out, err := exec.Command(program(b, nvrfs), "check", "--level", "hash", "--config", config).CombinedOutput(); err != nil {
		b.Errorf("nvrfs check: %v\n%s", err, out)
	}
	r.reportLoss(b, filepath.Join(dir, "data"), sent)
	b.ReportMetric(0, "ns/op") // which would only say how long it took
	if r.tracing {             // nothing else is true of a process that is traced
		for name, n := range calls() {
			b.ReportMetric(n/minutes, name+"/minute")
		}
		return
	}
	if r.reading {
		b.ReportMetric(read, "read-MB/s")
	}
	r.reportUse(b, before, after, minutes)
}

// reportUse reports what the recorder used in the window, of so many minutes of all streams together.
func (r *recordBench) reportUse(b *testing.B, before, after use, minutes float64) {
	b.ReportMetric((after.cpu-before.cpu)/minutes, "cpu-s/stream-minute")
	b.ReportMetric(after.memory, "MB")
	if r.streams == 1 {
		memoryOfOne = after.memory
	} else if memoryOfOne > 0 {
		b.ReportMetric((after.memory-memoryOfOne)/float64(r.streams-1), "MB/stream")
	}
	if r.window >= 10*time.Second { // several commits
		b.ReportMetric((after.written-before.written)/(minutes*bytesPerMinute(b, r.clip)), "x-sample-bytes")
	}
}

// recorderProcess is an `nvrfs run`.
type recorderProcess struct {
	cmd  *exec.Cmd
	log  log
	root string       // what to put before a path to see it as the process does
	stop func() error // as often as one likes
}

func (p *recorderProcess) pid() int { return p.cmd.Process.Pid }

func (r *recordBench) start(b *testing.B, config string) *recorderProcess {
	p := &recorderProcess{cmd: exec.Command(program(b, nvrfs), "run", "--config", config, "--log-format", "text")}
	p.cmd.Stderr = &p.log
	own := r.reading && os.Geteuid() == 0
	if own { // its mount is its own: nobody else keeps it busy, and it goes with the process
		p.cmd.SysProcAttr = &syscall.SysProcAttr{Unshareflags: syscall.CLONE_NEWNS}
	}
	if err := p.cmd.Start(); err != nil {
		b.Fatal(err)
	}
	if own {
		p.root = fmt.Sprintf("/proc/%d/root", p.pid())
	}
	p.stop = sync.OnceValue(func() error {
		_ = p.cmd.Process.Signal(syscall.SIGTERM) // it may have ended
		if err := p.cmd.Wait(); err != nil {
			return fmt.Errorf("nvrfs run: %w\n%s", err, p.log.text())
		}
		return nil
	})
	return p
}

// expectQuiet fails where the log has warnings.
func (p *recorderProcess) expectQuiet(b *testing.B) {
	if text := p.log.text(); strings.Contains(text, "WARN") || strings.Contains(text, "ERROR") {
		b.Errorf("nvrfs run:\n%s", text)
	}
}

// awaitEnds waits for the log to say that so many cameras are no longer recorded, which comes behind their last frames.
func (p *recorderProcess) awaitEnds(b *testing.B, streams int) {
	for deadline := time.Now().Add(time.Minute); strings.Count(p.log.text(), "closed the connection") < streams; {
		if time.Now().After(deadline) {
			b.Fatalf("not every session ended after a minute:\n%s", p.log.text())
		}
		time.Sleep(50 * time.Millisecond)
	}
}

// configure writes a configuration file and makes what it names.
func (r *recordBench) configure(b *testing.B, dir, url string) string {
	var c strings.Builder
	fmt.Fprintf(&c, "data: %s\ntimezone: UTC\n", filepath.Join(dir, "data"))
	dirs := []string{"data"}
	if r.reading {
		dirs = append(dirs, "mnt")
		fmt.Fprintf(&c, "mount: %s\n", filepath.Join(dir, "mnt"))
	}
	c.WriteString("cameras:\n")
	for i := range r.streams {
		fmt.Fprintf(&c, "  camera-%02d: { url: \"%scamera-%02[1]d\" }\n", i, url)
	}
	for _, d := range dirs {
		if err := os.MkdirAll(filepath.Join(dir, d), 0o755); err != nil {
			b.Fatal(err)
		}
	}
	config := filepath.Join(dir, "nvrfs.yaml")
	if err := os.WriteFile(config, []byte(c.String()), 0o600); err != nil {
		b.Fatal(err)
	}
	return config
}

// reportLoss compares what was sent with what the archive has.
func (r *recordBench) reportLoss(b *testing.B, data string, sent []sentFrames) {
	var video, audio int64
	late := 0.0
	for _, s := range sent {
		video, audio, late = video+s.Video, audio+s.Audio, max(late, s.Late)
	}
	gotVideo, gotAudio, starts := framesIn(b, data)
	off := 0.0
	for _, s := range sent {
		off = max(off, math.Abs(starts[s.Path]-s.First))
	}
	b.ReportMetric(off*1000, "wall-off-ms")
	b.ReportMetric(float64(video-gotVideo), "frames-lost")
	if !strings.HasSuffix(r.codecs.name, "g711") { // of which rows count bytes, not packets
		b.ReportMetric(float64(audio-gotAudio), "sounds-lost")
	}
	b.ReportMetric(late*1000, "late-ms")
	b.Logf("%d sessions sent %d frames and %d of sound; recorded were %d and %d", len(sent), video, audio, gotVideo, gotAudio)
	if video != gotVideo {
		b.Errorf("%d frames of video are lost", video-gotVideo)
	}
}

// framesIn counts the samples of a data directory that nobody records into, and tells when each camera's first run starts,
// in seconds since 1970.
func framesIn(b *testing.B, data string) (video, audio int64, starts map[string]float64) {
	ctx := context.Background()
	db, err := schema.OpenReadOnly(ctx, data)
	if err != nil {
		b.Fatal(err)
	}
	defer db.Close()
	streams, err := db.Streams(ctx)
	if err != nil {
		b.Fatal(err)
	}
	starts = map[string]float64{}
	for _, s := range streams {
		first, _, err := db.FirstStart(ctx, s.ID, 0)
		if err != nil {
			b.Fatal(err)
		}
		starts[s.Camera] = float64(first) / 90000
		recordings, err := db.StartingIn(ctx, s.ID, 0, math.MaxInt64)
		if err != nil {
			b.Fatal(err)
		}
		for _, r := range recordings {
			video += int64(r.Tracks[0].Samples)
			if len(r.Tracks) > 1 {
				audio += int64(r.Tracks[1].Samples)
			}
		}
	}
	return video, audio, starts
}

// bytesPerMinute is what the samples of the clip take up.
func bytesPerMinute(b *testing.B, path string) float64 {
	f, err := os.Open(path)
	if err != nil {
		b.Fatal(err)
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		b.Fatal(err)
	}
	clip, err := camera.ParseClip(f, info.Size())
	if err != nil {
		b.Fatal(err)
	}
	bytes := 0.0
	for _, track := range clip.Tracks() {
		for i := range track.Len() {
			bytes += float64(track.Sample(i).Size)
		}
	}
	return bytes / clip.Duration().Minutes()
}

// use is what a process has used so far.
type use struct {
	cpu     float64 // seconds, user and system
	memory  float64 // resident, MB
	written float64 // bytes, to disks
}

// processUse reads proc_pid_stat(5) and proc_pid_io(5).
func processUse(b *testing.B, pid int) (u use) {
	read := func(name string) string {
		text, err := os.ReadFile(fmt.Sprintf("/proc/%d/%s", pid, name))
		if err != nil {
			b.Fatal(err)
		}
		return string(text)
	}
	number := func(s string) float64 {
		n, err := strconv.ParseFloat(s, 64)
		if err != nil {
			b.Fatal(err)
		}
		return n
	}
	const ticks = 100 // a second, as on every Linux of Debian
	stat := read("stat")
	fields := strings.Fields(stat[strings.LastIndex(stat, ")")+1:])
	u.cpu = (number(fields[11]) + number(fields[12])) / ticks
	u.memory = residentMB(b, pid)
	for line := range strings.Lines(read("io")) {
		if n, ok := strings.CutPrefix(line, "write_bytes: "); ok {
			u.written = number(strings.TrimSpace(n))
		}
	}
	return u
}

// trace counts the system calls of a process until the window ends. The counts are "syscalls" and "syncs".
func (r *recordBench) trace(b *testing.B, pid int) func() map[string]float64 {
	if !r.tracing {
		return nil
	}
	var out bytes.Buffer
	cmd := exec.Command("strace", "-c", "-f", "-p", strconv.Itoa(pid))
	cmd.Stderr = &out
	if err := cmd.Start(); err != nil {
		b.Fatal(err)
	}
	ended := make(chan error, 1)
	go func() {
		time.Sleep(r.window)
		_ = cmd.Process.Signal(syscall.SIGINT)
		ended <- cmd.Wait()
	}()
	return func() map[string]float64 {
		<-ended // strace ends with the signal
		lines := straceLine.FindAllStringSubmatch(out.String(), -1)
		if len(lines) == 0 {
			b.Skipf("strace: %s", out.String())
		}
		counts := map[string]float64{"syscalls": 0, "syncs": 0}
		for _, m := range lines {
			n, _ := strconv.ParseFloat(m[1], 64)
			switch m[2] {
			case "total":
				continue
			case "fsync", "fdatasync", "sync_file_range", "syncfs":
				counts["syncs"] += n
			}
			counts["syscalls"] += n
		}
		b.Logf("\n%s", out.String())
		return counts
	}
}

// straceLine is a line of strace's table: % time, seconds, usecs/call, calls, perhaps errors, syscall.
var straceLine = regexp.MustCompile(`(?m)^ *[0-9.]+ +[0-9.]+ +[0-9]+ +([0-9]+)(?: +[0-9]+)? +(\w+)$`)

// mountReader reads a mount from end to end, again and again.
type mountReader struct {
	stop func() (mbPerSecond float64)
}

func (r *recordBench) startReader(mount string) mountReader {
	if !r.reading {
		return mountReader{func() float64 { return 0 }}
	}
	ctx, cancel := context.WithCancel(context.Background())
	var wg sync.WaitGroup
	var total int64
	from := time.Now()
	wg.Go(func() {
		buf := make([]byte, 1<<20)
		for ctx.Err() == nil {
			n := readTree(ctx, mount, buf)
			if total += n; n == 0 {
				time.Sleep(100 * time.Millisecond) // nothing is there yet
			}
		}
	})
	return mountReader{func() float64 {
		cancel()
		wg.Wait()
		return float64(total) / 1e6 / time.Since(from).Seconds()
	}}
}

// readTree reads every file below a directory. What goes while it is read is not missed: an entry that has grown.
func readTree(ctx context.Context, dir string, buf []byte) (total int64) {
	_ = filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return ctx.Err()
		}
		f, err := os.Open(path)
		if err != nil {
			return ctx.Err()
		}
		defer f.Close()
		for ctx.Err() == nil {
			n, err := f.Read(buf)
			total += int64(n)
			if err != nil {
				return ctx.Err()
			}
		}
		return ctx.Err()
	})
	return total
}
