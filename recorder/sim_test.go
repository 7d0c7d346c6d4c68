package recorder

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"iter"
	"log/slog"
	"maps"
	"math"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"testing"
	"time"
	"unsafe"

	"nvrfs/camera"
	"nvrfs/integration/mp4check"
	"nvrfs/media"
	"nvrfs/mp4"
	"nvrfs/playback"
	"nvrfs/schema"
	"nvrfs/store"
	"nvrfs/store/dir"
)

// A simCamera is a camera whose every sample, and the time at which each comes, is computed.
type simCamera struct {
	start     time.Time // when the first frame is taken, by a perfect clock; with a monotonic reading
	fps       int       // 0 means 25
	gop       int       // frames; 0 means 50
	bFrames   bool
	audioRate int           // ticks a second; 0 for no audio
	audioLate time.Duration // how much later than the picture of the same time the sound comes
	audioFrom time.Duration // when the first sound is made
	audioEnd  time.Duration // when the last is; 0 means never
	burst     int           // frames that were buffered when the session began, and come at once
	jitter    time.Duration // the most by which packets are delayed on their way
	ppm       float64       // by how much the camera's clock is fast
	origin90k int64         // DTS of the first frame
	run       uint32        // stands in the samples, with their numbers
}

func (c simCamera) withDefaults() simCamera {
	if c.start.IsZero() {
		c.start = at(time.Date(2026, 3, 14, 9, 26, 53, 0, time.UTC))
	}
	if c.fps == 0 {
		c.fps = 25
	}
	if c.gop == 0 {
		c.gop = 50
	}
	return c
}

// at returns t with a monotonic reading that fits.
func at(t time.Time) time.Time {
	now := time.Now()
	return now.Add(t.Sub(now))
}

// stepped returns t as a host would have read it whose wall clock was set by d before.
func stepped(t time.Time, d time.Duration) time.Time {
	t = t.Add(d)
	// The layout of time.Time with a monotonic reading: flags and wall time, then nanoseconds of the monotonic clock.
	(*struct {
		wall uint64
		mono int64
		loc  *time.Location
	})(unsafe.Pointer(&t)).mono -= int64(d)
	return t
}

func TestStepped(t *testing.T) {
	a := time.Now()
	b := stepped(a.Add(time.Minute), time.Hour)
	if b.Sub(a) != time.Minute || b.Round(0).Sub(a.Round(0)) != time.Hour+time.Minute {
		t.Fatalf("%v, %v", b.Sub(a), b.Round(0).Sub(a.Round(0)))
	}
}

// tracks returns the sample entries of the camera.
func (c simCamera) tracks() []media.SampleEntry {
	v := camera.DemoClip().Video
	e, err := mp4.NewAVC(v.SPS, v.PPS)
	if err != nil {
		panic(err)
	}
	tracks := []media.SampleEntry{e}
	if c.audioRate > 0 {
		config := map[int][]byte{44100: {0x12, 0x10}, 48000: {0x11, 0x90}, 16000: {0x14, 0x08}}[c.audioRate]
		a, err := mp4.NewAAC(config)
		if err != nil {
			panic(err)
		}
		tracks = append(tracks, a)
	}
	return tracks
}

// otherEntry is a sample entry of video that differs from that of tracks.
func otherEntry() media.SampleEntry {
	e, err := mp4.NewAVC(testSPS(4, 0, false), testPPS(0))
	if err != nil {
		panic(err)
	}
	return e
}

// samples yields what the camera sends in the first d of its clock, as it comes. It never ends when d is 0.
func (c simCamera) samples(d time.Duration) iter.Seq[media.Sample] {
	c = c.withDefaults()
	return func(yield func(media.Sample) bool) {
		rnd := rand.New(rand.NewPCG(7, 7))
		delay := func() time.Duration {
			if c.jitter == 0 {
				return 0
			}
			return time.Duration(rnd.Int64N(int64(c.jitter)))
		}
		var lastVideo, lastAudio time.Time
		videoAt := func(i int) time.Time { return c.taken(float64(max(i, c.burst-1)) / float64(c.fps)) }
		audioTime := func(i int) float64 { return c.audioFrom.Seconds() + float64(i)*1024/float64(c.audioRate) }
		for v, a := 0, 0; ; {
			if d > 0 && time.Duration(float64(v)/float64(c.fps)*1e9) >= d {
				return
			}
			if c.audioRate > 0 && (c.audioEnd == 0 || audioTime(a) < c.audioEnd.Seconds()) {
				if t := c.taken(audioTime(a)).Add(c.audioLate); t.Before(videoAt(v)) {
					lastAudio = latest(lastAudio, t.Add(delay()))
					if !yield(c.sound(a, lastAudio)) {
						return
					}
					a++
					continue
				}
			}
			lastVideo = latest(lastVideo, videoAt(v).Add(delay()))
			if !yield(c.picture(v, lastVideo)) {
				return
			}
			v++
		}
	}
}

func latest(a, b time.Time) time.Time {
	if a.After(b) {
		return a
	}
	return b
}

// taken is when something that is s seconds into the run by the camera's clock happens.
func (c simCamera) taken(s float64) time.Time {
	return c.start.Add(time.Duration(s / (1 + c.ppm/1e6) * 1e9))
}

// picture is frame i, in decoding order. With B-frames, threes are decoded last first.
func (c simCamera) picture(i int, received time.Time) media.Sample {
	frame := int64(90000 / c.fps)
	s := media.Sample{DTS: c.origin90k + int64(i)*frame, Sync: i%c.gop == 0, Received: received}
	if k := i % c.gop; c.bFrames {
		switch group := (k - 1) / 3 * 3; {
		case k == 0 || group+3 >= c.gop:
			s.CTS = int32(frame)
		case k == group+1:
			s.CTS = int32(3 * frame)
		}
	}
	nal := byte(0x41)
	if s.Sync {
		nal = 0x65
	}
	body := append([]byte{nal}, c.mark(video, i)...)
	s.Data = append(binary.BigEndian.AppendUint32(nil, uint32(len(body))), body...)
	return s
}

func (c simCamera) sound(i int, received time.Time) media.Sample {
	from := int64(c.audioFrom.Seconds()*float64(c.audioRate)) + media.Rescale(c.origin90k, 90000, uint32(c.audioRate))
	return media.Sample{Track: 1, DTS: from + int64(i)*1024, Sync: true, Received: received, Data: c.mark(1, i)}
}

// mark is a content that no other sample has, of a length that varies.
func (c simCamera) mark(track, i int) []byte {
	b := binary.BigEndian.AppendUint32(nil, c.run)
	b = binary.BigEndian.AppendUint32(append(b, byte(track)), uint32(i))
	return append(b, bytes.Repeat([]byte{byte(i) | 1}, i*31%97)...)
}

// bench is a recorder's core without its goroutines: what a test gives it to do, it does at once.
type bench struct {
	t      *testing.T
	dir    string
	db     *schema.DB
	store  *faultStore
	disk   *disk
	stream *stream
	log    logBuffer
	rows   map[schema.RecordingID]schema.Recording // as checked last
}

func newBench(t *testing.T, length time.Duration) *bench {
	t.Helper()
	b := &bench{t: t, dir: t.TempDir()}
	var err error
	if b.db, err = schema.Create(t.Context(), b.dir); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { b.db.Close() })
	dir, err := dir.Attach(filepath.Join(b.dir, schema.DefaultSampleDir), b.db.UUID())
	if err != nil {
		t.Fatal(err)
	}
	var row schema.Stream
	err = b.db.Write(t.Context(), func(tx *schema.Tx) error {
		row, err = tx.Stream("cam", "main")
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	b.store = newFaultStore(dir)
	log := newTestLog(&b.log)
	b.disk = newDisk(1, b.store, b.db, time.Hour, log)
	b.stream = newStream(StreamOptions{}, row, b.disk, length, log)
	b.stream.stagger90k = 0
	t.Cleanup(b.disk.closeAll)
	return b
}

// commit writes and commits what was enqueued, and checks what then is on the disk.
func (b *bench) commit() {
	b.t.Helper()
	b.disk.writeAll()
	b.disk.commit()
	b.checkRows()
}

// session starts a session of a camera.
func (b *bench) session(c simCamera) *session {
	b.t.Helper()
	s := newSession(b.stream)
	if err := s.Start(c.tracks()); err != nil {
		b.t.Fatal(err)
	}
	return s
}

// record records a camera for a while by its clock, in one run, and returns what it sent.
func (b *bench) record(c simCamera, d time.Duration) (given []media.Sample) {
	b.t.Helper()
	s := b.session(c)
	for x := range c.samples(d) {
		given = append(given, x)
		if err := s.Sample(x); err != nil {
			b.t.Fatalf("sample %d of track %d: %v", x.DTS, x.Track, err)
		}
		if len(given)%500 == 0 {
			b.commit()
		}
	}
	if err := s.finish("stopped"); err != nil {
		b.t.Fatal(err)
	}
	b.commit()
	return given
}

// recordings lists the rows, in order of their numbers.
func (b *bench) recordings() []schema.Recording {
	b.t.Helper()
	return rowsOf(b.t, b.db, b.stream.row.ID)
}

// wantRuns checks for what the runs have ended, in order.
func (b *bench) wantRuns(want []string) {
	b.t.Helper()
	runs, err := b.db.Runs(b.t.Context(), b.stream.row.ID, 0, math.MaxInt64)
	if err != nil {
		b.t.Fatal(err)
	}
	var got []string
	for _, r := range runs {
		got = append(got, r.EndReason)
	}
	if !slices.Equal(got, want) {
		b.t.Errorf("runs ended for %q, want %q", got, want)
	}
}

func rowsOf(t *testing.T, db *schema.DB, stream int64) []schema.Recording {
	t.Helper()
	recs, err := db.StartingIn(context.Background(), stream, 0, 1<<62)
	if err != nil {
		t.Fatal(err)
	}
	slices.SortFunc(recs, func(a, b schema.Recording) int { return int(a.ID - b.ID) })
	return recs
}

// checkRows checks that every row counts bytes that are durable, that its index describes them, that it only grew, and that
// the recordings of a run join.
func (b *bench) checkRows() {
	b.t.Helper()
	recs := b.recordings()
	now := map[schema.RecordingID]schema.Recording{}
	for i := range recs {
		r := &recs[i]
		now[r.ID] = *r
		key := store.Key{Stream: "cam", Number: r.ID.Number()}
		if synced, named := b.store.durable(key); r.Bytes > synced || !named {
			b.t.Errorf("row %s counts %d bytes, of which %d are synced; name synced: %v", r.ID, r.Bytes, synced, named)
		}
		if before := b.rows[r.ID]; before.Sealed && fmt.Sprint(before) != fmt.Sprint(*r) || before.Bytes > r.Bytes || before.ID != 0 && (r.Start90k > before.Start90k || r.Sequence > 0 && r.Start90k != before.Start90k) {
			b.t.Errorf("row was %+v, is %+v", before, *r)
		}
		if fmt.Sprint(b.rows[r.ID]) != fmt.Sprint(*r) {
			b.checkFile(r, key)
		}
		if i > 0 && recs[i-1].Run == r.Run {
			checkJoin(b.t, &recs[i-1], r)
		}
	}
	for id := range b.rows {
		if now[id].ID == 0 {
			b.t.Errorf("row %s is gone", id)
		}
	}
	b.rows = now
}

// checkFile checks that a file holds what its row says.
func (b *bench) checkFile(r *schema.Recording, key store.Key) {
	b.t.Helper()
	size, err := b.store.Size(key)
	if err != nil {
		b.t.Fatal(err)
	}
	f, err := b.store.Open(key)
	if err != nil {
		b.t.Fatal(err)
	}
	defer f.Close()
	found, err := readSampleFile(f, r.Bytes)
	if err != nil || found.Torn != nil || found.Bytes != r.Bytes || found.HeaderBytes != r.HeaderBytes {
		b.t.Fatalf("file of %s read back up to its row's %d bytes: %+v, %v", r.ID, r.Bytes, found, err)
	}
	packed, err := b.db.PackedIndex(context.Background(), r.ID)
	if err != nil {
		b.t.Fatal(err)
	}
	if !bytes.Equal(packed, found.index.Bytes()) {
		b.t.Errorf("index of %s is not that of its file", r.ID)
	}
	if r.Sealed {
		if err := mp4.CheckSeal(f, r.Bytes, size); err != nil {
			b.t.Errorf("sealed row %s: %v", r.ID, err)
		}
	}
}

func checkJoin(t *testing.T, a, b *schema.Recording) {
	t.Helper()
	va, vb := a.Tracks[video], b.Tracks[video]
	switch {
	case !a.Sealed:
		t.Errorf("recording %s is not sealed, and another follows in its run", a.ID)
	case b.Sequence != a.Sequence+1:
		t.Errorf("recording %s has sequence %d, the next %d", a.ID, a.Sequence, b.Sequence)
	case vb.Start != va.Start+va.Duration:
		t.Errorf("recording %s ends at media time %d, the next starts at %d", a.ID, va.Start+va.Duration, vb.Start)
	case a.End90k() != b.Start90k:
		t.Errorf("recording %s ends at %v, the next starts at %v", a.ID, media.ToTime(a.End90k()), media.ToTime(b.Start90k))
	}
}

// noProblems runs the closest Check over a data directory.
func noProblems(t *testing.T, dir string) {
	t.Helper()
	_, err := Check(context.Background(), dir, CheckOptions{
		Level: Hash, Total: func(int64) {}, Checked: func(int64) {},
		Found: func(p Problem) { t.Errorf("check: %v", p) },
	})
	if err != nil {
		t.Error(err)
	}
}

// shown is one sample of a joined file.
type shown struct {
	dts  int64 // ticks of the track, from the track's first
	cts  int32
	sync bool
	data string
}

// playBack is playBackStream of the camera that most tests record.
func playBack(t *testing.T, dir string) (days [][][]shown) {
	t.Helper()
	return playBackStream(t, dir, "cam")
}

// playBackStream reads each day of a stream as one file, which it checks, and returns the samples of each track.
func playBackStream(t *testing.T, dir, label string) (days [][][]shown) {
	t.Helper()
	lib, err := playback.Open(t.Context(), playback.Options{Data: dir, Location: time.UTC, Log: slog.New(slog.DiscardHandler)})
	if err != nil {
		t.Fatal(err)
	}
	defer lib.Close()
	s, err := lib.Stream(t.Context(), label)
	if errors.Is(err, playback.ErrNotFound) {
		return nil
	}
	if err != nil {
		t.Fatal(err)
	}
	spans, err := lib.Days(t.Context(), s)
	if err != nil {
		t.Fatal(err)
	}
	for _, day := range spans {
		e, err := lib.WholeDay(t.Context(), s, day)
		if err != nil {
			t.Fatal(err)
		}
		f, err := lib.Open(t.Context(), e, "test")
		if err != nil {
			t.Fatal(err)
		}
		days = append(days, readSamples(t, f))
	}
	return days
}

func readSamples(t *testing.T, f *playback.File) (tracks [][]shown) {
	t.Helper()
	report, err := mp4check.Check(f, f.Size())
	if err != nil {
		t.Fatal(err)
	}
	for _, track := range report.Tracks {
		var samples []shown
		for _, x := range track.Samples {
			data := make([]byte, x.Size)
			if _, err := f.ReadAt(data, x.Offset); err != nil {
				t.Fatal(err)
			}
			samples = append(samples, shown{x.DTS, int32(x.CTS - x.DTS), x.Sync, string(data)})
		}
		tracks = append(tracks, samples)
	}
	return tracks
}

// openLibrary opens the footage of the camera that most tests record.
func openLibrary(t *testing.T, dir string) (*playback.Library, playback.Stream) {
	t.Helper()
	lib, err := playback.Open(t.Context(), playback.Options{Data: dir, Location: time.UTC, Log: slog.New(slog.DiscardHandler)})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { lib.Close() })
	stream, err := lib.Stream(t.Context(), "cam")
	if err != nil {
		t.Fatal(err)
	}
	return lib, stream
}

// openDay opens the first day of the camera as one file.
func openDay(t *testing.T, dir string) *playback.File {
	t.Helper()
	lib, stream := openLibrary(t, dir)
	days, err := lib.Days(t.Context(), stream)
	if err != nil {
		t.Fatal(err)
	}
	e, err := lib.WholeDay(t.Context(), stream, days[0])
	if err != nil {
		t.Fatal(err)
	}
	f, err := lib.Open(t.Context(), e, "test")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(f.Close)
	return f
}

// openHours opens every entry of every hour of the camera.
func openHours(t *testing.T, dir string) (files []*playback.File) {
	t.Helper()
	lib, stream := openLibrary(t, dir)
	days, err := lib.Days(t.Context(), stream)
	if err != nil {
		t.Fatal(err)
	}
	for _, day := range days {
		hours, err := lib.Hours(t.Context(), stream, day)
		if err != nil {
			t.Fatal(err)
		}
		for _, hour := range hours {
			entries, err := lib.Entries(t.Context(), stream, hour)
			if err != nil {
				t.Fatal(err)
			}
			for _, e := range entries {
				f, err := lib.Open(t.Context(), e, "test")
				if err != nil {
					t.Fatal(err)
				}
				t.Cleanup(f.Close)
				files = append(files, f)
			}
		}
	}
	return files
}

// shownPictures lists the pictures that a file shows, by their numbers: those within its edit.
func shownPictures(t *testing.T, f *playback.File) (shown []int64) {
	t.Helper()
	report, err := mp4check.Check(f, f.Size())
	if err != nil {
		t.Fatal(err)
	}
	return picturesIn(t, f, report)
}

// picturesIn is shownPictures of a file that was checked.
func picturesIn(t *testing.T, f *playback.File, report *mp4check.Report) (shown []int64) {
	t.Helper()
	track := report.Tracks[video]
	edit := track.Edits[0]
	for _, x := range track.Samples {
		if x.CTS < edit.MediaTime || x.CTS >= edit.MediaTime+int64(edit.Duration) {
			continue
		}
		data := make([]byte, x.Size)
		if _, err := f.ReadAt(data, x.Offset); err != nil {
			t.Fatal(err)
		}
		shown = append(shown, numberOf(data))
	}
	return shown
}

// wantShown is how one run must come back: what was given, less the sound from before the first picture.
func wantShown(given []media.Sample, tracks []media.SampleEntry) (want [][]shown) {
	want = make([][]shown, len(tracks))
	origin, first := int64(-1), make([]int64, len(tracks))
	for _, x := range given {
		if origin < 0 {
			if x.Track != video || !x.Sync {
				continue
			}
			origin = x.DTS
		}
		dts := x.DTS - media.Rescale(origin, 90000, tracks[x.Track].Timescale)
		if dts < 0 {
			continue
		}
		if len(want[x.Track]) == 0 {
			first[x.Track] = dts
		}
		want[x.Track] = append(want[x.Track], shown{dts - first[x.Track], x.CTS, x.Sync, string(x.Data)})
	}
	return want
}

// checkShown checks that what was given in one run comes back exactly once, byte for byte, in order, with its times.
func (b *bench) checkShown(given []media.Sample, tracks []media.SampleEntry) {
	b.t.Helper()
	noProblems(b.t, b.dir)
	days := playBack(b.t, b.dir)
	if len(days) != 1 {
		b.t.Fatalf("footage on %d days", len(days))
	}
	compareShown(b.t, days[0], wantShown(given, tracks))
}

func compareShown(t *testing.T, got, want [][]shown) {
	t.Helper()
	if len(got) != len(want) {
		t.Fatalf("%d tracks, want %d", len(got), len(want))
	}
	for k := range want {
		if len(got[k]) != len(want[k]) {
			t.Errorf("track %d: %d samples, want %d", k, len(got[k]), len(want[k]))
		}
		for i := range min(len(got[k]), len(want[k])) {
			if got[k][i] != want[k][i] {
				t.Fatalf("track %d, sample %d: %+v, want %+v", k, i, got[k][i], want[k][i])
			}
		}
	}
}

// faultStore is a Store that fails when it is told to, and that knows what a power cut would leave.
type faultStore struct {
	store.Store
	keeps  bool // what a failed sync did not write can be read until the power is cut
	mu     sync.Mutex
	fail   func(op string, k store.Key) error // nil for no failures; called without the lock
	size   map[store.Key]int64
	synced map[store.Key]int64
	named  map[store.Key]bool
}

func newFaultStore(s store.Store) *faultStore {
	return &faultStore{Store: s, size: map[store.Key]int64{}, synced: map[store.Key]int64{}, named: map[store.Key]bool{}}
}

// failing has the operations fail for which f returns an error.
func (s *faultStore) failing(f func(op string, k store.Key) error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.fail = f
}

func (s *faultStore) try(op string, k store.Key) error {
	s.mu.Lock()
	f := s.fail
	s.mu.Unlock()
	if f == nil {
		return nil
	}
	return f(op, k)
}

// durable returns how many bytes of a file a power cut would leave, and whether it would leave the file's name.
func (s *faultStore) durable(k store.Key) (synced int64, named bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.synced[k], s.named[k]
}

func (s *faultStore) keys() []store.Key {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Collect(maps.Keys(s.size))
}

func (s *faultStore) Create(k store.Key) (store.Writer, error) {
	if err := s.try("create", k); err != nil {
		return nil, err
	}
	w, err := s.Store.Create(k)
	return s.writer(k, w), err
}

func (s *faultStore) Reopen(k store.Key) (store.Writer, error) {
	if err := s.try("reopen", k); err != nil {
		return nil, err
	}
	w, err := s.Store.Reopen(k)
	return s.writer(k, w), err
}

func (s *faultStore) Remove(k store.Key) error {
	if err := s.try("remove", k); err != nil {
		return err
	}
	s.mu.Lock()
	delete(s.size, k)
	delete(s.synced, k)
	delete(s.named, k)
	s.mu.Unlock()
	return s.Store.Remove(k)
}

func (s *faultStore) SyncDir(k store.Key) error {
	if err := s.try("syncdir", k); err != nil {
		return err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.named[k] = true
	return nil
}

func (s *faultStore) writer(k store.Key, w store.Writer) store.Writer {
	size, _ := s.Size(k)
	s.mu.Lock()
	defer s.mu.Unlock()
	if _, ok := s.size[k]; !ok {
		s.synced[k] = size // what another store wrote, long ago
	}
	s.size[k] = size
	return &faultWriter{w, s, k}
}

type faultWriter struct {
	store.Writer
	s *faultStore
	k store.Key
}

func (w *faultWriter) Append(p []byte) error {
	if err := w.s.try("append", w.k); err != nil {
		return err
	}
	if err := w.Writer.Append(p); err != nil {
		return err
	}
	w.s.mu.Lock()
	defer w.s.mu.Unlock()
	w.s.size[w.k] += int64(len(p))
	return nil
}

func (w *faultWriter) Truncate(size int64) error {
	if err := w.s.try("truncate", w.k); err != nil {
		return err
	}
	w.s.mu.Lock()
	w.s.size[w.k], w.s.synced[w.k] = size, min(size, w.s.synced[w.k])
	w.s.mu.Unlock()
	return w.Writer.Truncate(size)
}

// Sync, when it fails, leaves what Linux may: the pages that were not written are dropped, or are kept and count as
// written, and the next sync succeeds.
func (w *faultWriter) Sync() error {
	if err := w.s.try("sync", w.k); err != nil {
		return errors.Join(err, w.s.drop(w.k))
	}
	w.s.mu.Lock() // and that is all: nobody cuts the power of a test
	defer w.s.mu.Unlock()
	w.s.synced[w.k] = w.s.size[w.k]
	return nil
}

// drop overwrites what of a file is not synced, unless that is kept.
func (s *faultStore) drop(k store.Key) error {
	if s.keeps {
		return nil
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	f, err := os.OpenFile(s.Store.(*dir.Dir).Path(k), os.O_WRONLY, 0)
	if err != nil {
		return err
	}
	_, err = f.WriteAt(make([]byte, s.size[k]-s.synced[k]), s.synced[k])
	return errors.Join(err, f.Close())
}

func newTestLog(b *logBuffer) *slog.Logger { return slog.New(slog.NewTextHandler(b, nil)) }
