package mp4check

import (
	"errors"
	"fmt"
)

// The rules, by the names that tests assert. Clauses are those of ISO/IEC
// 14496-12 unless another standard is named.
const (
	RuleFileTile   = "file-tile"    // top-level boxes cover the file without gap or rest (4.2)
	RuleBoxTile    = "box-tile"     // child boxes cover their container (4.2)
	RuleBoxSize    = "box-size"     // a box is as long as its fields (4.2)
	RuleBoxMissing = "box-missing"  // a mandatory box is there (6.2.3)
	RuleBoxTwice   = "box-repeated" // a box of which there is one is there once (6.2.3)
	RuleFtypFirst  = "ftyp-first"   // ftyp is the first box (4.3)
	RuleMoovSize   = "moov-size"    // moov is of a size that fits in memory (maxMoov)
	RuleFragmented = "fragmented"   // no mvex, no moof beside mdat: all samples are in moov (8.8)

	RuleTableSize   = "table-size"   // a table's entry count fills its box (8.6, 8.7)
	RuleSampleCount = "sample-count" // the file has a byte for every sample (8.7.3)
	RuleSampleSize  = "sample-size"  // samples are not empty (8.7.3)

	RuleStscOrder   = "stsc-order"    // first_chunk starts at 1 and ascends (8.7.4)
	RuleStscZero    = "stsc-zero"     // no chunk without samples (8.7.4)
	RuleStscEntry   = "stsc-entry"    // the description index is within stsd (8.7.4)
	RuleStscCount   = "stsc-count"    // the chunks hold as many samples as stsz (8.7.4)
	RuleStcoCount   = "stco-count"    // every chunk that stsc names has an offset (8.7.5)
	RuleChunkMdat   = "chunk-mdat"    // a chunk lies inside the payload of one mdat (8.7.5)
	RuleChunkShared = "chunk-overlap" // no byte belongs to two chunks of whatever track
	RuleDataRef     = "data-ref"      // sample entries refer to this very file (8.7.2)

	RuleTimescale    = "timescale"      // no timescale is 0 (8.2.2, 8.4.2)
	RuleSttsCount    = "stts-count"     // stts covers as many samples as stsz (8.6.1.2)
	RuleSttsZero     = "stts-zero"      // no stts run of no samples (8.6.1.2)
	RuleZeroDuration = "zero-duration"  // no sample lasts 0 ticks (8.6.1.2)
	RuleCttsCount    = "ctts-count"     // ctts, if any, covers as many samples as stsz (8.6.1.3)
	RuleCttsZero     = "ctts-zero"      // no ctts run of no samples (8.6.1.3)
	RuleCtsNegative  = "cts-negative"   // no sample is composed before time 0, where no edit can show it (8.6.1.3)
	RuleCtsEqual     = "cts-equal"      // no two samples of a track are presented at once
	RuleCtsSync      = "cts-sync-order" // nothing decoded before a sync sample is shown after it, nor the reverse

	RuleStssOrder   = "stss-order"   // stss ascends strictly within 1..samples (8.6.2)
	RuleStssFirst   = "stss-first"   // a video track starts with a sync sample
	RuleSyncIDR     = "sync-idr"     // a sync sample holds an IDR (H.264) or IRAP (H.265) picture, or a recovery point (14496-15 5.3.5)
	RuleNonSyncIDR  = "nonsync-idr"  // and no other sample holds one
	RuleNALTile     = "nal-tile"     // length-prefixed NAL units cover the sample (14496-15 5.3.4.2)
	RuleParamInBand = "param-inband" // parameter sets among the samples repeat those of the sample entry

	RuleMdhdDuration = "mdhd-duration" // media duration is the sum of stts (8.4.2)
	RuleTkhdDuration = "tkhd-duration" // track duration is the sum of its edits, or else of its media (8.3.2)
	RuleMvhdDuration = "mvhd-duration" // movie duration is that of the longest track (8.2.2)
	RuleTrackID      = "track-id"      // track IDs are unique and not 0 (8.3.2)
	RuleNextTrackID  = "next-track-id" // next_track_ID exceeds every track ID (8.2.2)
	RuleEditRange    = "edit-range"    // an edit shows only times that the media has (8.6.6)
	RuleEditEmpty    = "edit-empty"    // no edit of no duration; the last one shows media (8.6.6)
	RuleEditRate     = "edit-rate"     // edits play at rate 1 (8.6.6)
	RuleAudioGap     = "audio-gap"     // sound is presented in decoding order, and its edits join

	RuleConfigMissing = "config-missing"     // avcC, hvcC, esds or dOps is there (14496-15 5.4.2, 8.4.1)
	RuleConfigVersion = "config-version"     // configurationVersion is 1 (14496-15 5.3.3)
	RuleConfigProfile = "config-profile"     // profile, compatibility, level repeat the SPS (14496-15 5.3.3)
	RuleConfigLength  = "config-length-size" // NAL lengths take 4 bytes (lengthSizeMinusOne 3)
	RuleConfigParams  = "config-params"      // the parameter sets are there and can be read
	RuleEntrySize     = "entry-dimensions"   // width and height are those of the SPS, cropped
	RuleTkhdSize      = "tkhd-dimensions"    // track width and height are those of a sample entry
	RuleAudioRate     = "audio-rate"         // media timescale is a multiple of the sampling rate
	RuleAudioChannels = "audio-channels"     // channel counts are sane and agree
	RuleRawSize       = "raw-size"           // samples of G.711 have one size: a byte a channel
	RuleRawTime       = "raw-time"           // a sample of G.711 lasts a sampling interval, or longer
)

// Violation is one broken rule, and where and how it is broken.
type Violation struct {
	Rule   string // one of the Rule constants
	Detail string
}

// Error returns the rule and the detail in one line.
func (v Violation) Error() string { return v.Rule + ": " + v.Detail }

// Violations returns all violations joined in an error of Check, in the order
// found. It is empty for nil and for errors of reading.
func Violations(err error) []Violation {
	var v Violation
	if joined, ok := err.(interface{ Unwrap() []error }); ok {
		var all []Violation
		for _, e := range joined.Unwrap() {
			all = append(all, Violations(e)...)
		}
		return all
	}
	if errors.As(err, &v) {
		return []Violation{v}
	}
	return nil
}

// A table that is off by one is off at each of a million samples, so only the
// first few violations of each rule are kept.
const maxPerRule = 10

// findings collects violations.
type findings struct {
	errs   []error
	counts map[string]int
}

func (f *findings) fail(rule, format string, args ...any) {
	if f.counts == nil {
		f.counts = make(map[string]int)
	}
	f.counts[rule]++
	switch n := f.counts[rule]; {
	case n <= maxPerRule:
		f.errs = append(f.errs, Violation{Rule: rule, Detail: fmt.Sprintf(format, args...)})
	case n == maxPerRule+1:
		f.errs = append(f.errs, Violation{Rule: rule, Detail: "and more of the same"})
	}
}

// require fails rule unless ok, and returns ok.
func (f *findings) require(ok bool, rule, format string, args ...any) bool {
	if !ok {
		f.fail(rule, format, args...)
	}
	return ok
}
