package mp4check

import "testing"

func TestRecovers(t *testing.T) {
	for name, c := range map[string]struct {
		messages []byte
		want     bool
	}{
		"a recovery point":     {[]byte{6, 1, 0xc4, 0x80}, true},
		"behind other ones":    {[]byte{0, 2, 9, 9, 0xff, 0, 1, 7, 6, 1, 0xc4, 0x80}, true},
		"other ones":           {[]byte{5, 3, 6, 1, 0xc4, 0x80}, false},
		"one that is cut":      {[]byte{5, 0xff, 0xff, 6}, false},
		"nothing but its type": {[]byte{0xff}, false},
	} {
		if recovers(c.messages) != c.want {
			t.Errorf("%s: not %v", name, c.want)
		}
	}
}
