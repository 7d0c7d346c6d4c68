package mp4

import (
	"encoding/binary"
	"fmt"
	"math"
	"sort"
)

// readTable reads at off from the start of a table's entries, up to the end of one part's piece.
func (f *File) readTable(p []byte, s *section, off int64) (int, error) {
	t := &f.tracks[s.track]
	entry := uint32(off / entryBytes[s.table])
	i := sort.Search(len(t.pieces), func(i int) bool { return t.pieces[i].first[s.table] > entry }) - 1
	tables, err := f.tables(i)
	if err != nil {
		return 0, err
	}
	at := f.tableOffset(i, s.track, s.table)
	piece := tables[at : at+int64(t.pieces[i].count[s.table])*entryBytes[s.table]]
	return copy(p, piece[off-int64(t.pieces[i].first[s.table])*entryBytes[s.table]:]), nil
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
				at += int64(f.tracks[k].pieces[i].count[x]) * entryBytes[x]
			}
		}
	}
	return at
}

func (f *File) makeTables(i int) ([]byte, error) {
	all, err := f.parts[i].load()
	if err != nil {
		return nil, err
	}
	b := make([]byte, f.tableOffset(i, len(f.tracks), 0))
	for k := range f.tracks {
		t := &f.tracks[k]
		q := &t.pieces[i]
		if q.src < 0 {
			continue
		}
		g := tableWriter{t: t, q: q, s: &all[q.src]}
		for tab := range numTables {
			g.b = b[f.tableOffset(i, k, tab):f.tableOffset(i, k, tab+1)]
			if err := g.write(tab, f.mdatAt+f.data[i]); err != nil {
				return nil, fmt.Errorf("recording %s: %w", f.parts[i].Name, err)
			}
		}
	}
	return b, nil
}

// tableWriter fills one piece's entries of a table.
type tableWriter struct {
	t *track
	q *piece
	s *Samples
	b []byte // what is left to fill
}

func (g *tableWriter) put(v uint32) {
	binary.BigEndian.PutUint32(g.b, v)
	g.b = g.b[4:]
}

func (g *tableWriter) write(tab table, stretchAt int64) error {
	switch tab {
	case stts:
		return g.stts()
	case ctts:
		return g.ctts()
	case stss:
		for _, x := range g.s.Syncs {
			g.put(g.q.first[stsz] + x + 1)
		}
	case stsc:
		g.stsc()
	case stsz:
		for _, x := range g.s.Sizes {
			g.put(x)
		}
	case co64:
		for _, x := range g.s.ChunkOffsets {
			binary.BigEndian.PutUint64(g.b, uint64(stretchAt+x))
			g.b = g.b[8:]
		}
	}
	return nil
}

// stts: runs of equal durations (8.6.1.2), then the last sample by itself, since its duration depends on what follows it
// in this File.
func (g *tableWriter) stts() error {
	v := g.s.Durations[:len(g.s.Durations)-1]
	for i := 0; i < len(v); {
		j := i + 1
		for j < len(v) && v[j] == v[i] {
			j++
		}
		if int64(v[i])*g.q.scale > math.MaxUint32 {
			return fmt.Errorf("a %s sample lasts %d ticks of 1/%d s, longer than an mp4 can say", g.t.kind, int64(v[i])*g.q.scale, g.t.timescale)
		}
		g.put(uint32(j - i))
		g.put(uint32(int64(v[i]) * g.q.scale))
		i = j
	}
	g.put(1)
	g.put(g.q.lastDelta)
	return nil
}

// ctts: runs of equal composition offsets (8.6.1.3).
func (g *tableWriter) ctts() error {
	if g.q.count[ctts] == 0 {
		return nil
	}
	n := len(g.s.Durations)
	for i := 0; i < n; {
		j := i + 1
		for j < n && g.s.cts(j) == g.s.cts(i) {
			j++
		}
		v := g.s.cts(i) * g.q.scale
		if v != int64(int32(v)) {
			return fmt.Errorf("a %s sample is shown %d ticks of 1/%d s after it is decoded, more than an mp4 can say", g.t.kind, v, g.t.timescale)
		}
		g.put(uint32(j - i))
		g.put(uint32(int32(v)))
		i = j
	}
	return nil
}

// stsc: runs of chunks with equally many samples (8.7.4).
func (g *tableWriter) stsc() {
	for i, n := range g.s.ChunkCounts {
		if i == 0 || n != g.s.ChunkCounts[i-1] {
			g.put(g.q.first[co64] + uint32(i) + 1)
			g.put(n)
			g.put(g.q.entry)
		}
	}
}
