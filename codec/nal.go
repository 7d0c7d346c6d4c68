package codec

import (
	"github.com/pion/rtp"

	"nvrfs/codec/nal"
)

// usualPicture is how long a picture lasts as a rule, in 90 kHz ticks: cameras have 25 a second.
const usualPicture = 90000 / 25

// nalUnits appends NAL units, each behind its length in 2 bytes.
func (w *writer) nalUnits(units [][]byte) {
	for _, u := range units {
		w.U16(uint16(len(u)))
		w.Bytes(u)
	}
}

// sendNALUnits makes packets of samples whose NAL units have lengths of so many bytes.
func sendNALUnits(lengthSize int, encode func([][]byte) ([]*rtp.Packet, error)) func([]byte) ([]*rtp.Packet, error) {
	return func(sample []byte) ([]*rtp.Packet, error) {
		units, err := nal.SplitSample(sample, lengthSize)
		if err != nil {
			return nil, err
		}
		return encode(units)
	}
}
