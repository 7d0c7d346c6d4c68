// Package av1 takes apart streams of AV1 (AV1 Bitstream & Decoding Process Specification): RTP packets into temporal units of OBUs, and
// what of these a recorder must know.
//
//	RTP packet ─Assembler─> Unit ─ReadTemporalUnit─> TemporalUnit
//	sequence header OBU ─ParseSequence─> Sequence ─Config─> content of av1C
//
// # Invariants
//
//   - The content of an OBU is handed on as it was sent, byte for byte.
//   - A unit of which a part is known to be missing is Damaged.
//   - What is kept of packets is bounded, whatever the camera sends.
//
// It knows no boxes: package codec makes sample entries and samples.
package av1
