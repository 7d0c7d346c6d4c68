// Package jpeg makes JPEG files (ITU-T T.81) of what RTP carries of them by RFC 2435, which leaves most of the headers out.
//
//	RTP packet ─ParsePacket─> Packet ─Headers.Begin, for the first one of a picture
//	scan ─Headers.File─> JPEG file ─Size─> width, height
//
// # Invariants
//
//   - The scan of a file is as the camera sent it, byte for byte.
//   - Tables that came with a picture serve later ones that refer to them.
//
// It knows no mp4, and not which packets were lost: package codec puts scans together, and makes sample entries and samples.
package jpeg
