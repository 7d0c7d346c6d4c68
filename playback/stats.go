package playback

import "sync/atomic"

// Stats counts what a Library has done since it was opened, and says what it keeps.
type Stats struct {
	Queries int64 `json:"queries"` // of the database

	SampleReads  int64 `json:"sample_reads"`  // of sample files, for whomever
	SampleBytes  int64 `json:"sample_bytes"`  // that these gave
	SampleErrors int64 `json:"sample_errors"` // of these, how many gave less than was asked for
	SampleOpens  int64 `json:"sample_opens"`

	OpenSamples CacheStats `json:"open_samples"` // sample files that are kept open; the cost is their number
	Tables      CacheStats `json:"tables"`       // of parts; the cost is in bytes, about, as of the others
	Files       CacheStats `json:"files"`        // entries that are laid out
	Listings    CacheStats `json:"listings"`     // of days
}

// CacheStats says how a cache does.
type CacheStats struct {
	Items  int   `json:"items"`
	Cost   int64 `json:"cost"` // of the items
	Max    int64 `json:"max"`  // that they may cost
	Hits   int64 `json:"hits"`
	Misses int64 `json:"misses"`
}

// sampleCounters are the parts of Stats that count.
type sampleCounters struct{ reads, bytes, errors, opens atomic.Int64 }

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
	c := &l.samples.count
	return Stats{
		Queries:     l.db.Stats().Queries,
		SampleReads: c.reads.Load(), SampleBytes: c.bytes.Load(), SampleErrors: c.errors.Load(), SampleOpens: c.opens.Load(),
		OpenSamples: l.samples.open.stats(), Tables: l.tables.stats(), Files: l.files.stats(), Listings: l.lists.stats(),
	}
}
