// Package nal takes apart streams of H.264 and H.265, which are made of NAL units alike: RTP packets into NAL units, these into
// access units, and what of these a recorder must know.
//
//	RTP packet ─unpack─> NAL units ─pictures─> AccessUnit ─Reader.Examine─> Picture
//	                        └──parameter sets──> Sets
//
// # Invariants
//
//   - NAL units are handed on as they were sent, byte for byte.
//   - Where a picture begins is told by its slices. Timestamps and marker bits only help where slices are lost.
//   - An access unit of which a part is known to be missing is Damaged.
//   - What is kept of packets, of a picture and of parameter sets is bounded, whatever the camera sends.
//
// It knows no mp4: package codec makes sample entries and samples.
package nal
