package mp4

import "nvrfs/media"

// The boxes of a moov that do not depend on the number of samples (ISO/IEC 14496-12 8.2 to 8.7), shared by sample files and
// Files. Durations are always 64 bits wide, so that a size never depends on a value.

// movieTimescale is the timescale of mvhd, and so of tkhd durations and edit lists.
const movieTimescale = 90000

func (w *writer) mvhd(duration90k uint64, nextTrackID uint32) {
	w.fullBox("mvhd", 1, 0, func() {
		w.u64(0) // no creation time: the bytes are to be a function of the footage alone
		w.u64(0)
		w.u32(movieTimescale)
		w.u64(duration90k)
		w.u32(0x10000) // rate 1.0
		w.u16(0x100)   // volume 1.0
		w.zeros(10)
		w.unityMatrix()
		w.zeros(24)
		w.u32(nextTrackID)
	})
}

func (w *writer) tkhd(id uint32, e *media.SampleEntry, duration90k uint64) {
	w.fullBox("tkhd", 1, 3, func() { // enabled, in movie
		w.u64(0)
		w.u64(0)
		w.u32(id)
		w.u32(0)
		w.u64(duration90k)
		w.zeros(8)
		w.u16(0) // layer
		w.u16(0) // alternate group
		if e.Kind == media.Audio {
			w.u16(0x100)
		} else {
			w.u16(0)
		}
		w.u16(0)
		w.unityMatrix()
		w.u32(uint32(e.Width) << 16)
		w.u32(uint32(e.Height) << 16)
	})
}

func (w *writer) mdhd(timescale uint32, duration uint64) {
	w.fullBox("mdhd", 1, 0, func() {
		w.u64(0)
		w.u64(0)
		w.u32(timescale)
		w.u64(duration)
		w.u16(0x55c4) // language "und"
		w.u16(0)
	})
}

func (w *writer) hdlr(k media.Kind) {
	typ, name := "vide", "nvrfs video"
	if k == media.Audio {
		typ, name = "soun", "nvrfs audio"
	}
	w.fullBox("hdlr", 0, 0, func() {
		w.u32(0)
		w.str(typ)
		w.zeros(12)
		w.str(name)
		w.u8(0)
	})
}

func (w *writer) mediaHeader(k media.Kind) {
	if k == media.Audio {
		w.fullBox("smhd", 0, 0, func() { w.zeros(4) })
	} else {
		w.fullBox("vmhd", 0, 1, func() { w.zeros(8) })
	}
}

// dinf says that the samples are in this file.
func (w *writer) dinf() {
	w.box("dinf", func() {
		w.fullBox("dref", 0, 0, func() {
			w.u32(1)
			w.fullBox("url ", 0, 1, func() {})
		})
	})
}

func (w *writer) stsd(entries []*media.SampleEntry) {
	w.fullBox("stsd", 0, 0, func() {
		w.u32(uint32(len(entries)))
		for _, e := range entries {
			w.bytes(e.Box)
		}
	})
}
