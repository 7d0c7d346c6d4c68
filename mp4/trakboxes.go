package mp4

import "nvrfs/media"

// The boxes of a moov that do not depend on the number of samples (ISO/IEC 14496-12 8.2 to 8.7), shared by sample files and
// Files. Durations are always 64 bits wide, so that a size never depends on a value.

// movieTimescale is the timescale of mvhd, and so of tkhd durations and edit lists.
const movieTimescale = 90000

func (w *writer) mvhd(duration90k uint64, nextTrackID uint32) {
	w.FullBox("mvhd", 1, 0, func() {
		w.U64(0) // no creation time: the bytes are to be a function of the footage alone
		w.U64(0)
		w.U32(movieTimescale)
		w.U64(duration90k)
		w.U32(0x10000) // rate 1.0
		w.U16(0x100)   // volume 1.0
		w.Zeros(10)
		w.unityMatrix()
		w.Zeros(24)
		w.U32(nextTrackID)
	})
}

func (w *writer) tkhd(id uint32, e *media.SampleEntry, duration90k uint64) {
	w.FullBox("tkhd", 1, 3, func() { // enabled, in movie
		w.U64(0)
		w.U64(0)
		w.U32(id)
		w.U32(0)
		w.U64(duration90k)
		w.Zeros(8)
		w.U16(0) // layer
		w.U16(0) // alternate group
		if e.Kind.Sound() {
			w.U16(0x100)
		} else {
			w.U16(0)
		}
		w.U16(0)
		w.matrix(e)
		w.U32(uint32(e.Width) << 16)
		w.U32(uint32(e.Height) << 16)
	})
}

func (w *writer) mdhd(timescale uint32, duration uint64) {
	w.FullBox("mdhd", 1, 0, func() {
		w.U64(0)
		w.U64(0)
		w.U32(timescale)
		w.U64(duration)
		w.U16(0x55c4) // language "und"
		w.U16(0)
	})
}

func (w *writer) hdlr(k media.Kind) {
	typ, name := "vide", "nvrfs video"
	if k.Sound() {
		typ, name = "soun", "nvrfs audio"
	}
	w.FullBox("hdlr", 0, 0, func() {
		w.U32(0)
		w.Str(typ)
		w.Zeros(12)
		w.Str(name)
		w.U8(0)
	})
}

func (w *writer) mediaHeader(k media.Kind) {
	if k.Sound() {
		w.FullBox("smhd", 0, 0, func() { w.Zeros(4) })
	} else {
		w.FullBox("vmhd", 0, 1, func() { w.Zeros(8) })
	}
}

// dinf says that the samples are in this file.
func (w *writer) dinf() {
	w.Box("dinf", func() {
		w.FullBox("dref", 0, 0, func() {
			w.U32(1)
			w.FullBox("url ", 0, 1, func() {})
		})
	})
}

func (w *writer) stsd(entries ...[]byte) {
	w.FullBox("stsd", 0, 0, func() {
		w.U32(uint32(len(entries)))
		for _, e := range entries {
			w.Bytes(e)
		}
	})
}
