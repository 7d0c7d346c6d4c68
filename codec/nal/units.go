package nal

import (
	"encoding/binary"
	"errors"
	"fmt"
)

// ReadList returns a number of NAL units, each behind its length in 2 bytes, and what is behind them. ok is false when they are
// cut short.
func ReadList(p []byte, count int) (units [][]byte, rest []byte, ok bool) {
	for range count {
		if len(p) < 2 || len(p)-2 < int(binary.BigEndian.Uint16(p)) {
			return units, nil, false
		}
		end := 2 + int(binary.BigEndian.Uint16(p))
		units, p = append(units, p[2:end:end]), p[end:]
	}
	return units, p, true
}

// SplitSample cuts a video sample, in which each NAL unit stands behind its length (ISO/IEC 14496-15 5.3.4.2.1). Empty units
// hold nothing to send, and are left out.
func SplitSample(sample []byte, lengthSize int) ([][]byte, error) {
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
