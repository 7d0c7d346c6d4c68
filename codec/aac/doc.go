// Package aac takes apart what cameras send as AAC (ISO/IEC 14496-3): RTP packets into frames, and configurations into what a recorder
// must know.
//
//	RTP packet by RFC 3640 ─Depacketizer─┬─> frames
//	RTP packet by RFC 6416 ─LATM─────────┘
//	AudioSpecificConfig ─ParseConfig─> Config
//
// # Invariants
//
//   - Frames are handed on as they were sent, byte for byte, without ADTS or LATM.
//   - What is kept of packets is bounded, whatever the camera sends.
//
// It knows no mp4, and no session descriptions: package codec makes sample entries and samples, and reads parameters.
package aac
