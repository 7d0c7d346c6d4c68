// Package codectest makes streams for tests: H.264 parameter sets and slices that say of themselves what a recorder reads, and
// have no picture.
package codectest

// Frame90k is the time of a picture, in 90 kHz ticks: 25 pictures a second.
const Frame90k = 3600

// A BitWriter writes the syntax of ITU-T H.264 7.3 behind B.
type BitWriter struct {
	B []byte
	n int // bits in B
}

// After returns a BitWriter that goes on behind some bytes.
func After(b ...byte) *BitWriter { return &BitWriter{b, 8 * len(b)} }

// U appends v as n bits.
func (w *BitWriter) U(n, v int) {
	for i := n - 1; i >= 0; i-- {
		if w.n%8 == 0 {
			w.B = append(w.B, 0)
		}
		w.B[w.n/8] |= byte(v>>i&1) << (7 - w.n%8)
		w.n++
	}
}

// UE appends v as an Exp-Golomb code.
func (w *BitWriter) UE(v int) {
	n := 0
	for (v+1)>>(n+1) > 0 {
		n++
	}
	w.U(n, 0)
	w.U(n+1, v+1)
}

// SPS is a Main profile SPS of pictures widthMbs macroblocks wide, with 8 bits of picture order count.
func SPS(widthMbs, pocType int, interlaced bool) []byte {
	w := After(0x67, 77, 0, 30)
	w.UE(0) // seq_parameter_set_id
	w.UE(0) // log2_max_frame_num_minus4
	w.UE(pocType)
	switch pocType {
	case 0:
		w.UE(4) // log2_max_pic_order_cnt_lsb_minus4
	case 1:
		w.U(1, 1)
		w.UE(0)
		w.UE(0)
		w.UE(0)
	}
	w.UE(4)   // max_num_ref_frames
	w.U(1, 0) // gaps_in_frame_num_value_allowed_flag
	w.UE(widthMbs - 1)
	w.UE(8)
	if interlaced {
		w.U(2, 0)
	} else {
		w.U(1, 1)
	}
	w.U(1, 1)
	w.U(2, 0)
	w.U(1, 1) // stop bit
	return w.B
}

// PPS is a PPS with an identifier.
func PPS(id int) []byte {
	w := After(0x68)
	w.UE(id)
	w.UE(0)
	w.U(4, 0x9)
	return w.B
}

// Slice is the start of a slice, as far as the picture order count.
func Slice(idr bool, poc int) []byte {
	w := After(0x41)
	if idr {
		w.B[0] = 0x65
	}
	w.UE(0)
	w.UE(5)
	w.UE(0)
	w.U(4, 0)
	if idr {
		w.UE(0)
	}
	w.U(8, poc)
	w.U(16, 0x5555)
	return w.B
}

// SPSOf is an SPS with an id, of 8 bits of picture order count and 4 of frame number.
func SPSOf(id, level, widthMbs int, interlaced bool) []byte {
	w := After(0x67, 77, 0, byte(level))
	w.UE(id)
	w.UE(0) // log2_max_frame_num_minus4
	w.UE(0) // pic_order_cnt_type
	w.UE(4) // log2_max_pic_order_cnt_lsb_minus4
	w.UE(4) // max_num_ref_frames
	w.U(1, 0)
	w.UE(widthMbs - 1)
	w.UE(8)
	if interlaced {
		w.U(2, 0)
	} else {
		w.U(1, 1)
	}
	w.U(4, 0x9) // direct_8x8_inference_flag, no cropping, no VUI, stop bit
	return w.B
}

// PPSOf is a PPS with an id, of an SPS, which may allow redundant slices.
func PPSOf(id, sps int, redundant bool) []byte {
	w := After(0x68)
	w.UE(id)
	w.UE(sps)
	w.U(2, 0)
	for range 3 { // slice groups and numbers of references
		w.UE(0)
	}
	w.U(3, 0)
	for range 3 {
		w.UE(0)
	}
	w.U(2, 0)
	w.U(1, bit(redundant))
	w.U(1, 1)
	return w.B
}

func bit(b bool) int {
	if b {
		return 1
	}
	return 0
}

// An H264Slice is a slice with 8 bytes behind its head.
type H264Slice struct {
	IDR, Intra     bool
	MB, PPS, Frame int
	IDRID, Order   int
	Field          int  // 1 top, 2 bottom; 3 a frame of an interlaced sequence
	Redundant      bool // it is a copy
	HasRedundant   bool // its PPS allows copies
}

// NALU returns the NAL unit.
func (s H264Slice) NALU() []byte {
	header := byte(0x41)
	if s.IDR {
		header = 0x65
	}
	w := After(header)
	w.UE(s.MB)
	w.UE(5 + 2*bit(s.IDR || s.Intra)) // P or I
	w.UE(s.PPS)
	w.U(4, s.Frame)
	switch s.Field {
	case 1, 2:
		w.U(1, 1)
		w.U(1, s.Field-1)
	case 3:
		w.U(1, 0)
	}
	if s.IDR {
		w.UE(s.IDRID)
	}
	w.U(8, s.Order)
	if s.Redundant || s.HasRedundant {
		w.UE(bit(s.Redundant))
	}
	w.U(16, 0x5555)
	return append(w.B, 1, 2, 3, 4, 5, 6, 7, 8)
}
