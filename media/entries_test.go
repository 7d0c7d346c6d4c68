package media

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"slices"
	"testing"
)

// entryOf is a sample entry of a form, whose content is a number.
func entryOf(form, codec string, n int) SampleEntry {
	b := binary.BigEndian.AppendUint32(nil, 40)
	b = append(append(b, form...), make([]byte, 32)...)
	b[len(b)-1] = byte(n)
	return SampleEntry{Kind: Video, Codec: codec, Timescale: VideoTimescale, Width: 640, Height: 360, Box: b}
}

func TestEntryList(t *testing.T) {
	var l EntryList
	var boxes [][]byte
	for i := range MaxEntries {
		e := entryOf("avc1", fmt.Sprintf("avc1.%06x", i/2), i)
		boxes = append(boxes, e.Box)
		for range 2 {
			if n, ok := l.Number(&e); n != i || !ok {
				t.Fatalf("sample entry %d has number %d, %v", i, n, ok)
			}
		}
		joined := l.Joined()
		if got := slices.Collect(joined.Boxes); !slices.EqualFunc(got, boxes, bytes.Equal) {
			t.Fatalf("%d boxes, want %d", len(got), len(boxes))
		}
		if first := joined.First(); !bytes.Equal(first.Box, boxes[0]) || first.Codec != "avc1.000000" || first.Width != 640 {
			t.Fatalf("the first of %d is %+v", i+1, first)
		}
	}
	if got, want := l.Joined().Codec, "avc1.000000,avc1.000001,avc1.000002,avc1.000003,avc1.000004,avc1.000005,avc1.000006,avc1.000007"; got != want {
		t.Errorf("codecs are %q, want %q", got, want)
	}
	e := entryOf("avc1", "avc1.0000ff", MaxEntries)
	if _, ok := l.Number(&e); ok {
		t.Error("the list takes one more than it may have")
	}
}

// What is no box is not lost, and not read beyond its end.
func TestBoxesThatAreDamaged(t *testing.T) {
	for _, box := range [][]byte{nil, {1}, {0, 0, 0, 7, 'a', 'v', 'c', '1'}, {0, 0, 0, 9, 'a', 'v', 'c', '1'}, {255, 255, 255, 255, 'a', 'v', 'c', '1'}} {
		e := SampleEntry{Box: box}
		if got := slices.Concat(slices.Collect(e.Boxes)...); !bytes.Equal(got, box) {
			t.Errorf("of %x remains %x", box, got)
		}
		if e.First(); e.Alike(&e) != true {
			t.Errorf("%x is not like itself", box)
		}
	}
}

func TestAlike(t *testing.T) {
	video, sound := entryOf("avc1", "avc1.640028", 0), entryOf("mp4a", "mp4a.40.2", 0)
	sound.Kind, sound.Timescale, sound.Width, sound.Height = Audio, 48000, 0, 0
	with := func(e SampleEntry, change func(*SampleEntry)) SampleEntry {
		e.Box = bytes.Clone(e.Box)
		change(&e)
		return e
	}
	for name, c := range map[string]struct {
		a, b SampleEntry
		want bool
	}{
		"itself":                {video, video, true},
		"another level":         {video, entryOf("avc1", "avc1.64001f", 1), true},
		"several":               {video, with(video, func(e *SampleEntry) { e.Codec, e.Box = "avc1.640028,avc1.64001f", append(e.Box, e.Box...) }), true},
		"another codec":         {video, entryOf("hvc1", "hvc1.1.6.L93.B0", 0), false},
		"another width":         {video, with(video, func(e *SampleEntry) { e.Width++ }), false},
		"turned":                {video, with(video, func(e *SampleEntry) { e.Rotation = 90 }), false},
		"another height":        {video, with(video, func(e *SampleEntry) { e.Height++ }), false},
		"sound":                 {video, with(sound, func(e *SampleEntry) { e.Box = video.Box }), false},
		"AAC of another kind":   {sound, with(sound, func(e *SampleEntry) { e.Codec = "mp4a.40.5" }), true},
		"MP3 instead of AAC":    {sound, with(sound, func(e *SampleEntry) { e.Codec = "mp4a.6B" }), false},
		"another rate":          {sound, with(sound, func(e *SampleEntry) { e.Timescale = 44100 }), false},
		"more channels":         {sound, with(sound, func(e *SampleEntry) { e.Box[25]++ }), false},
		"raw sound of one form": {sound, with(sound, func(e *SampleEntry) { e.Kind = RawAudio }), false},
	} {
		if got := c.a.Alike(&c.b); got != c.want || c.b.Alike(&c.a) != got {
			t.Errorf("%s: %v, want %v", name, got, c.want)
		}
	}
}
