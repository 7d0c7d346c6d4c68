// Package codec knows how pictures and sound are coded: what RTP packets hold, what a decoder must know of a track, where
// decoding can start, and what other programs write into mp4 files. No other package names a codec.
//
//	format ─Receive─> Receiver    RTP packet ─Packet─> access unit ─Samples─> media.Sample, media.SampleEntry
//	sample entry box of a file    ─Import──> media.SampleEntry
//	media.SampleEntry ─Send─> Sender    sample ─Packets─> RTP packets
//
// # Invariants
//
//   - The bytes of a sample are those that the camera sent, in the form in which mp4 stores them. Nothing is decoded, but sound
//     that is not compressed, which becomes FLAC and loses nothing.
//   - The DTS of a track's samples strictly increase, and no sample is decoded after it is shown.
//   - Whatever the bytes are, what is kept of them is bounded, and what is wrong is an error. A panic of a library is for the
//     caller to recover from.
//   - No sample shares memory with a packet or with another sample.
//
// # How to add a codec
//
// Write one file with a Codec and its test, and add a line to registry. What a Codec cannot do stays nil. The Receiver of pictures
// which depend on others is a Predictor too. These are there to be used:
//
//   - assembly bounds what a decoder of a library keeps of packets
//   - soundTimes gives frames of sound their times, although cameras stamp them with clocks that jitter
//   - writer writes sample entries, copyVisual copies those of files
//   - package bits reads and writes fields that are not whole bytes
//   - package nal takes streams, samples and sample entries of H.264 and H.265 apart, and finds when pictures are decoded that are not
//     sent in the order in which they are shown
//   - package flac makes frames of FLAC of sound that hardly any player reads as it is sent
//
// Packages av1, jpeg and aac know the bit streams of one codec each. Where taking a stream apart fills more than a file, it is such a
// package, which knows neither sample entries nor session descriptions.
//
// # What it does not know
//
// When packets came, what was lost, and how RTP clocks relate to each other and to the date: package recorder/rtsp knows.
// Files: packages mp4 and mp4/demux know.
package codec
