package mp4

import (
	"encoding/binary"
	"fmt"
	"math"
	"sort"

	"nvrfs/media"
)

// readTable reads at off from the start of a table's entries, up to the end of one part's piece.
func (f *File) readTable(p []byte, s *section, off int64) (int, error) {
	t := &f.tracks[s.track]
	each := t.entryBytes(s.table)
	entry := uint32(off / each)
	i := sort.Search(len(t.pieces), func(i int) bool { return t.pieces[i].first[s.table] > entry }) - 1
	q := &t.pieces[i]
	off -= int64(q.first[s.table]) * each
	if q.src >= 0 {
		g := tableWriter{t: t, q: q, x: &f.parts[i].Tracks[q.src]}
		if g.regular(s.table) {
			var room [(media.MaxRuns + 1) * 8]byte
			g.b = append(room[:0], make([]byte, int64(q.count[s.table])*each)...)
			piece := g.b
			if err := g.writeRegular(s.table); err != nil {
				return 0, f.tableError(i, err)
			}
			return copy(p, piece[off:]), nil
		}
	}
	tables, err := f.tables(i)
	if err != nil {
		return 0, err
	}
	at := f.tableOffset(i, s.track, s.table)
	return copy(p, tables[at+off:at+int64(q.count[s.table])*each]), nil
}

// tables returns part i's entries of every table, track by track.
func (f *File) tables(i int) ([]byte, error) {
	if f.cache == nil {
		return f.makeTables(i)
	}
	return f.cache.Tables(f, i, func() ([]byte, error) { return f.makeTables(i) })
}

// tableOffset says where in tables(i) a table starts. Past the last table, it is the length.
func (f *File) tableOffset(i, track int, tab table) (at int64) {
	for k := 0; k <= track && k < len(f.tracks); k++ {
		for x := range numTables {
			if k < track || x < tab {
				at += int64(f.tracks[k].pieces[i].count[x]) * f.tracks[k].entryBytes(x)
			}
		}
	}
	return at
}

func (f *File) makeTables(i int) (b []byte, err error) {
	err = f.parts[i].load(func(all []media.Samples) error {
		b = make([]byte, f.tableOffset(i, len(f.tracks), 0))
		rest := b
		for k := range f.tracks {
			t := &f.tracks[k]
			q := &t.pieces[i]
			if q.src < 0 {
				continue
			}
			g := tableWriter{t: t, q: q, x: &f.parts[i].Tracks[q.src], s: &all[q.src]}
			for tab := range numTables {
				n := int64(q.count[tab]) * t.entryBytes(tab)
				g.b, rest = rest[:n], rest[n:]
				if err := g.write(tab, f.mdatAt+f.data[i]); err != nil {
					return f.tableError(i, err)
				}
			}
		}
		return nil
	})
	return b, err
}

func (f *File) tableError(i int, err error) error {
	return fmt.Errorf("recording %s: %w", f.parts[i].Name, err)
}

// tableWriter fills one piece's entries of a table.
type tableWriter struct {
	t *track
	q *piece
	x *TrackPart
	s *media.Samples
	b []byte // what is left to fill
}

func (g *tableWriter) put(v uint32) {
	binary.BigEndian.PutUint32(g.b, v)
	g.b = g.b[4:]
}

// put2 puts two at once.
func (g *tableWriter) put2(v, w uint32) {
	binary.BigEndian.PutUint64(g.b, uint64(v)<<32|uint64(w))
	g.b = g.b[8:]
}

// putAll puts many at once.
func (g *tableWriter) putAll(v []uint32, add uint32) {
	b := g.b
	for _, x := range v {
		binary.BigEndian.PutUint32(b, x+add)
		b = b[4:]
	}
	g.b = b
}

func (g *tableWriter) write(tab table, extentAt int64) error {
	switch tab {
	case stts:
		return g.stts()
	case ctts:
		return g.ctts()
	case stss:
		g.putAll(g.s.Syncs, g.q.first[stsz]+1)
	case stsc:
		return g.stsc()
	case stsz:
		if g.t.kind != media.RawAudio {
			g.putAll(g.s.Sizes, 0)
		}
	case co64:
		for _, x := range g.s.ChunkOffsets {
			binary.BigEndian.PutUint64(g.b, uint64(extentAt+x))
			g.b = g.b[8:]
		}
	}
	return nil
}

// regular reports whether a piece of a table follows from the row alone, since it has one run at most, or the row has the runs.
// The start of a file, which a player reads first, is full of these. A row that contradicts itself is left to the comparison with its index.
func (g *tableWriter) regular(tab table) bool {
	x := g.x
	switch tab {
	case stts:
		_, steady := x.Steady()
		return steady || g.knowsRuns()
	case ctts:
		return x.CTSRuns <= 1
	case stsc:
		return x.ChunkRuns == 1 && x.Chunks > 0 && x.Samples%x.Chunks == 0
	}
	return false
}

// writeRegular fills a piece for which regular is true with what write would.
func (g *tableWriter) writeRegular(tab table) error {
	switch tab {
	case stts:
		return g.sttsOfRow()
	case ctts:
		return g.cttsRun(int(g.x.Samples), int64(g.x.FirstCTS))
	case stsc:
		return g.stscRun(media.ChunkRun{Samples: g.x.Samples / g.x.Chunks})
	}
	return nil
}

// knowsRuns reports whether the row has the runs of durations, and they are those that it counts.
func (g *tableWriter) knowsRuns() bool {
	if g.x.Runs == "" {
		return false
	}
	var room [media.MaxRuns]media.Run
	runs, ok := g.x.Runs.Unpack(room[:0])
	samples, duration := uint64(1), int64(g.x.LastDuration)
	for _, r := range runs {
		samples += uint64(r.Samples)
		duration += int64(r.Samples) * int64(r.Duration)
	}
	return ok && uint32(len(runs)) == g.x.TimeRuns && samples == uint64(g.x.Samples) && duration == g.x.Duration
}

// sttsOfRow fills a piece of stts as stts would.
func (g *tableWriter) sttsOfRow() error {
	var room [media.MaxRuns]media.Run
	runs := room[:0]
	if each, steady := g.x.Steady(); !steady {
		runs, _ = g.x.Runs.Unpack(runs)
	} else if g.x.Samples > 1 {
		runs = append(runs, media.Run{Samples: g.x.Samples - 1, Duration: uint32(each)})
	}
	for _, r := range runs {
		if err := g.sttsRun(int(r.Samples), r.Duration); err != nil {
			return err
		}
	}
	g.sttsLast()
	return nil
}

// stts: runs of equal durations (8.6.1.2), then the last sample by itself, since its duration depends on what follows it
// in this File.
func (g *tableWriter) stts() error {
	for r := range g.s.TimeRuns {
		if err := g.sttsRun(int(r.Samples), r.Duration); err != nil {
			return err
		}
	}
	g.sttsLast()
	return nil
}

func (g *tableWriter) sttsRun(samples int, duration uint32) error {
	delta := int64(duration) * g.q.scale
	if delta > math.MaxUint32 {
		return fmt.Errorf("a %s sample lasts %d ticks of 1/%d s, longer than an mp4 can say", g.t.kind, delta, g.t.timescale)
	}
	g.put2(uint32(samples), uint32(delta))
	return nil
}

func (g *tableWriter) sttsLast() {
	g.put2(1, g.q.lastDelta)
}

// ctts: runs of equal composition offsets (8.6.1.3).
func (g *tableWriter) ctts() error {
	if g.q.count[ctts] == 0 {
		return nil
	}
	v := g.s.CTS
	if v == nil {
		return g.cttsRun(len(g.s.Durations), 0)
	}
	for i := 0; i < len(v); {
		j := i + 1
		for j < len(v) && v[j] == v[i] {
			j++
		}
		if err := g.cttsRun(j-i, int64(v[i])); err != nil {
			return err
		}
		i = j
	}
	return nil
}

func (g *tableWriter) cttsRun(samples int, cts int64) error {
	v := cts * g.q.scale
	if v != int64(int32(v)) {
		return fmt.Errorf("a %s sample is shown %d ticks of 1/%d s after it is decoded, more than an mp4 can say", g.t.kind, v, g.t.timescale)
	}
	g.put2(uint32(samples), uint32(int32(v)))
	return nil
}

// stsc: runs of chunks with equally many samples of one sample entry (8.7.4).
func (g *tableWriter) stsc() error {
	for r := range g.s.ChunkRuns {
		if err := g.stscRun(r); err != nil {
			return err
		}
	}
	return nil
}

func (g *tableWriter) stscRun(r media.ChunkRun) error {
	e := &g.t.entries[g.q.entry]
	if int(r.Entry) >= e.boxes {
		return fmt.Errorf("its index names sample entry %d of the %s, of which its row has %d", r.Entry+1, g.t.kind, e.boxes)
	}
	g.put(g.q.first[co64] + r.Chunk + 1)
	g.put(r.Samples)
	g.put(g.t.numbers[e.first+int(r.Entry)])
	return nil
}
