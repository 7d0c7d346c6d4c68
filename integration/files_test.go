package integration

import (
	"fmt"
	"path/filepath"
	"testing"
	"time"
)

// checkAllFiles checks every kind of file that there is of a camera: its entries, its days, a clip, and its sample files.
func checkAllFiles(t *testing.T, s site, label string) {
	hidden := filepath.Join(s.mnt, ".nvrfs")
	var files []string
	for _, path := range s.entries(t, label) {
		day := filepath.Base(filepath.Dir(filepath.Dir(path)))
		from := s.info(t, path).End.Add(-3 * time.Second)
		files = append(files, path,
			filepath.Join(hidden, "days", label, day+".mp4"),
			filepath.Join(hidden, "clips", label, clipName(from, from.Add(3*time.Second))))
	}
	for _, path := range files {
		checkFile(t, path)
	}
	for _, path := range s.sampleFiles(t, label) { // fragmented, so not ordinary
		checkPlays(t, path)
	}
}

// clipName names a range as a clip.
func clipName(from, to time.Time) string {
	const format = "2006-01-02_15-04-05"
	return fmt.Sprintf("%s--%s.mp4", from.UTC().Format(format), to.UTC().Format(format))
}
