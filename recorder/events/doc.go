// Package events keeps what cameras tell of by ONVIF, such as motion, as marks in the database.
//
//	camera ─events─> session ─> tracker ─marks─> keeper ─a transaction every few seconds─> schema
//
//	kind.go     what an event is about, and whether its state is on
//	tracker.go  from events, which repeat themselves, to marks with a start and an end
//	keeper.go   the only one that writes marks
//	camera.go   one camera: its subscription, again and again
//	set.go      all cameras, as the configuration says
//
// # Invariants
//
//   - Nothing here touches recording: no camera's events are waited for, and a transaction has a few rows.
//   - A mark is never off by more than a few seconds from when its event arrived, whatever the camera's clock says.
//   - Of a camera, there are at most so many marks in an hour, of at most so many bytes, whatever it sends.
//   - A mark whose camera is no longer heard of ends when it was last heard of.
package events
