package mp4

import (
	"encoding/binary"
	"encoding/json"
	"fmt"
	"hash/crc32"

	"nvrfs/media"
	"nvrfs/media/box"
)

// Identity says which recording a sample file holds. It stands in the file's header as JSON, so that the file alone tells
// where it belongs when the database is lost.
type Identity struct {
	Camera    string `json:"camera"`
	Stream    string `json:"stream"`    // "main", "sub" or any other
	Recording int64  `json:"recording"` // number of the recording within its stream
	Run       string `json:"run"`       // UUID of the run
	Sequence  int    `json:"sequence"`  // place within the run, from 0
	Start90k  int64  `json:"start90k"`  // wall time of the first frame shown, as known when the recording started
}

// headerInfo is the JSON of a header: the identity, and of the tracks what their boxes say only in a roundabout way.
type headerInfo struct {
	Identity
	Codecs   []string `json:"codecs"`              // RFC 6381, one a track
	RawAudio []uint32 `json:"raw_audio,omitempty"` // IDs of the tracks that are media.RawAudio
}

// Seal is written behind the last fragment when a recording has ended; a sample file without one was cut off.
type Seal struct {
	Start90k        int64  `json:"start90k"` // as in Identity, but final
	WallDuration90k int64  `json:"wall_duration90k"`
	EndReason       string `json:"end_reason,omitempty"` // why the run ended; empty when the next recording continues it
}

// Fragment is one append to a sample file.
type Fragment struct {
	Sequence uint32           // from 1 within the file
	Wall90k  int64            // wall time of the DTS of the master's first sample
	Tracks   [][]media.Sample // as in the header; the master first. A track may have none

	// Entries is nil, or has for each track the sample entry that holds from this fragment on, nil where that of before does. It is
	// like that of before, see media.SampleEntry.Alike, and the fragment has samples of the track. The traf has it, for those who read
	// the file back; players take the parameter sets that the sync sample has in band.
	Entries []*media.SampleEntry
	// Kinds has the kind of each track. It may be nil where no sample of video but the first of a fragment is a sync sample.
	Kinds []media.Kind
}

// sample flags, ISO/IEC 14496-12 8.8.3.1
const (
	syncFlags    = 0x02000000 // depends on no other sample
	nonSyncFlags = 0x01010000 // depends on others, is no sync sample
)

// AppendHeader appends the ftyp and moov of a sample file. Track IDs are 1 plus the index in tracks. The last box is a
// checksum over all the rest.
func AppendHeader(dst []byte, id Identity, tracks []media.SampleEntry) ([]byte, error) {
	info := headerInfo{Identity: id}
	for i, t := range tracks {
		info.Codecs = append(info.Codecs, t.Codec)
		if t.Kind == media.RawAudio {
			info.RawAudio = append(info.RawAudio, uint32(i+1))
		}
	}
	identity, err := json.Marshal(info)
	if err != nil {
		return dst, fmt.Errorf("write identity of sample file: %w", err)
	}
	start := len(dst)
	w := &writer{box.Writer{B: dst}}
	w.Box("ftyp", func() {
		w.Str("iso6")
		w.U32(0)
		w.Str("iso6mp41")
	})
	w.Box("moov", func() {
		w.mvhd(0, uint32(len(tracks)+1))
		for i, t := range tracks {
			w.emptyTrak(uint32(i+1), t)
		}
		w.Box("mvex", func() {
			for i, t := range tracks {
				w.FullBox("trex", 0, 0, func() { w.U32s(uint32(i+1), 1, 0, 0, defaultFlags(t)) })
			}
		})
		w.Box("udta", func() {
			w.uuidBox(identityUUID, func() { w.Bytes(identity) })
			w.uuidBox(checksumUUID, func() { w.U32(0) })
		})
	})
	crcAt := len(w.B) - 4
	binary.BigEndian.PutUint32(w.B[crcAt:], crc32.Checksum(w.B[start:crcAt], crcTable))
	return w.B, nil
}

func defaultFlags(e media.SampleEntry) uint32 { return sampleFlags(e.Kind != media.Video) }

func sampleFlags(sync bool) uint32 {
	if sync {
		return syncFlags
	}
	return nonSyncFlags
}

// emptyTrak is a track whose samples are all in fragments.
func (w *writer) emptyTrak(id uint32, e media.SampleEntry) {
	w.Box("trak", func() {
		w.tkhd(id, &e, 0)
		w.Box("mdia", func() {
			w.mdhd(e.Timescale, 0)
			w.hdlr(e.Kind)
			w.Box("minf", func() {
				w.mediaHeader(e.Kind)
				w.dinf()
				w.Box("stbl", func() {
					w.stsd(e.Box)
					w.FullBox("stts", 0, 0, func() { w.U32(0) })
					w.FullBox("stsc", 0, 0, func() { w.U32(0) })
					w.FullBox("stsz", 0, 0, func() { w.U32s(0, 0) })
					w.FullBox("stco", 0, 0, func() { w.U32(0) })
				})
			})
		})
	})
}

// crcTable is Castagnoli's, which processors compute.
var crcTable = crc32.MakeTable(crc32.Castagnoli)

// Append appends the fragment's prft, moof and mdat. headerLen counts its bytes before the first sample. The last box of
// the moof is a checksum over everything else in the fragment, so that a write which reached the disk in part is told from
// a whole one.
func (f *Fragment) Append(dst []byte) (out []byte, headerLen int) {
	start := len(dst)
	w := &writer{box.Writer{B: dst}}
	w.FullBox("prft", 1, 0, func() {
		w.U32(1)
		w.U64(ntpTime(f.Wall90k))
		w.U64(uint64(f.Tracks[0][0].DTS))
	})
	moof := len(w.B)
	var dataOffsets []int // positions of the trun data_offset fields, which need the moof's size
	w.Box("moof", func() {
		w.FullBox("mfhd", 0, 0, func() { w.U32(f.Sequence) })
		for i, t := range f.Tracks {
			if len(t) > 0 {
				dataOffsets = append(dataOffsets, w.traf(uint32(i+1), t, i < len(f.Kinds) && f.Kinds[i] == media.Video, f.entry(i)))
			}
		}
		w.uuidBox(checksumUUID, func() { w.U32(0) })
	})
	crcAt := len(w.B) - 4
	dataOffset, size := uint32(len(w.B)-moof+8), uint32(8)
	n := 0
	for _, t := range f.Tracks {
		if len(t) == 0 {
			continue
		}
		binary.BigEndian.PutUint32(w.B[dataOffsets[n]:], dataOffset)
		n++
		for _, s := range t {
			dataOffset += uint32(len(s.Data))
			size += uint32(len(s.Data))
		}
	}
	w.U32(size)
	w.Str("mdat")
	headerLen = len(w.B) - start
	for _, t := range f.Tracks {
		for _, s := range t {
			w.Bytes(s.Data)
		}
	}
	binary.BigEndian.PutUint32(w.B[crcAt:], fragmentChecksum(w.B[start:crcAt], w.B[crcAt+4:]))
	return w.B, headerLen
}

// fragmentChecksum covers a fragment's bytes before and after the checksum itself.
func fragmentChecksum(before, after []byte) uint32 {
	return crc32.Update(crc32.Checksum(before, crcTable), crcTable, after)
}

// trun flags, ISO/IEC 14496-12 8.8.8.1
const (
	trunDataOffset = 0x001
	trunFirstFlags = 0x004
	trunDuration   = 0x100
	trunSize       = 0x200
	trunFlags      = 0x400
	trunCTS        = 0x800
)

// trunOf says which fields the trun of samples has. Of video, samples behind the first may be sync samples; then each has its flags,
// because the flags of trex are those of a sample that is none.
func trunOf(t []media.Sample, video bool) (flags uint32) {
	flags = trunDataOffset | trunDuration | trunSize
	if t[0].Sync {
		flags |= trunFirstFlags
	}
	for i := range t {
		if t[i].CTS != 0 {
			flags |= trunCTS
		}
		if video && i > 0 && t[i].Sync {
			flags = flags&^trunFirstFlags | trunFlags
		}
	}
	return flags
}

// traf writes a track's part of the moof and returns where its data_offset stands. e is nil where the sample entry stays.
func (w *writer) traf(id uint32, t []media.Sample, video bool, e *media.SampleEntry) (dataOffsetAt int) {
	flags := trunOf(t, video)
	w.Box("traf", func() {
		w.FullBox("tfhd", 0, 0x020000, func() { w.U32(id) }) // default-base-is-moof
		w.FullBox("tfdt", 1, 0, func() { w.U64(uint64(t[0].DTS)) })
		w.FullBox("trun", 1, flags, func() {
			w.U32(uint32(len(t)))
			dataOffsetAt = len(w.B)
			w.U32(0)
			if flags&trunFirstFlags != 0 {
				w.U32(syncFlags)
			}
			for _, s := range t {
				w.U32s(s.Duration, uint32(len(s.Data)))
				if flags&trunFlags != 0 {
					w.U32(sampleFlags(s.Sync))
				}
				if flags&trunCTS != 0 {
					w.U32(uint32(s.CTS))
				}
			}
		})
		w.newEntry(e)
	})
	return dataOffsetAt
}

// AppendSeal appends the box that ends a sample file: the seal as JSON, and its checksum.
func AppendSeal(dst []byte, s Seal) ([]byte, error) {
	text, err := json.Marshal(s)
	if err != nil {
		return dst, fmt.Errorf("write seal of sample file: %w", err)
	}
	w := &writer{box.Writer{B: dst}}
	w.uuidBox(sealUUID, func() {
		w.Bytes(text)
		w.U32(crc32.Checksum(text, crcTable))
	})
	return w.B, nil
}

// ntpUnix90k is the Unix epoch on NTP's scale, which starts in 1900 (RFC 5905 6).
const ntpUnix90k = 2208988800 * 90000

// ntpTime converts to NTP's 32.32 fixed point, modulo its era of 136 years.
func ntpTime(t90k int64) uint64 {
	t := uint64(t90k + ntpUnix90k)
	return t/90000<<32 | (t%90000<<32+45000)/90000
}

// fromNTPTime undoes ntpTime exactly, for times from 1970 to 2106.
func fromNTPTime(ntp uint64) int64 {
	sec := int64(ntp >> 32)
	if sec < 2208988800 {
		sec += 1 << 32
	}
	return sec*90000 - ntpUnix90k + int64((ntp&0xffffffff*90000+1<<31)>>32)
}
