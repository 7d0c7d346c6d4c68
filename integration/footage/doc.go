// Package footage makes footage for tests and benchmarks, without a camera and faster than real time: a data directory as
// the recorder leaves it, with sample files, rows and indexes.
//
//	camera.Clip ─> source ─> Grower ─> sample files, rows
//	samples        in laps   one GOP at a time
//
// # What is made
//
//   - The samples of a clip, over and over, or samples of a few bytes at the times of a clip. A lap lasts as long as the
//     picture, which is the first track; the sound is the second.
//   - One fragment a GOP: its video samples, and the audio samples whose decoding starts in the same span.
//   - A recording ends at the first sync sample after Camera.RecordingLength, and at the first of each quarter of an hour of
//     UTC. A gap ends the run as well; the next run starts with the first sample of the clip.
//   - Wall time follows media time exactly.
//
// Nothing is synced to disk: footage that is made can be made again.
package footage
