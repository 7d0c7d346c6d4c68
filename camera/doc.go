// Package camera is an RTSP camera made of software: it plays an ordinary .mp4
// file over RTSP in real time, in a loop or once. `nvrfs demo` records it, and
// tests compare what was recorded with the file, byte for byte.
//
//	.mp4 ─> Clip ─> timeline ─> stream ─> RTP over TCP or UDP
//	        tables  samples in  packets,
//	                order, due  reports
//
// What the readers get is the file and nothing else:
//   - Each sample of the file is sent once a lap, in decoding order, as exactly
//     its NAL units or its AAC frame. Parameter sets are in the SDP, and in the
//     packets only where the file has them in its samples.
//   - RTP timestamps are the file's composition times: 90 kHz for video, the
//     sampling rate for audio, plus a random offset for each track
//     (RFC 3550 5.1). They go on without a step from lap to lap. A lap lasts as
//     long as the longer track, so that picture and sound never drift apart.
//   - Sender reports tie both tracks to the same wall clock (RFC 3550 6.4.1).
//   - A sample is sent when its decoding time comes, on the monotonic clock,
//     counted from the first sample; a late timer delays one sample and no other.
//
// A reader joins where the clip happens to be, as with any camera, unless
// Options.StartOnPlay holds the first frame back for the first reader. A reader
// that does not keep up is disconnected; it never holds up the others.
//
// The file is read by package mp4/demux, and its samples are put into packets by
// package codec: this package knows neither boxes nor codecs. Only server.go,
// stream.go and sender.go know gortsplib.
package camera
