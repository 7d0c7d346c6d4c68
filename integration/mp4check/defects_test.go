package mp4check

import (
	"encoding/binary"
	"slices"
	"strings"
	"testing"
)

const (
	video = "moov/trak/mdia/minf/stbl"
	audio = "moov/trak2/mdia/minf/stbl"
	avc1  = video + "/stsd/avc1"
	avcC  = avc1 + "/avcC"
	mp4a  = audio + "/stsd/mp4a"
)

// defect is a mistake planted in a good file. rules are all rules that must
// find it, no more and no fewer, the one it is planted for first.
type defect struct {
	name    string
	fixture string
	rules   string
	plant   func(f *specimen)
}

var defects = []defect{
	// Boxes.
	{"file one byte longer than its boxes", bframes, "file-tile", func(f *specimen) { f.data = append(f.data, 0) }},
	{"mdat longer than the file", bframes, "file-tile chunk-mdat", func(f *specimen) { f.put32("mdat", -8, 1<<30) }},
	{"file cut short", bframes, "file-tile chunk-mdat", func(f *specimen) { f.data = f.data[:len(f.data)-1] }},
	{"free before ftyp", bframes, "ftyp-first", func(f *specimen) { f.rename("ftyp", "free") }},
	{"no moov", bframes, "box-missing", func(f *specimen) { f.rename("moov", "free") }},
	{"two moovs", bframes, "box-repeated", func(f *specimen) { f.rename("free", "moov") }},
	{"moof outside mdat", bframes, "fragmented", func(f *specimen) { f.rename("free", "moof") }},
	{"mvex in moov", bframes, "fragmented", func(f *specimen) { f.rename("moov/udta", "mvex") }},
	{"stbl box too long for stbl", bframes, "box-tile", func(f *specimen) { f.add32(audio+"/sbgp", -8, 1) }},
	{"udta box too short for udta", bframes, "box-tile", func(f *specimen) { f.add32("moov/udta/meta", -8, -1) }},
	{"mdhd of the other version", bframes, "box-size mdhd-duration edit-range audio-rate", func(f *specimen) {
		f.put8("moov/trak2/mdia/mdhd", 0, 1)
	}},
	{"no vmhd", bframes, "box-missing", func(f *specimen) { f.rename("moov/trak/mdia/minf/vmhd", "free") }},
	{"no stsz", bframes, "box-missing stts-count ctts-count stss-order stsc-count mdhd-duration edit-range", func(f *specimen) {
		f.rename(video+"/stsz", "free")
	}},
	{"two elst", bframes, "box-repeated", func(f *specimen) { f.insert("moov/trak/edts", 0, f.data[f.body("moov/trak/edts"):][:28]) }},
	{"both stco and co64", bframes, "box-repeated table-size stco-count stsc-count", func(f *specimen) {
		f.insert(video, 0, []byte("\x00\x00\x00\x10co64\x00\x00\x00\x00\x00\x00\x00\x01"))
	}},

	// Counts.
	{"stco of one chunk more than it holds", bframes, "table-size", func(f *specimen) { f.add32(video+"/stco", 4, 1) }},
	{"stss longer than it says", bframes, "table-size nonsync-idr", func(f *specimen) { f.put32(video+"/stss", 4, 1) }},
	{"stsd of one entry more than it holds", bframes, "table-size", func(f *specimen) { f.add32(video+"/stsd", 4, 1) }},
	{"dref of one entry more than it holds", bframes, "table-size", func(f *specimen) { f.add32("moov/trak/mdia/minf/dinf/dref", 4, 1) }},
	{"2^32 samples of one size", bframes, "sample-count box-size stts-count stsc-count mdhd-duration edit-range", func(f *specimen) {
		f.put32(audio+"/stsz", 4, 1<<31)
		f.put32(audio+"/stsz", 8, 1<<32-1)
	}},
	{"sample without bytes", bframes, "sample-size", func(f *specimen) { f.put32(audio+"/stsz", 12, 0) }},
	{"stts of one sample more", bframes, "stts-count", func(f *specimen) { f.add32(video+"/stts", 8, 1) }},
	{"stts of one sample fewer", bframes, "stts-count mdhd-duration", func(f *specimen) { f.add32(video+"/stts", 8, -1) }},
	{"stts run of no samples", noEdit, "stts-zero stts-count mdhd-duration", func(f *specimen) { f.put32(audio+"/stts", 16, 0) }},
	{"samples that last no time", noEdit, "zero-duration mdhd-duration", func(f *specimen) { f.put32(audio+"/stts", 20, 0) }},
	{"ctts of one sample more", bframes, "ctts-count", func(f *specimen) { f.add32(video+"/ctts", cttsLast(f), 1) }},
	{"ctts run of no samples", bframes, "ctts-zero ctts-count cts-equal", func(f *specimen) { f.put32(video+"/ctts", cttsLast(f), 0) }},

	// Sync samples.
	{"stss out of order", bframes, "stss-order nonsync-idr stss-first", func(f *specimen) {
		f.put32(video+"/stss", 8, 13)
		f.put32(video+"/stss", 12, 1)
	}},
	{"stss of a sample twice", bframes, "stss-order nonsync-idr", func(f *specimen) { f.put32(video+"/stss", 12, 1) }},
	{"stss of sample 0", bframes, "stss-order stss-first nonsync-idr", func(f *specimen) { f.put32(video+"/stss", 8, 0) }},
	{"stss beyond the last sample", bframes, "stss-order nonsync-idr", func(f *specimen) { f.put32(video+"/stss", 12, 25) }},
	{"first sample is no sync sample", bframes, "stss-first nonsync-idr sync-idr", func(f *specimen) { f.put32(video+"/stss", 8, 2) }},
	{"sync sample one late", noEdit, "sync-idr nonsync-idr", func(f *specimen) { f.put32(video+"/stss", 12, 14) }},
	{"no stss though not all are IDR", noEdit, "sync-idr", func(f *specimen) { f.rename(video+"/stss", "free") }},
	{"H.265 sync sample one late", hevc, "sync-idr nonsync-idr", func(f *specimen) { f.put32(video+"/stss", 12, 14) }},
	{"IDR that stss does not list", noEdit, "nonsync-idr", func(f *specimen) { f.data[f.sampleAt(2)+4] = 0x65 }},

	// NAL units.
	{"NAL unit one byte long", bframes, "nal-tile", func(f *specimen) { f.data[f.sampleAt(2)+3]++ }},
	{"NAL unit one byte short", bframes, "nal-tile", func(f *specimen) { f.data[f.sampleAt(2)+3]-- }},
	{"NAL unit of no bytes", bframes, "nal-tile", func(f *specimen) { copy(f.data[f.sampleAt(2):], "\x00\x00\x00\x00") }},
	{"start codes for NAL lengths", bframes, "nal-tile", func(f *specimen) { copy(f.data[f.sampleAt(2):], "\x00\x00\x00\x01") }},
	{"new SPS among the samples", bframes, "param-inband", func(f *specimen) { f.data[f.sampleAt(2)+4] = 0x67 }},
	{"new VPS among the samples", hevc, "param-inband", func(f *specimen) { f.data[f.sampleAt(2)+4] = 32 << 1 }},

	// Chunks.
	{"stsc starts at chunk 2", bframes, "stsc-order", func(f *specimen) { f.put32(video+"/stsc", 8, 2) }},
	{"stsc does not ascend", bframes, "stsc-order", func(f *specimen) { f.put32(video+"/stsc", 20, 1) }},
	{"chunk of no samples", bframes, "stsc-zero", func(f *specimen) { f.put32(video+"/stsc", 12, 0) }},
	{"sample entry beyond stsd", noEdit, "stsc-entry", func(f *specimen) { f.put32(video+"/stsc", 16, 2) }},
	{"sample entry 0", noEdit, "stsc-entry", func(f *specimen) { f.put32(audio+"/stsc", 16, 0) }},
	{"chunk of a sample too many", bframes, "stsc-count nal-tile chunk-overlap sync-idr", func(f *specimen) { f.add32(video+"/stsc", 24, 1) }},
	{"stsc names a chunk without offset", bframes, "stco-count stsc-count", func(f *specimen) {
		f.put32(audio+"/stsc", int(f.get32(audio+"/stsc", 4))*12-4, 99)
	}},
	{"chunk before mdat", noEdit, "chunk-mdat", func(f *specimen) { f.put32(audio+"/stco", 8, 16) }},
	{"chunk on the mdat header", noEdit, "chunk-mdat", func(f *specimen) { f.put32(audio+"/stco", 8, uint32(f.body("mdat")-1)) }},
	{"chunk past the end", noEdit, "chunk-mdat", func(f *specimen) { f.put32(audio+"/stco", 8, 1<<32-1) }},
	{"chunk over the end of mdat", noEdit, "chunk-mdat", func(f *specimen) {
		f.add32(audio+"/stco", 4+4*int(f.get32(audio+"/stco", 4)), 1)
	}},
	{"audio chunk on a video chunk", noEdit, "chunk-overlap", func(f *specimen) {
		f.put32(audio+"/stco", 8, f.get32(video+"/stco", 12)+1)
	}},
	{"samples of another file", bframes, "data-ref", func(f *specimen) { f.put32("moov/trak/mdia/minf/dinf/dref/url ", 0, 0) }},
	{"data reference 0", bframes, "data-ref", func(f *specimen) { f.put8(avc1, 7, 0) }},

	// Times.
	{"movie timescale 0", bframes, "timescale", func(f *specimen) { f.put32("moov/mvhd", 12, 0) }},
	{"media timescale 0", bframes, "timescale", func(f *specimen) { f.put32("moov/trak/mdia/mdhd", 12, 0) }},
	{"mdhd one tick long", bframes, "mdhd-duration", func(f *specimen) { f.add32("moov/trak/mdia/mdhd", 16, 1) }},
	{"tkhd two ticks from its edits", bframes, "tkhd-duration", func(f *specimen) { f.add32("moov/trak/tkhd", 20, -2) }},
	{"tkhd two ticks from its media", noEdit, "tkhd-duration", func(f *specimen) { f.add32("moov/trak2/tkhd", 20, -2) }},
	{"mvhd one tick long", bframes, "mvhd-duration", func(f *specimen) { f.add32("moov/mvhd", 16, 1) }},
	{"next track ID is taken", bframes, "next-track-id", func(f *specimen) { f.put32("moov/mvhd", 96, 2) }},
	{"track ID twice", bframes, "track-id", func(f *specimen) { f.put32("moov/trak2/tkhd", 12, 1) }},
	{"track ID 0", bframes, "track-id", func(f *specimen) { f.put32("moov/trak/tkhd", 12, 0) }},

	// Edits.
	{"edit starts after the media", bframes, "edit-range", func(f *specimen) { f.put32("moov/trak/edts/elst", 12, 1<<20) }},
	{"edit starts before the media", bframes, "edit-range", func(f *specimen) { f.put32("moov/trak/edts/elst", 12, 0) }},
	{"edit at a negative time", bframes, "edit-range", func(f *specimen) { f.put32("moov/trak/edts/elst", 12, 1<<32-2) }},
	{"edit outlasts the media", bframes, "edit-range tkhd-duration", func(f *specimen) { f.add32("moov/trak/edts/elst", 8, 5) }},
	{"edit starts late and outlasts the media", bframes, "edit-range", func(f *specimen) { f.add32("moov/trak/edts/elst", 12, 1024) }},
	{"only an empty edit", bframes, "edit-empty", func(f *specimen) { f.put32("moov/trak/edts/elst", 12, 1<<32-1) }},
	{"edit of no duration", bframes, "edit-empty tkhd-duration", func(f *specimen) { f.put32("moov/trak/edts/elst", 8, 0) }},
	{"edit at half rate", bframes, "edit-rate", func(f *specimen) { f.put32("moov/trak/edts/elst", 16, 1<<15) }},
	{"sound repeats itself", bframes, "audio-gap", func(f *specimen) {
		f.put32("moov/trak2/edts/elst", 4, 2)
		f.put32("moov/trak2/edts/elst", 8, 1000)
		f.insert("moov/trak2/edts/elst", 20, elstEntry(1000, 1024))
	}},
	{"silence within the sound", bframes, "audio-gap", func(f *specimen) {
		f.put32("moov/trak2/edts/elst", 4, 3)
		f.put32("moov/trak2/edts/elst", 8, 500)
		f.insert("moov/trak2/edts/elst", 20, slices.Concat(elstEntry(500, -1), elstEntry(1000, 1024+8000)))
	}},
	{"sound with composition offsets", noEdit, "audio-gap", func(f *specimen) {
		f.insert(audio, 0, []byte("\x00\x00\x00\x18ctts\x00\x00\x00\x00\x00\x00\x00\x01\x00\x00\x00\x21\x00\x00\x00\x05"))
	}},

	// Composition.
	{"two samples presented at once", bframes, "cts-equal", func(f *specimen) { f.add32(video+"/ctts", 28, -1024) }},
	{"picture presented before time 0", bframes, "cts-negative", func(f *specimen) {
		f.put8(video+"/ctts", 0, 1)
		f.put32(video+"/ctts", 12, 1<<32-1)
	}},
	{"negative offset in ctts version 0", bframes, "cts-negative cts-sync-order", func(f *specimen) {
		f.put32(video+"/ctts", 28, 1<<32-2)
	}},
	{"picture shown before the IDR it follows", noEdit, "cts-sync-order", func(f *specimen) { f.insert(video, 0, ctts1(14, -1500)) }},
	{"picture shown after the IDR it precedes", noEdit, "cts-sync-order", func(f *specimen) { f.insert(video, 0, ctts1(12, 1500)) }},
	{"H.265 picture shown after the IDR it precedes", hevc, "cts-sync-order", func(f *specimen) {
		f.put32(video+"/ctts", 8+8*8+4, 15000) // sample 11 of the first GOP of 12
	}},

	// Sample entries.
	{"no avcC", bframes, "config-missing", func(f *specimen) { f.rename(avcC, "free") }},
	{"no hvcC", hevc, "config-missing", func(f *specimen) { f.rename(video+"/stsd/hvc1/hvcC", "free") }},
	{"no esds", bframes, "config-missing", func(f *specimen) { f.rename(mp4a+"/esds", "free") }},
	{"no dOps", hevc, "config-missing", func(f *specimen) { f.rename(audio+"/stsd/Opus/dOps", "free") }},
	{"avcC version 0", bframes, "config-version", func(f *specimen) { f.put8(avcC, 0, 0) }},
	{"hvcC version 0", hevc, "config-version", func(f *specimen) { f.put8(video+"/stsd/hvc1/hvcC", 0, 0) }},
	{"avcC of another profile", bframes, "config-profile", func(f *specimen) { f.put8(avcC, 1, 77) }},
	{"avcC of another compatibility", bframes, "config-profile", func(f *specimen) { f.put8(avcC, 2, 0x40) }},
	{"avcC of another level", bframes, "config-profile", func(f *specimen) { f.put8(avcC, 3, 51) }},
	{"hvcC of another level", hevc, "config-profile", func(f *specimen) { f.put8(video+"/stsd/hvc1/hvcC", 12, 120) }},
	{"avcC with lengths of 2 bytes", bframes, "config-length-size", func(f *specimen) { f.put8(avcC, 4, 0xfd) }},
	{"hvcC with lengths of 2 bytes", hevc, "config-length-size", func(f *specimen) { f.put8(video+"/stsd/hvc1/hvcC", 21, 0x0d) }},
	{"avcC without SPS", bframes, "config-params", func(f *specimen) { f.put8(avcC, 5, 0xe0) }},
	{"avcC with a PPS for an SPS", bframes, "config-params", func(f *specimen) { f.put8(avcC, 8, 0x68) }},
	{"avcC cut short", bframes, "config-params", func(f *specimen) { f.put8(avcC, 6, 0xff) }},
	{"avc1 with uncropped height", bframes, "entry-dimensions tkhd-dimensions", func(f *specimen) { f.put8(avc1, 27, 80) }},
	{"hvc1 of another width", hevc, "entry-dimensions tkhd-dimensions", func(f *specimen) { f.put8(video+"/stsd/hvc1", 25, 130) }},
	{"tkhd of another width", bframes, "tkhd-dimensions", func(f *specimen) { f.put32("moov/trak/tkhd", 76, 130<<16) }},
	{"AAC timescale of another rate", noEdit, "audio-rate tkhd-duration", func(f *specimen) { f.put32("moov/trak2/mdia/mdhd", 12, 44100) }},
	{"mp4a of another rate", bframes, "audio-rate", func(f *specimen) { f.put32(mp4a, 24, 44100<<16) }},
	{"mp4a of no channels", bframes, "audio-channels", func(f *specimen) { f.put8(mp4a, 17, 0) }},
	{"mp4a of other channels than its AAC", bframes, "audio-channels", func(f *specimen) { f.put8(mp4a, 17, 5) }},
	{"packets of mu-law for samples", bframes, "raw-size", func(f *specimen) { f.rename(mp4a, "ulaw") }},
	{"mu-law that is too fast", noEdit, "raw-time raw-size", func(f *specimen) {
		f.put32(mp4a, 24, 10<<16)
		f.rename(mp4a, "ulaw")
	}},
	{"esds without AudioSpecificConfig", bframes, "config-params", func(f *specimen) { f.data[esdsTag5(f)] = 9 }},
}

// cttsLast returns the offset of the last entry in the payload of ctts.
func cttsLast(f *specimen) int { return int(f.get32(video+"/ctts", 4)) * 8 }

// ctts1 is a ctts of version 1 that moves one sample of 24.
func ctts1(no uint32, offset int32) []byte {
	b := []byte("\x00\x00\x00\x28ctts\x01\x00\x00\x00\x00\x00\x00\x03")
	for _, v := range []uint32{no - 1, 0, 1, uint32(offset), 24 - no, 0} {
		b = binary.BigEndian.AppendUint32(b, v)
	}
	return b
}

// elstEntry is an entry of an elst of version 0.
func elstEntry(duration uint32, mediaTime int32) []byte {
	b := binary.BigEndian.AppendUint32(nil, duration)
	b = binary.BigEndian.AppendUint32(b, uint32(mediaTime))
	return binary.BigEndian.AppendUint32(b, 1<<16)
}

// esdsTag5 returns the offset in the file of the tag of the decoder-specific
// information: after that of the ES and its 3 bytes, and that of the decoder
// configuration and its 13, where ffmpeg writes each length in 4 bytes.
func esdsTag5(f *specimen) int { return f.body(mp4a+"/esds") + 4 + 5 + 3 + 5 + 13 }

func TestPlantedDefects(t *testing.T) {
	for _, d := range defects {
		t.Run(d.name, func(t *testing.T) {
			f := load(t, d.fixture)
			d.plant(f)
			_, err := f.check()
			want := strings.Fields(d.rules)
			slices.Sort(want)
			if got := rules(err); !slices.Equal(got, want) {
				t.Errorf("broke %v, want %v:\n%v", got, want, err)
			}
		})
	}
}

// Every rule but those that no fixture of this size can break has a defect.
func TestEveryRuleHasADefect(t *testing.T) {
	planted := make(map[string]bool)
	for _, d := range defects {
		for _, rule := range strings.Fields(d.rules)[:1] {
			planted[rule] = true
		}
	}
	for _, rule := range declaredRules(t) {
		if !planted[rule] && rule != RuleMoovSize {
			t.Errorf("no defect is planted for %s", rule)
		}
	}
}
