package mp4

import (
	"bytes"
	"fmt"
	"io"
	"reflect"
	"testing"

	"github.com/abema/go-mp4"
)

// TestRotation reads back what the track headers of sample files and of Files say of how pictures are turned.
func TestRotation(t *testing.T) {
	const one = 0x10000
	for rotation, turned := range map[uint16][2][2]int32{ // where the ends of the upper and of the left side come to lie
		0:   {{1, 0}, {0, 1}},
		90:  {{0, 1}, {-1, 0}},
		180: {{-1, 0}, {0, -1}},
		270: {{0, -1}, {1, 0}},
	} {
		t.Run(fmt.Sprint(rotation), func(t *testing.T) {
			c := newTestCamera(t, 1)
			c.video.Rotation, c.audio = rotation, testAAC(t, "1210")
			recs := c.run(2)
			f, _, _, err := scan(recs[0].file)
			if err != nil || !reflect.DeepEqual(f.Tracks[0], c.video) || !reflect.DeepEqual(f.Tracks[1], *c.audio) {
				t.Fatalf("the sample file has %+v, %v", f, err)
			}
			for name, file := range map[string][]byte{"sample file": recs[0].file, "File": wholeOf(t, mustFile(t, parts(recs)))} {
				m := matrixOf(t, file, 0)
				if got := [2][2]int32{{m[0] / one, m[1] / one}, {m[3] / one, m[4] / one}}; got != turned {
					t.Errorf("%s: the matrix is %v", name, m)
				}
				// The turned picture starts at 0, 0 whichever way it is turned.
				w, h := int32(c.video.Width)*one, int32(c.video.Height)*one
				left := min(0, m[0]/one*w) + min(0, m[3]/one*h) + m[6]
				top := min(0, m[1]/one*w) + min(0, m[4]/one*h) + m[7]
				if left != 0 || top != 0 || m[2] != 0 || m[5] != 0 || m[8] != 1<<30 {
					t.Errorf("%s: the picture is shown at %d, %d by %v", name, left, top, m)
				}
				if sound := matrixOf(t, file, 1); sound != [9]int32{one, 0, 0, 0, one, 0, 0, 0, 1 << 30} {
					t.Errorf("%s: the sound is turned by %v", name, sound)
				}
			}
		})
	}
}

func wholeOf(t *testing.T, f *File) []byte {
	t.Helper()
	whole, err := io.ReadAll(io.NewSectionReader(f, 0, f.Size()))
	if err != nil {
		t.Fatal(err)
	}
	return whole
}

// matrixOf returns the matrix of a track.
func matrixOf(t *testing.T, file []byte, track int) [9]int32 {
	t.Helper()
	boxes, err := mp4.ExtractBoxWithPayload(bytes.NewReader(file), nil, mp4.BoxPath{mp4.BoxTypeMoov(), mp4.BoxTypeTrak(), mp4.BoxTypeTkhd()})
	if err != nil || len(boxes) <= track {
		t.Fatalf("%d tracks, %v", len(boxes), err)
	}
	return boxes[track].Payload.(*mp4.Tkhd).Matrix
}
