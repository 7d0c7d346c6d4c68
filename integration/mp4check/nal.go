package mp4check

import (
	"bytes"
	"fmt"
	"slices"
)

// nalConfig says how the NAL units of a sample entry are to be read.
type nalConfig struct {
	typeOf func(b byte) uint8
	irap   [2]uint8 // first and last type of random access pictures
	params [2]uint8 // first and last type of parameter sets
	// types of random access pictures that no picture leads
	noLeading []uint8
	sei       uint8 // type of messages before a picture
	header    int   // bytes before what a NAL unit holds
	// parameter sets of the entry; nil if they may change within the samples
	sets [][]byte
}

// h264 follows ITU-T H.264 7.3.1: type 5 is an IDR slice, 7 an SPS, 8 a PPS.
func h264() *nalConfig {
	return &nalConfig{
		typeOf:    func(b byte) uint8 { return b & 0x1f },
		irap:      [2]uint8{5, 5},
		params:    [2]uint8{7, 8},
		noLeading: []uint8{5},
		sei:       6,
		header:    1,
	}
}

// h265 follows ITU-T H.265 7.4.2.2: types 16 to 23 are IRAP pictures, 18
// BLA_N_LP, 20 IDR_N_LP, and 32 to 34 VPS, SPS and PPS.
func h265() *nalConfig {
	return &nalConfig{
		typeOf:    func(b byte) uint8 { return b >> 1 & 0x3f },
		irap:      [2]uint8{16, 23},
		params:    [2]uint8{32, 34},
		noLeading: []uint8{18, 20},
		sei:       39,
		header:    2,
	}
}

func (n *nalConfig) isIRAP(kind uint8) bool  { return n.irap[0] <= kind && kind <= n.irap[1] }
func (n *nalConfig) isParam(kind uint8) bool { return n.params[0] <= kind && kind <= n.params[1] }
func (n *nalConfig) closed(kind uint8) bool  { return slices.Contains(n.noLeading, kind) }

// knows compares a parameter set to those of the entry, without the zero bytes
// that may trail a NAL unit.
func (n *nalConfig) knows(nal []byte) bool {
	nal = bytes.TrimRight(nal, "\x00")
	return slices.ContainsFunc(n.sets, func(set []byte) bool {
		return bytes.Equal(bytes.TrimRight(set, "\x00"), nal)
	})
}

// maxParam is far more than a parameter set takes; a longer one is not read.
const maxParam = 1 << 16

// bitstreams walks the NAL units of all samples that have any. Where samples
// overlap, it stops once it has seen as many bytes as the file has.
func (c *checker) bitstreams() error {
	w := &window{c: c, buf: make([]byte, 0, windowSize)}
	left := c.size
	for _, t := range c.report.Tracks {
		for i := range t.Samples {
			s := &t.Samples[i]
			e := t.entryOf(s)
			if e == nil || e.nal == nil || s.Offset+int64(s.Size) > c.size {
				continue
			}
			if left -= int64(s.Size); left < 0 {
				return nil
			}
			where := fmt.Sprintf("%s: sample %d", t.name(), i+1)
			if err := c.sampleNALs(e.nal, s, w, where); err != nil {
				return err
			}
			c.require(!s.Sync || s.IRAP != 0 || s.Recovers, RuleSyncIDR, "%s is a sync sample without an IDR picture or a recovery point", where)
			c.require(s.Sync || s.IRAP == 0, RuleNonSyncIDR, "%s holds a NAL unit of type %d and is no sync sample", where, s.IRAP)
		}
	}
	return nil
}

// sampleNALs walks the NAL units of one sample.
func (c *checker) sampleNALs(n *nalConfig, s *Sample, w *window, where string) error {
	for at, end := s.Offset, s.Offset+int64(s.Size); at < end; {
		head, err := w.bytes(at, min(5, end-at))
		if err != nil {
			return err
		}
		f := &fields{b: head}
		size := int64(f.u32())
		if !c.require(len(head) == 5 && size > 0 && size <= end-at-4, RuleNALTile,
			"%s: at byte %d of %d a NAL unit says %d bytes", where, at-s.Offset, s.Size, size) {
			return nil
		}
		kind := n.typeOf(f.u8())
		if n.isIRAP(kind) && s.IRAP == 0 {
			s.IRAP = kind
		}
		if kind == n.sei && !s.Recovers {
			nal, err := w.bytes(at+4, min(size, windowSize))
			if err != nil {
				return err
			}
			s.Recovers = recovers(nal[min(len(nal), n.header):])
		}
		if n.isParam(kind) && n.sets != nil {
			if err := c.inBand(n, at+4, size, kind, where); err != nil {
				return err
			}
		}
		at += 4 + size
	}
	return nil
}

// recovers looks for a recovery point among messages (ITU-T H.264 7.3.2.3.1, D.1.8).
func recovers(messages []byte) bool {
	const recoveryPoint = 6
	for len(messages) >= 2 {
		kind, size := 0, 0
		for _, v := range []*int{&kind, &size} {
			for len(messages) > 0 {
				b := messages[0]
				messages = messages[1:]
				if *v += int(b); b != 255 {
					break
				}
			}
		}
		if kind == recoveryPoint {
			return true
		}
		messages = messages[min(size, len(messages)):]
	}
	return false
}

// inBand checks a parameter set that stands among the samples.
func (c *checker) inBand(n *nalConfig, at, size int64, kind uint8, where string) error {
	if !c.require(size <= maxParam, RuleParamInBand, "%s has a parameter set of %d bytes", where, size) {
		return nil
	}
	nal, err := c.read(at, size)
	if err != nil {
		return err
	}
	c.require(n.knows(nal), RuleParamInBand,
		"%s has a parameter set of type %d that the sample entry has not", where, kind)
	return nil
}

// window reads small pieces that lie close together with few reads.
type window struct {
	c   *checker
	at  int64
	buf []byte // of [at, at+len(buf)); its capacity is used again
}

const windowSize = 256

// bytes returns n bytes at the offset, valid until the next call. n is at most
// windowSize, and at+n within the file.
func (w *window) bytes(at, n int64) ([]byte, error) {
	if at < w.at || at+n > w.at+int64(len(w.buf)) {
		w.at, w.buf = at, w.buf[:min(windowSize, w.c.size-at)]
		if err := w.c.readFull(w.buf, at); err != nil {
			w.buf = w.buf[:0]
			return nil, err
		}
	}
	return w.buf[at-w.at:][:n], nil
}
