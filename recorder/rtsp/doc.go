// Package rtsp is the source of samples that cameras are: RTSP (RFC 2326) with RTP over TCP or UDP.
//
//	camera ─> dialogue ─> gortsplib ─packets─> session ─> codec.Receiver ─samples─> rtpclock.Tie ─> media.Handler
//	          answers and descriptions, written anew such that gortsplib can read them; passwords
//
// A Source runs one session after the other, as its caller asks for. A session chooses one track of video and one of sound,
// gives packets to their receivers, and samples their times.
//
// # Invariants
//
//   - Whatever bytes a camera sends, they end its own session at most, with a reason. What is kept of them is bounded.
//   - Every picture that came whole after the first sync sample reaches the Handler, whatever the camera's clock, its numbers of
//     packets and its sound do.
//   - The password of the URL goes to the host of the URL alone.
//   - The password of the URL is in no error and in no line of the log, in whatever form the camera sends it back.
//   - When Run returns, its goroutines and its connection are gone, and the Handler is called no more.
//   - Everything that a camera may leave undone has a deadline.
//
// # What it does not know
//
// What packets hold, package codec knows; what becomes of samples, the Handler. It knows no files, and no date but that of sender
// reports.
package rtsp
