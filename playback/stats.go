package playback

// Stats says what a Library has done since it was opened, and what its caches hold.
type Stats struct {
	Queries  int64      `json:"queries"` // of the database
	Listings CacheStats `json:"listings"`
	Files    CacheStats `json:"files"`
	Tables   CacheStats `json:"tables"`
}

// CacheStats is about one cache.
type CacheStats struct {
	Hits     int64 `json:"hits"`
	Misses   int64 `json:"misses"`
	Items    int   `json:"items"`
	Bytes    int64 `json:"bytes"` // about
	MaxBytes int64 `json:"max_bytes"`
}

// Stats returns what the library has done so far.
func (l *Library) Stats() Stats {
	return Stats{
		Queries:  l.db.Stats().Queries,
		Listings: l.lists.stats(), Files: l.files.stats(), Tables: l.tables.stats(),
	}
}
