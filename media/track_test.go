package media

import "testing"

func TestKindString(t *testing.T) {
	for k, want := range map[Kind]string{Video: "video", Audio: "audio", 0: "Kind(0)"} {
		if k.String() != want {
			t.Errorf("got %q, want %q", k, want)
		}
	}
}
