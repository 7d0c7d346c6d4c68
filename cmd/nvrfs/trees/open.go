package trees

import (
	"fmt"
	"os"

	"nvrfs/mp4/demux"
	"nvrfs/recorder/importer"
	"nvrfs/store/dir"
)

// Open opens an mp4 file and passes it to use. It calls tell, unless it is nil, for each part of the file that cannot be imported.
func Open(path string, tell func(why string), use func(*importer.File) error) error {
	file, err := dir.OpenRegular(path, os.O_RDONLY)
	if err != nil {
		return err
	}
	defer file.Close() //nolint:errcheck // read only: nothing can be lost
	info, err := file.Stat()
	if err != nil {
		return err
	}
	film, err := demux.Read(file, info.Size())
	if err != nil {
		return fmt.Errorf("%s: %w", path, err)
	}
	if film.Video == nil {
		return fmt.Errorf("%s: there is no video in it, and sound alone is not imported", path)
	}
	footage := &importer.File{Source: file, Laps: 1}
	for _, t := range film.Tracks() {
		track := importer.Track{Entry: t.Entry, Entries: t.Entries, Timescale: t.Timescale, End: t.End, Table: t}
		if x := t.Transcoder(); x != nil {
			track.Make = x.Sample
		}
		footage.Tracks = append(footage.Tracks, track)
	}
	for _, why := range film.LeftOut {
		if tell != nil {
			tell(why)
		}
	}
	if err := use(footage); err != nil {
		return fmt.Errorf("%s: %w", path, err)
	}
	return nil
}
