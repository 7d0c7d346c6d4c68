// Package integration tests nvrfs as its users meet it: the program that is built, real RTSP sessions, real mounts, and the
// players and tools of the distribution. Its packages hold what such tests, and benchmarks, need: footage makes footage
// faster than real time, mp4check reads an .mp4 more strictly than players do.
//
//	camera (in this process), GStreamer ─RTSP─> nvrfs run ─> data ─> mount ─> ffprobe, mpv, VLC, cp, rsync
//	footage ───────────────────────────────────────────────> data ─> nvrfs mount, export, ls, check
//
// # How the tests run
//
//   - As root, the test program starts itself again in a mount namespace of its own: what it mounts is seen by its children
//     and by nobody else, and is gone with the last of them. As another user it mounts where everybody can see it.
//   - The program under test is built with the race detector. A data race in any of its processes fails the test that
//     started it, as does a process that does not end, a mount that stays, or a child that outlives its parent.
//   - Every wait is for a condition and has a deadline. Tests that wait for a camera wait beside each other.
//   - A test that needs what is not there (/dev/fuse, root, a player) is skipped and says why.
//
// Clocks are real, so a test may run across the end of an hour, or of a day. What a camera sends then lies in two entries;
// the tests compare with all entries of a camera in their order.
package integration
