package codec

import (
	"encoding/binary"
	"errors"
	"fmt"

	"github.com/pion/rtp"
)

// usualPicture is how long a picture lasts as a rule, in 90 kHz ticks: cameras have 25 a second.
const usualPicture = 90000 / 25

// nalUnits returns a number of NAL units, each behind its length in 2 bytes, and what is behind them. ok is false when they are
// cut short.
func nalUnits(p []byte, count int) (units [][]byte, rest []byte, ok bool) {
	for range count {
		if len(p) < 2 || len(p)-2 < int(binary.BigEndian.Uint16(p)) {
			return units, nil, false
		}
		end := 2 + int(binary.BigEndian.Uint16(p))
		units, p = append(units, p[2:end:end]), p[end:]
	}
	return units, p, true
}

// nalUnits appends NAL units, each behind its length in 2 bytes.
func (w *writer) nalUnits(units [][]byte) {
	for _, u := range units {
		w.U16(uint16(len(u)))
		w.Bytes(u)
	}
}

// splitNALUnits cuts a video sample, in which each NAL unit stands behind its length (ISO/IEC 14496-15 5.3.4.2.1). Empty units
// hold nothing to send, and are left out.
func splitNALUnits(sample []byte, lengthSize int) ([][]byte, error) {
	var units [][]byte
	for len(sample) > 0 {
		if len(sample) < lengthSize {
			return nil, fmt.Errorf("%d bytes remain behind the last NAL unit", len(sample))
		}
		var length uint64
		for _, b := range sample[:lengthSize] {
			length = length<<8 | uint64(b)
		}
		sample = sample[lengthSize:]
		if length > uint64(len(sample)) {
			return nil, fmt.Errorf("NAL unit of %d bytes, but %d remain", length, len(sample))
		}
		if length > 0 {
			units = append(units, sample[:length:length])
		}
		sample = sample[length:]
	}
	if len(units) == 0 {
		return nil, errors.New("no NAL unit in it")
	}
	return units, nil
}

// sendNALUnits makes packets of samples whose NAL units have lengths of so many bytes.
func sendNALUnits(lengthSize int, encode func([][]byte) ([]*rtp.Packet, error)) func([]byte) ([]*rtp.Packet, error) {
	return func(sample []byte) ([]*rtp.Packet, error) {
		units, err := splitNALUnits(sample, lengthSize)
		if err != nil {
			return nil, err
		}
		return encode(units)
	}
}

// errShortUnit says that a packet ends within what every packet of its type begins with.
var errShortUnit = errors.New("a packet of NAL units is cut short")

// startOf says how well decoding can start at a picture.
func startOf(anew, recovers, atOnce, intra bool) startKind {
	switch {
	case anew:
		return startIDR
	case recovers && atOnce && intra:
		return startOpen
	case recovers:
		return startRefresh
	case intra:
		return startIntra
	}
	return startNever
}

// recoveryPoint reads a NAL unit of supplemental enhancement information behind its header. ok says that decoding can start at the
// picture behind it, and atOnce that this picture is right then, and those that are shown after it (ITU-T H.264 D.2.8, H.265 D.3.8).
func recoveryPoint(b *nalBits) (ok, atOnce bool) {
	for {
		kind, size := seiNumber(b), seiNumber(b)
		switch {
		case b.short:
			return false, false
		case kind == 6:
			return true, b.ue() == 0 // a signed code is 0 where an unsigned one is
		case kind == 0x80 && size == 0: // the end
			return false, false
		}
		b.skip(8 * size)
	}
}

// seiNumber reads a number whose bytes are added up, of which only the last is not 255 (ITU-T H.264 7.3.2.3.1).
func seiNumber(b *nalBits) int {
	n := 0
	for !b.short && n < 1<<20 {
		v := int(b.u(8))
		if n += v; v != 255 {
			break
		}
	}
	return n
}
