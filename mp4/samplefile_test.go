package mp4

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"reflect"
	"slices"
	"testing"

	"nvrfs/media"
	"nvrfs/media/box"
)

// specimen is a sample file of three or so fragments, with B-frames, sound, and a fragment without sound.
func specimen(t testing.TB) *recorded {
	c := newTestCamera(t, 1)
	c.bFrames, c.audio, c.startDTS = true, testAAC(t, "1210"), 12345
	c.runs, c.nextVideo, c.nextAudio = 1, c.startDTS, 6100
	r := &recorded{tracks: []recordedTrack{{entry: c.video}, {entry: *c.audio}}}
	c.fragment(r, c.gop(4), false)
	c.fragment(r, c.gop(1), true)
	c.fragment(r, c.gop(3), false)
	c.write(r)
	return r
}

// scan collects what Scan hands out.
func scan(file []byte) (f *SampleFile, frags []ScannedFragment, starts []int64, err error) {
	f, err = Scan(bytes.NewReader(file), int64(len(file)), func(f *SampleFile, x *ScannedFragment) error {
		frags, starts = append(frags, *x.Clone()), append(starts, f.Bytes)
		return nil
	})
	return f, frags, starts, err
}

// scanned is what Scan must give for the fragments of r.
func (r *recorded) scanned() (frags []ScannedFragment) {
	at := r.header
	for i, f := range r.fragments {
		data := int64(0)
		x := ScannedFragment{Bytes: r.ends[i] - at, Wall90k: f.Wall90k, Tracks: make([][]media.Sample, len(f.Tracks)), Entries: f.Entries}
		for k, t := range f.Tracks {
			for _, s := range t {
				data += int64(len(s.Data))
				s.Data = nil
				x.Tracks[k] = append(x.Tracks[k], s)
			}
		}
		x.HeaderLen = int(x.Bytes - data)
		frags, at = append(frags, x), r.ends[i]
	}
	return frags
}

func TestScanReadsBackWhatWasWritten(t *testing.T) {
	recs := []*recorded{specimen(t)}
	for seed := range uint64(30) {
		c := newTestCamera(t, seed)
		c.randomize()
		recs = append(recs, c.run(2, 1)...)
	}
	for _, r := range recs {
		f, frags, starts, err := scan(r.file)
		if err != nil || f.Torn != nil {
			t.Fatal(err, f.Torn)
		}
		if f.Identity != r.identity || f.HeaderBytes != r.header || f.Bytes != r.ends[len(r.ends)-1] || f.Seal == nil || *f.Seal != r.seal {
			t.Errorf("%s: got %+v, seal %+v", r.part.Name, f, f.Seal)
		}
		for i, e := range f.Tracks {
			if !reflect.DeepEqual(e, r.tracks[i].entry) {
				t.Errorf("%s: track %d is %+v, want %+v", r.part.Name, i+1, e, r.tracks[i].entry)
			}
		}
		if want := r.scanned(); len(f.Tracks) != len(r.tracks) || !reflect.DeepEqual(frags, want) {
			t.Errorf("%s: fragments are\n%+v, want\n%+v", r.part.Name, frags, want)
		}
		if want := append([]int64{r.header}, r.ends[:len(r.ends)-1]...); !slices.Equal(starts, want) {
			t.Errorf("%s: fragments start at %d, want %d", r.part.Name, starts, want)
		}
	}
}

// What Scan says of HeaderLen is where a player, going by trun, finds the samples.
func TestFragmentDataOffsets(t *testing.T) {
	r := specimen(t)
	for i, f := range r.fragments {
		b, headerLen := f.Append(nil)
		moofAt := int(binary.BigEndian.Uint32(b))
		top, _ := box.Children(b)
		moof, _ := box.Children(box.Find(top, "moof"))
		at := headerLen
		for _, c := range moof {
			if c.Type != "traf" {
				continue
			}
			traf, _ := box.Children(c.Body)
			id := binary.BigEndian.Uint32(box.Find(traf, "tfhd")[4:])
			offset := int(binary.BigEndian.Uint32(box.Find(traf, "trun")[8:]))
			if moofAt+offset != at {
				t.Errorf("fragment %d, track %d: data at %d, want %d", i+1, id, moofAt+offset, at)
			}
			for _, s := range f.Tracks[id-1] {
				if !bytes.Equal(b[at:at+len(s.Data)], s.Data) {
					t.Fatalf("fragment %d, track %d: another sample at %d", i+1, id, at)
				}
				at += len(s.Data)
			}
		}
		if at != len(b) {
			t.Errorf("fragment %d: the samples end at %d of %d", i+1, at, len(b))
		}
	}
}

// TestFragmentOfManySyncSamples has pictures from each of which decoding can start, as a camera that sends Motion JPEG does, and
// some from which it cannot.
func TestFragmentOfManySyncSamples(t *testing.T) {
	video, audio := testAVC(t, 0), *testAAC(t, "1210")
	for _, syncs := range [][]bool{{true}, {true, true, true}, {true, false, true}, {false, false, true}, {false, false}, {true, false, false}} {
		for _, cts := range []int32{0, 7200} {
			var pictures, sounds []media.Sample
			for i, sync := range syncs {
				pictures = append(pictures, media.Sample{DTS: int64(i) * 3600, CTS: cts, Duration: 3600, Size: 5, Sync: sync, Data: []byte("image")})
				sounds = append(sounds, media.Sample{Track: 1, DTS: int64(i) * 1024, Duration: 1024, Size: 5, Sync: true, Data: []byte("sound")})
			}
			file, err := AppendHeader(nil, Identity{}, []media.SampleEntry{video, audio})
			if err != nil {
				t.Fatal(err)
			}
			x := Fragment{Sequence: 1, Tracks: [][]media.Sample{pictures, sounds}, Kinds: []media.Kind{media.Video, media.Audio}}
			file, _ = x.Append(file)
			f, frags, _, err := scan(file)
			if err != nil || f.Torn != nil || len(frags) != 1 {
				t.Fatalf("%v: %d fragments, %v, %v", syncs, len(frags), err, f.Torn)
			}
			for track, want := range x.Tracks {
				for i, got := range frags[0].Tracks[track] {
					if w := want[i]; got.Sync != w.Sync || got.CTS != w.CTS || got.DTS != w.DTS || got.Size != w.Size {
						t.Errorf("%v: sample %d of track %d is %+v, want %+v", syncs, i, track+1, got, w)
					}
				}
			}
		}
	}
}

func TestScanOfATruncatedFile(t *testing.T) {
	r := specimen(t)
	want := r.scanned()
	for n := range r.file {
		f, frags, _, err := scan(r.file[:n])
		if int64(n) < r.header {
			if !errors.Is(err, ErrHeader) || !errors.Is(err, ErrTorn) {
				t.Fatalf("cut at %d, in the header: error is %v", n, err)
			}
			continue
		}
		if err != nil {
			t.Fatalf("cut at %d: %v", n, err)
		}
		whole, end := 0, r.header
		for whole < len(r.ends) && r.ends[whole] <= int64(n) {
			end = r.ends[whole]
			whole++
		}
		if f.Bytes != end || f.Seal != nil || !reflect.DeepEqual(frags, want[:whole:whole]) && whole > 0 || len(frags) != whole {
			t.Fatalf("cut at %d: %d fragments in %d bytes, want %d in %d", n, len(frags), f.Bytes, whole, end)
		}
		if onEdge := int64(n) == end; onEdge != (f.Torn == nil) || !onEdge && !errors.Is(f.Torn, ErrTorn) {
			t.Fatalf("cut at %d: torn is %v", n, f.Torn)
		}
	}
}

// No single damaged byte goes unnoticed, and none changes what is read of the bytes before it.
func TestScanOfADamagedFile(t *testing.T) {
	r := specimen(t)
	want := r.scanned()
	for at := range r.file {
		for _, flip := range []byte{0x01, 0x80, 0xff} {
			file := slices.Clone(r.file)
			file[at] ^= flip
			f, frags, _, err := scan(file)
			if int64(at) < r.header {
				if !errors.Is(err, ErrHeader) {
					t.Fatalf("byte %d of the header flipped by %#x: error is %v", at, flip, err)
				}
				continue
			}
			whole, _ := slices.BinarySearch(r.ends, int64(at)+1)
			if whole < len(r.ends) && r.ends[whole] == int64(at) {
				whole++
			}
			if err != nil || f.Torn == nil || f.Seal != nil {
				t.Fatalf("byte %d flipped by %#x: error %v, torn %v, seal %+v", at, flip, err, f.Torn, f.Seal)
			}
			if len(frags) != whole || whole > 0 && !reflect.DeepEqual(frags, want[:whole]) {
				t.Fatalf("byte %d flipped by %#x: %d fragments, want the %d before it", at, flip, len(frags), whole)
			}
			if whole == len(r.ends) && CheckSeal(bytes.NewReader(file), r.ends[whole-1], int64(len(file))) == nil {
				t.Fatalf("byte %d of the seal flipped by %#x: CheckSeal is content", at, flip)
			}
		}
	}
}

// A damaged size is no reason to think that the writer was cut off: recovery removes files whose header was.
func TestScanTellsDamageFromTornHeader(t *testing.T) {
	r := specimen(t)
	ftyp := binary.BigEndian.Uint32(r.file)
	for _, at := range []uint32{0, ftyp} {
		file := slices.Clone(r.file)
		file[at] ^= 0x40
		if _, _, _, err := scan(file); !errors.Is(err, ErrHeader) || errors.Is(err, ErrTorn) {
			t.Errorf("size at %d damaged: error is %v", at, err)
		}
	}
}

func TestScanErrors(t *testing.T) {
	r := specimen(t)
	boom := errors.New("boom")
	if _, err := Scan(bytes.NewReader(r.file), int64(len(r.file)), func(*SampleFile, *ScannedFragment) error { return boom }); err != boom {
		t.Errorf("visit's error became %v", err)
	}
	for _, at := range []int64{0, r.header, r.ends[1] - 1, r.ends[2]} {
		bad := &failingAt{r: bytes.NewReader(r.file), at: at, err: boom}
		_, err := Scan(bad, int64(len(r.file)), func(*SampleFile, *ScannedFragment) error { return nil })
		if !errors.Is(err, boom) || errors.Is(err, ErrHeader) {
			t.Errorf("a disk that fails at %d: %v", at, err)
		}
	}
}

// failingAt fails every read that takes in a byte.
type failingAt struct {
	r   io.ReaderAt
	at  int64
	err error
}

func (f *failingAt) ReadAt(p []byte, off int64) (int, error) {
	if f.at >= off && f.at < off+int64(len(p)) {
		n, _ := f.r.ReadAt(p[:f.at-off], off)
		return n, f.err
	}
	return f.r.ReadAt(p, off)
}

func TestCheckSeal(t *testing.T) {
	r := specimen(t)
	whole := r.ends[len(r.ends)-1]
	check := func(file []byte) error { return CheckSeal(bytes.NewReader(file), whole, int64(len(file))) }
	if err := check(r.file); err != nil {
		t.Error(err)
	}
	for name, file := range map[string][]byte{
		"no seal":               r.file[:whole],
		"half a seal":           r.file[:len(r.file)-1],
		"bytes behind the seal": append(slices.Clone(r.file), 0),
		"a fragment instead":    append(slices.Clone(r.file[:whole]), r.file[r.header:r.ends[0]]...),
	} {
		if check(file) == nil {
			t.Errorf("%s: accepted", name)
		}
	}
}

func TestWallTimeIsExact(t *testing.T) {
	const until2106 = (1<<32 - 1) * 90000
	check := func(t90k int64) {
		t.Helper()
		if got := fromNTPTime(ntpTime(t90k)); got != t90k {
			t.Fatalf("%d came back as %d", t90k, got)
		}
	}
	for t90k := range int64(90000) { // every fraction of a second
		check(160_000_000_000_000/90000*90000 + t90k)
	}
	era := int64(1<<32-2208988800) * 90000 // 2036, where NTP's seconds start anew
	for d := int64(-3); d <= 3; d++ {
		check(era + d)
	}
	check(0)
	check(until2106)
	rnd := rand.New(rand.NewPCG(1, 1))
	for range 200_000 {
		check(rnd.Int64N(until2106))
	}
	// RFC 5905 figure 4: 1970 is 2208988800 s on NTP's scale; a half is the top bit of the fraction.
	if got, want := ntpTime(45000), uint64(2208988800<<32|1<<31); got != want {
		t.Errorf("half a second past 1970 is %#x, want %#x", got, want)
	}
}

// FuzzScan holds Scan to its word on any bytes: no panic, memory within the bounds it names, and fragments that tile what
// it counts. Checksums made right let the fuzzer past them.
func FuzzScan(f *testing.F) {
	r := specimen(f)
	f.Add(r.file)
	f.Add(r.file[:r.ends[1]+7])
	f.Add(r.file[:r.header])
	larger := slices.Clone(r.file) // the first sample, by a byte
	larger[bytes.Index(larger, []byte("trun"))+27]++
	f.Add(larger)
	twice := slices.Clone(r.file) // the first track, instead of the second
	twice[bytes.LastIndex(twice[:r.ends[0]], []byte("tfhd"))+11] = 1
	f.Add(twice)
	c := newTestCamera(f, 5) // its files have several sample entries, and raw sound
	c.flips, c.audio = c.levels(3), testG711(f, 8000)
	for _, r := range c.run(3) {
		f.Add(r.file)
	}
	if !bytes.Equal(mend(r.file), r.file) {
		f.Fatal("mend changes a file that is whole")
	}
	f.Fuzz(func(t *testing.T, file []byte) {
		for _, b := range [][]byte{file, mend(file)} {
			at := int64(-1)
			got, err := Scan(bytes.NewReader(b), int64(len(b)), func(f *SampleFile, x *ScannedFragment) error {
				data, samples := int64(0), 0
				for _, track := range x.Tracks {
					samples += len(track)
					for _, s := range track {
						data += int64(s.Size)
					}
				}
				if at >= 0 && f.Bytes != at || len(x.Tracks) != len(f.Tracks) || int64(x.HeaderLen)+data != x.Bytes || samples*8 > len(b) {
					return fmt.Errorf("the fragment at %d does not add up: %+v", f.Bytes, x)
				}
				for i, e := range x.Entries {
					if e != nil && !bytes.Equal(f.Holds()[i].Box, e.Box) {
						return fmt.Errorf("the fragment at %d has another sample entry than it says", f.Bytes)
					}
				}
				at = f.Bytes + x.Bytes
				return nil
			})
			switch {
			case err != nil && !errors.Is(err, ErrHeader):
				t.Error(err)
			case err == nil && (got.Bytes > int64(len(b)) || at >= 0 && got.Bytes != at):
				t.Errorf("%d bytes of %d, the last fragment ends at %d", got.Bytes, len(b), at)
			}
			for f := got; err == nil && f != nil; {
				before := f.Bytes
				f, err = ScanBehind(bytes.NewReader(b), int64(len(b)), f, func(f *SampleFile, x *ScannedFragment) error {
					if f.First <= before || f.Bytes < f.First || f.Bytes+x.Bytes > int64(len(b)) {
						return fmt.Errorf("a fragment of %d bytes at %d, behind damage at %d", x.Bytes, f.Bytes, before)
					}
					return nil
				})
				if err != nil {
					t.Error(err)
				}
			}
			index, err2 := ScanIndex(bytes.NewReader(b), int64(len(b)), func(*SampleFile, *ScannedFragment) error { return nil })
			if (err == nil) != (err2 == nil) || err == nil && index.Bytes < got.Bytes {
				t.Errorf("without the samples: %+v, %v; with them: %+v, %v", index, err2, got, err)
			}
		}
	})
}

// mend makes every checksum right, as far as the file still has them.
func mend(file []byte) []byte {
	b := slices.Clone(file)
	start, sum := 0, 0 // of what the next checksum covers, and where it stands
	for at := 0; at < len(b); {
		h, ok := box.ParseHeader(b[at:])
		if !ok || h.Size > int64(len(b)-at) {
			break
		}
		end := at + int(h.Size)
		switch {
		case h.Type == "moov" && end-4 > start:
			binary.BigEndian.PutUint32(b[end-4:], fragmentChecksum(b[start:end-4], nil))
		case h.Type == "moof":
			sum = end - 4
		case h.Type == "mdat" && sum > start:
			binary.BigEndian.PutUint32(b[sum:], fragmentChecksum(b[start:sum], b[sum+4:end]))
		case h.Type == "uuid" && h.Size >= 28:
			binary.BigEndian.PutUint32(b[end-4:], fragmentChecksum(b[at+24:end-4], nil))
		}
		if at = end; h.Type == "moov" || h.Type == "mdat" {
			start = end
		}
	}
	return b
}
