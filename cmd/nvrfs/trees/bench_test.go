package trees

import (
	"context"
	"log/slog"
	"os"
	"path/filepath"
	"testing"
	"time"

	"nvrfs/recorder/importer"
)

type noProgress struct{}

func (noProgress) Add(int64) {}
func (noProgress) Close()    {}

// BenchmarkImportFragmentedFiles imports a tree of small fragmented files, as Frigate makes one each ten seconds.
func BenchmarkImportFragmentedFiles(b *testing.B) {
	data, err := os.ReadFile("../../../mp4/demux/testdata/fragments.mp4")
	if err != nil {
		b.Fatal(err)
	}
	const files = 1000
	root := b.TempDir()
	start := time.Date(2026, 11, 20, 0, 0, 0, 0, time.UTC)
	for i := range files {
		path := filepath.Join(root, start.Add(time.Duration(i)*10*time.Second).Format("2006-01-02/15/front/04.05")+".mp4")
		if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
			b.Fatal(err)
		}
		if err := os.WriteFile(path, data, 0o600); err != nil {
			b.Fatal(err)
		}
	}
	for b.Loop() {
		o := Options{
			Paths: []string{root}, Layout: "frigate", Location: time.UTC, Data: b.TempDir(),
			Room:     func(importer.Options, []importer.Plan) error { return nil },
			Progress: func(string, int64, bool) Progress { return noProgress{} },
			Ask:      func(context.Context, string, func(string) bool) (string, error) { return "", nil },
		}
		o.To = func(camera, stream string, _ []importer.Plan) importer.Options {
			return importer.Options{Data: o.Data, Camera: camera, Stream: stream, Log: slog.New(slog.DiscardHandler)}
		}
		rows, err := Import(b.Context(), o)
		if err != nil || len(rows) != 1 || rows[0].Result != Imported || rows[0].Files != files {
			b.Fatalf("%+v, %v", rows, err)
		}
	}
	b.ReportMetric(float64(files*b.N)/b.Elapsed().Seconds(), "files/s")
}
