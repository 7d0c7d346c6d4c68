package playback

// Stats counts what a Library has done since it was opened, and says what it keeps.
type Stats struct {
	Queries int64 `json:"queries"` // of the database

	Tables   CacheStats `json:"tables"`   // of parts; the cost is in bytes, about, as of the others
	Files    CacheStats `json:"files"`    // entries that are laid out
	Listings CacheStats `json:"listings"` // of days
}

// CacheStats says how a cache does.
type CacheStats struct {
	Items  int   `json:"items"`
	Cost   int64 `json:"cost"` // of the items
	Max    int64 `json:"max"`  // that they may cost
	Hits   int64 `json:"hits"`
	Misses int64 `json:"misses"`
}

// Stats returns the counters.
func (l *Library) Stats() Stats {
	return Stats{Queries: l.db.Stats().Queries, Tables: l.tables.stats(), Files: l.files.stats(), Listings: l.lists.stats()}
}
