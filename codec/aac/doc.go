// Package aac takes frames of AAC (ISO/IEC 14496-3) out of the RTP packets of cameras, and reads how they are coded.
//
//	config in hexadecimal ─ParseConfig─> Config
//	RTP packet ─Generic (RFC 3640), LATM (RFC 6416)─> frames
//	timestamps of the first ─Clock─> ticks a second
//
// What is kept of packets is bounded. The package knows no mp4 file; package codec makes samples and sample entries of what is here.
package aac
