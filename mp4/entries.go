package mp4

import (
	"slices"

	"nvrfs/media"
	"nvrfs/media/box"
)

// A camera may change its parameter sets within a recording. The fragment from which on another sample entry holds has it in a box
// of ours, so that whoever has the sample file alone reads the same of it as the database says.

// entry returns the sample entry that a track has from the fragment on, or nil where that of before holds.
func (f *Fragment) entry(track int) *media.SampleEntry {
	if f.Entries == nil {
		return nil
	}
	return f.Entries[track]
}

// newEntry writes a sample entry and the name of its codec.
func (w *writer) newEntry(e *media.SampleEntry) {
	if e == nil {
		return
	}
	w.uuidBox(entryUUID, func() {
		w.U8(uint8(len(e.Codec)))
		w.Str(e.Codec)
		w.Bytes(e.Box)
	})
}

// parseEntry reads back what newEntry wrote.
func (frag *ScannedFragment) parseEntry(track int, p []byte, f *SampleFile) (ok bool) {
	if len(p) < 1 || len(p) < 1+int(p[0]) {
		return false
	}
	e := f.Tracks[track]
	e.Codec, e.Box = string(p[1:1+p[0]]), slices.Clone(p[1+p[0]:])
	if h, ok := box.ParseHeader(e.Box); !ok || h.Size != int64(len(e.Box)) || h.Size > maxHeaderBytes {
		return false
	}
	if frag.Entries == nil {
		frag.Entries = make([]*media.SampleEntry, len(f.Tracks))
	}
	frag.Entries[track] = &e
	_, ok = f.entries[track].Number(&e)
	return ok
}

// begin says that the first fragment that is read has these tracks, unless it says itself that they are others.
func (f *SampleFile) begin(tracks []media.SampleEntry) {
	f.Tracks, f.holds, f.entries = slices.Clone(tracks), slices.Clone(tracks), make([]media.EntryList, len(tracks))
	for i := range tracks {
		f.entries[i].Number(&tracks[i])
	}
}

// hold notes the sample entries of a whole fragment.
func (f *SampleFile) hold(entries []*media.SampleEntry) {
	for i, e := range entries {
		if e != nil {
			f.holds[i] = *e
		}
	}
}

// Holds returns the sample entries of the fragment that is visited, by track.
func (f *SampleFile) Holds() []media.SampleEntry { return slices.Clone(f.holds) }
