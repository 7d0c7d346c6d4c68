// Package mp4check reads an ordinary .mp4 file the way a strict player would
// and reports every invariant of ISO/IEC 14496-12 and -15 that the file breaks.
//
//	io.ReaderAt ─> top-level boxes ─> moov in memory ─> Report ─> rules over tables
//	                                                       └────> rules over the NAL units in mdat
//
// It exists because players forgive: a tkhd duration that lies, an stts longer
// than its stsz, or an avcC that disagrees with the SPS plays in all of them,
// and is wrong in one that comes later. So that a mistake in the code that
// builds files cannot hide in the code that checks them, this package shares
// nothing with the builder and uses no mp4 library.
//
// What it covers: files whose samples are all described by moov, before or
// after the mdat. Bytes of an mdat that no chunk refers to are never looked at
// (8.1.1), so an mdat may hold the headers of fragments. A fragmented file
// (mvex, or moof outside mdat) is refused with RuleFragmented.
//
// Costs: moov is read once as a whole; of an mdat only the NAL unit headers and
// the parameter sets are read. Memory is proportional to moov and to the count
// of samples, and a count is believed only as far as the file has bytes for it.
//
// What it deliberately does not do: decode pictures or sound. Sample numbers in
// messages start at 1, as in the standard; slices start at 0.
package mp4check
