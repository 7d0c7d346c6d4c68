package schema

import (
	"encoding/binary"
	"errors"
	"fmt"
	"slices"

	"nvrfs/media"
)

// The layout column packs a recording's Tracks: the number of tracks, then of each the fields in the order below, all as
// varints of 7 bits a byte.

func packLayout(tracks []Track) []byte {
	b := binary.AppendUvarint(nil, uint64(len(tracks)))
	for i := range tracks {
		t := &tracks[i]
		b = binary.AppendVarint(b, t.Entry)
		b = binary.AppendVarint(b, t.Start)
		b = binary.AppendVarint(b, t.Duration)
		b = binary.AppendVarint(b, int64(t.FirstCTS))
		for _, n := range t.counts() {
			b = binary.AppendUvarint(b, uint64(*n))
		}
	}
	return b
}

// counts lists the fields that count something, in the order of the packed form.
func (t *Track) counts() [7]*uint32 {
	return [...]*uint32{&t.LastDuration, &t.Samples, &t.Syncs, &t.TimeRuns, &t.CTSRuns, &t.Chunks, &t.ChunkRuns}
}

// maxTracks is more than any camera sends.
const maxTracks = 16

func unpackLayout(b []byte) ([]Track, error) {
	tracks, err := appendLayout([]Track{}, string(b))
	if err != nil {
		return nil, err
	}
	return tracks, nil
}

// appendLayout appends the tracks of a layout.
func appendLayout(tracks []Track, packed string) ([]Track, error) {
	r := varints{b: packed}
	n := r.uvarint()
	if n > maxTracks {
		r.bad = true
		n = 0
	}
	for range n {
		t := Track{Entry: r.varint(), Sums: media.Sums{Start: r.varint(), Duration: r.varint(), FirstCTS: int32(r.varint())}}
		for _, p := range t.counts() {
			*p = uint32(r.uvarint())
		}
		tracks = append(tracks, t)
	}
	if r.bad || len(r.b) > 0 {
		return tracks, fmt.Errorf("layout of %d bytes is damaged", len(packed))
	}
	return tracks, nil
}

// varints reads numbers from b; bad is set when one is not whole.
type varints struct {
	b   string
	bad bool
}

// uvarint is binary.Uvarint, of a string.
func (r *varints) uvarint() (v uint64) {
	for i := 0; i < len(r.b); i++ {
		c := r.b[i]
		if c < 0x80 {
			if i == 9 && c > 1 {
				break
			}
			r.b = r.b[i+1:]
			return v | uint64(c)<<(7*i)
		}
		if i == 9 {
			break
		}
		v |= uint64(c&0x7f) << (7 * i)
	}
	r.bad = true
	return 0
}

func (r *varints) varint() int64 { return unzigzag(r.uvarint()) }

// unpackListing reads the listings of recordings, joined to one value, and appends the recordings. A listing is hexadecimal
// numbers, a comma behind each, of which the last is the length of the layout that follows.
func (room *Room) unpackListing(packed string) error {
	const usualLength = 140 // of the listing of a recording with two tracks
	room.recs = slices.Grow(room.recs, len(packed)/usualLength+1)
	r := listingReader{rest: packed}
	for len(r.rest) > 0 {
		var x Recording
		x.ID, x.Run, x.Dir, x.Sequence = RecordingID(r.number()), r.number(), r.number(), int(r.number())
		x.Start90k, x.WallDuration90k, x.HeaderBytes, x.Bytes = r.number(), r.number(), r.number(), r.number()
		x.Sealed = r.number() == 1
		layout, err := r.layout()
		if err == nil {
			x.Tracks, err = room.unpackLayout(layout)
		}
		if err != nil {
			return fmt.Errorf("recording %s: %w", x.ID, err)
		}
		room.recs = append(room.recs, x)
	}
	return nil
}

// unpackLayout makes room for tracks by the block, of which many recordings share one.
func (room *Room) unpackLayout(layout string) (tracks []Track, err error) {
	if cap(room.tracks)-len(room.tracks) < maxTracks {
		room.tracks = make([]Track, 0, max(2*maxTracks, 2*cap(room.tracks)))
	}
	first := len(room.tracks)
	room.tracks, err = appendLayout(room.tracks, layout)
	return room.tracks[first:len(room.tracks):len(room.tracks)], err
}

// listingReader reads what is left of joined listings.
type listingReader struct {
	rest string
	bad  bool
}

// hexDigit has what a digit stands for, and notHex for what is none.
var hexDigit = func() (digits [256]uint8) {
	for i := range digits {
		digits[i] = notHex
	}
	for i, c := range "0123456789abcdef" {
		digits[c] = uint8(i)
	}
	return digits
}()

const notHex = 16

// number reads a hexadecimal number and the comma behind it. A negative one has all its 64 bits.
func (r *listingReader) number() int64 {
	v := uint64(0)
	for i := range min(len(r.rest), 17) {
		d := hexDigit[r.rest[i]]
		if d < notHex {
			v = v<<4 | uint64(d)
			continue
		}
		if r.rest[i] == ',' && i > 0 {
			r.rest = r.rest[i+1:]
			return int64(v)
		}
		break
	}
	r.bad = true
	return 0
}

// layout reads a length, and the layout that follows.
func (r *listingReader) layout() (string, error) {
	n := r.number()
	if r.bad || n < 0 || n > int64(len(r.rest)) {
		return "", errors.New("its listing is damaged")
	}
	layout := r.rest[:n]
	r.rest = r.rest[n:]
	return layout, nil
}
