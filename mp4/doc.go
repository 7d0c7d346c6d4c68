// Package mp4 turns samples into the two kinds of mp4 file that nvrfs knows. It is arithmetic over bytes: it knows no SQL,
// no FUSE and no HTTP, and it never decodes a picture.
//
// A sample file is what a recorder appends to: a fragmented mp4 (ISO/IEC 14496-12 8.8) that plays by itself and from which
// alone, after any crash, what was recorded can be read back.
//
//	| ftyp | moov | prft moof mdat | prft moof mdat | ... | uuid (seal) |
//	       header        fragment         fragment          written when the recording ended
//
// A File is what a reader sees: an ordinary mp4 whose tables are computed and whose samples are slices of sample files.
//
//	| ftyp | moov, computed | mdat header | sample file 1 | sample file 2 | ...
//	offset 0                                                            Size
//
// The slices of a File cover [0, Size) without gaps or overlap, and their bytes never change. The extent of a sample file
// is taken whole, so the virtual mdat holds the fragment headers as bytes that no chunk refers to (8.1.1).
//
// # Words and units
//
// A Part is what one recording contributes to a File. Sample numbers start at 1 in the boxes and at 0 in slices. A time
// named ...90k counts ticks of 1/90000 s; every other time is in its track's own timescale. DTS is when a sample is
// decoded, CTS the distance from there to when it is shown (ISO/IEC 14496-12 8.6.1.3 calls it the composition offset).
package mp4
