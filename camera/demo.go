package camera

import (
	"bytes"
	_ "embed"
)

// demo is made by make-clip.sh.
//
//go:embed clip.mp4
var demo []byte

// DemoClip returns the built-in clip: 16 s of a test picture with a running
// clock, 640x360 at 25 frames/s in H.264 without B-frames, a sync sample each
// second, and a beep each second in AAC, 48 kHz mono. Both tracks last exactly
// 16 s, so a loop has no seam.
func DemoClip() *Clip {
	clip, err := ParseClip(bytes.NewReader(demo), int64(len(demo)))
	if err != nil {
		panic("camera: the built-in clip: " + err.Error())
	}
	return clip
}
