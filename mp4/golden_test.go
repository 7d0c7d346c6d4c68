package mp4

import (
	"crypto/sha256"
	"fmt"
	"io"
	"math"
	"testing"
)

// golden are the digests of whole Files in format version goldenVersion.
const goldenVersion = 1

var golden = map[string]string{
	"one recording":           "1d3af5ef57d9a59c7730ddaeee11ec33f38220a3e391d7e65d8df3d9f82d8df5",
	"B-frames and sound":      "4c562215acddf4ecb23e6d2888a416aa05ca72056a1b598d343d98e22ff18449",
	"B-frames, sound, cached": "4c562215acddf4ecb23e6d2888a416aa05ca72056a1b598d343d98e22ff18449",
	"two runs, other codecs":  "d03f12ddd0b8e8b2e19f481599c577deec37e4ef53072c3d1f4c48ffe246e07e",
	"cut at both ends":        "17a2f1e4f129dbfeccd132e1bbe1695e62c618c4f52febfaf16bac94d60382a5",
	"mu-law, levels change":   "b9a68638e7afdce519771821b6041c482f2faf7cb521552f053371516ad3050b",
}

// Files that were read once are known by their ETags, in which the format version stands; so the same footage may have
// other bytes only under another version. The digests also take in the fragment headers of the sample files, which may
// change under the same version: footage that is there keeps its own.
func TestBytesOfTheFormatVersion(t *testing.T) {
	if FormatVersion != goldenVersion {
		t.Fatalf("FormatVersion is %d, the digests here are of version %d: replace them", FormatVersion, goldenVersion)
	}
	for name, f := range specimens(t) {
		h := sha256.New()
		if _, err := io.Copy(h, io.NewSectionReader(f, 0, math.MaxInt64)); err != nil {
			t.Fatal(err)
		}
		if got := fmt.Sprintf("%x", h.Sum(nil)); got != golden[name] {
			t.Errorf("the bytes of %q have changed, from digest %s to\n\t%q: %q,\nRaise FormatVersion, and goldenVersion with it, and put the new digests here.", name, golden[name], name, got)
		}
	}
}
