// Package oddcamera is a camera for tests that does on purpose what cameras do wrong.
//
//	Track ─> Unit ─Case.Unit─> packets ─Case.Packet─> RTP over TCP or UDP
//	         Case.SDP, Case.Answer, Auth <─ requests
//
// It is an RTSP server on the loopback that plays a real clip, in a loop. Where a hook of its Case is nil, it behaves as a good
// camera does. It knows no RTSP library, so that it can say what no library would say. It tells which access units it sent, so
// that a test can ask for each of them.
//
// One connection is one session. Each plays the clip from its beginning.
package oddcamera
