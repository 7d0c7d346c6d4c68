package playback

import (
	"sync/atomic"

	"nvrfs/playback/lru"
)

// Stats counts what a Library has done since it was opened, and says what it keeps.
type Stats struct {
	Queries int64 `json:"queries"` // of the database

	SampleReads  int64 `json:"sample_reads"`  // of sample files, for whomever
	SampleBytes  int64 `json:"sample_bytes"`  // that these gave
	SampleErrors int64 `json:"sample_errors"` // of these, how many gave less than was asked for
	SampleOpens  int64 `json:"sample_opens"`

	OpenSamples lru.Stats `json:"open_samples"` // sample files that are kept open; the cost is their number
	Tables      lru.Stats `json:"tables"`       // of parts; the cost is in bytes, about, as of the others
	Files       lru.Stats `json:"files"`        // entries that are laid out
	Listings    lru.Stats `json:"listings"`     // of days
}

// sampleCounters are the parts of Stats that count.
type sampleCounters struct{ reads, bytes, errors atomic.Int64 }

// read counts a read of which got bytes of those wanted were had.
func (c *sampleCounters) read(got, wanted int64) {
	c.reads.Add(1)
	c.bytes.Add(got)
	if got < wanted {
		c.errors.Add(1)
	}
}

// Stats returns the counters.
func (l *Library) Stats() Stats {
	st := Stats{
		SampleReads: l.count.reads.Load(), SampleBytes: l.count.bytes.Load(), SampleErrors: l.count.errors.Load(),
		Tables: l.tables.Stats(), Files: l.files.Stats(), Listings: l.listings.cache.Stats(),
	}
	if s, ok := l.src.(countingSource); ok {
		st.Queries, st.SampleOpens, st.OpenSamples = s.Counts()
	}
	return st
}
