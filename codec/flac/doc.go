// Package flac makes frames of FLAC (RFC 9639) of sound that is not compressed, because hardly any player reads such sound in an mp4
// file as it is.
//
//	values of all channels ─Encoder─> frames, STREAMINFO
//
// # Invariants
//
//   - A decoder of any make gives back the values, bit by bit.
//   - Whatever the sound is, a frame takes little more than the values do.
//
// It knows no mp4: package codec makes sample entries and samples.
package flac
