// Package rtpclock makes times of samples from what RTP tells of time, which is little: timestamps of 32 bits by clocks of the
// tracks' own, and sender reports that may come late, be wrong, or never come.
//
//	timestamp ─┬─Timeline─> PTS ─> Tie ─> media.Handler
//	  arrival ─┘      sender reports ─^    with sound and picture in step
//
// It does arithmetic on times that its callers hand it, and knows no network and no codec. The wall time of recordings is for
// package recorder to find.
package rtpclock
