// Package demux reads mp4 files that other programs made: where their samples lie, when these are shown, and what a decoder
// must know. The footage of nvrfs itself is read by package mp4.
//
//	file ─Read─> File ─> Track ─> media.SampleEntry
//	             tables           media.Sample, offset ─Read─> bytes
//
// The tables are those of the moov (stts, stsz and so on), of fragments (moof, traf, trun), or first of one, then of the others.
//
// A File has its tables in memory, some 25 bytes a sample, and its samples still in the file. Whatever the bytes of a file are,
// Read fails or gives samples that lie within it, in decoding order; its memory and its time are bounded by the size of the file
// and by the limits in movie.go. Which codecs there are, package codec knows.
package demux
