package codec

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/bluenviron/gortsplib/v5/pkg/format"
	"github.com/pion/rtp"

	"nvrfs/media"
)

// registry has every codec. A new one is a line here and a file of its own.
var registry = []*Codec{
	h264Codec,
	h265Codec,
	av1Codec,
	mjpegCodec,
	aacCodec,
	opusCodec,
	g711Codec,
	mp3Codec,
	lpcmCodec,
	flacCodec,
}

// A Codec is one way to code pictures or sound. What it cannot do is nil.
type Codec struct {
	Name string // as people call it: "H.264"
	Kind media.Kind

	// receive makes what turns RTP packets into samples. It returns nil where a format is that of another codec.
	receive func(format.Format) (Receiver, error)

	// boxes are the types of the sample entries that importEntry reads.
	boxes []string
	// importEntry makes our sample entry from that of another program's mp4 file, for samples that stay as they are there.
	importEntry func(box []byte) (media.SampleEntry, error)
	// isSync returns what SyncFinder does.
	isSync func(media.SampleEntry) func(start []byte) (sync, known bool)
	// transcode makes what turns the samples of such a file into ours, where they do not stay as they are.
	transcode func(box []byte) (*Transcoder, error)
	// send makes what turns samples of an entry, whose Box is one of boxes, into RTP packets.
	send func(e media.SampleEntry, payloadType uint8) (*Sender, error)
}

// A Unit is an access unit: the data of one timestamp, in parts, which are the NAL units of a picture, or some frames of sound.
type Unit struct {
	Parts     [][]byte
	Timestamp uint32    // of RTP
	Received  time.Time // when its first packet came
	Damaged   bool      // a part of it did not come, so that it is no sync sample
}

// A Receiver makes samples of the RTP packets of one track. It knows what the packets hold, and where an access unit ends; which
// packets were lost and what their timestamps mean is for its caller to know.
type Receiver interface {
	// Packet takes the next packet, which came at received, and returns the access units that are known to be whole with it, in
	// the order in which they were sent. An error says that something in the packet, or in those before it, is damaged; units may
	// come with it. What is kept of packets is bounded.
	Packet(pkt *rtp.Packet, received time.Time) ([]Unit, error)
	// Lost says that packets before the next one did not come.
	Lost()
	// Flush returns the access unit that is not known to be whole yet, where there is one, because no packet follows.
	Flush() []Unit

	// Samples makes samples of an access unit that is to be shown, or of which the first frame is to be heard, at pts, in ticks
	// of the Timescale of Entry. Their Duration is how long such a sample lasts as a rule. There may be none, for one that cannot be
	// decoded. The DTS of the samples of a track strictly increase, and none is greater than the PTS. newEntry says that Entry
	// changed, and that the first of the samples is a sync sample.
	//
	// It keeps neither the access unit nor its memory. An error says why the unit cannot be stored.
	Samples(u Unit, pts int64) (samples []media.Sample, newEntry bool, err error)

	// Entry is the sample entry of the newest sample. Its Box is nil while it is not known yet.
	Entry() media.SampleEntry
}

// ClockRate returns how many ticks a second the RTP clock of a track has, which are as many as the Timescale of its samples
// where its Receiver does not say otherwise. The times that Samples gets are in ticks of the Timescale all the same. It is known
// with the first access unit.
func ClockRate(r Receiver) uint32 {
	if c, ok := r.(clocked); ok {
		return c.clockRate()
	}
	return r.Entry().Timescale
}

// clocked is a Receiver whose RTP clock counts otherwise than its samples do.
type clocked interface{ clockRate() uint32 }

// A Predictor is a Receiver of pictures that depend on others. Where a Receiver is none, every access unit is a sync sample,
// and stands for itself.
type Predictor interface {
	Receiver
	// Awaits says, while there is no first sample, what the camera has not sent that it takes, and what can be done about it.
	Awaits() (what, do string)
}

// A Sender makes RTP packets of samples.
type Sender struct {
	Format format.Format
	// Packets makes the packets of a sample. Their timestamps are 0.
	Packets func(sample []byte) ([]*rtp.Packet, error)
}

// Receive returns what makes samples of a track that a camera describes, and which codec it is.
func Receive(f format.Format) (*Codec, Receiver, error) {
	for _, c := range registry {
		if c.receive == nil {
			continue
		}
		if r, err := c.receive(f); r != nil || err != nil {
			return c, r, err
		}
	}
	if name := unplayable(f); name != "" {
		return nil, nil, fmt.Errorf("hardly any player reads %s in an mp4 file; set the camera's sound to %s", name, Recorded("or", media.Audio))
	}
	return nil, nil, fmt.Errorf("only %s are supported", Recorded("and", media.Video, media.Audio))
}

// Recorded lists the codecs of some kinds that are received from cameras, for people: "H.264, AAC and Opus".
func Recorded(and string, kinds ...media.Kind) string {
	return list(and, func(c *Codec) bool { return c.receive != nil && sameKind(c, kinds) })
}

// Imported lists the codecs of some kinds that are read from mp4 files, for people: "H.264 and H.265".
func Imported(and string, kinds ...media.Kind) string {
	return list(and, func(c *Codec) bool { return (c.importEntry != nil || c.transcode != nil) && sameKind(c, kinds) })
}

// Sent lists the codecs of some kinds of which Send makes packets, for people: "H.264 and H.265".
func Sent(and string, kinds ...media.Kind) string {
	return list(and, func(c *Codec) bool { return c.send != nil && sameKind(c, kinds) })
}

// sameKind reports whether a codec is of one of some kinds, where all sound is one.
func sameKind(c *Codec, kinds []media.Kind) bool {
	return slices.ContainsFunc(kinds, func(k media.Kind) bool { return k == c.Kind || k.Sound() && c.Kind.Sound() })
}

func list(and string, want func(*Codec) bool) string {
	var names []string
	for _, c := range registry {
		if want(c) {
			names = append(names, c.Name)
		}
	}
	last := len(names) - 1
	if last < 1 {
		return strings.Join(names, "")
	}
	return strings.Join(names[:last], ", ") + " " + and + " " + names[last]
}

// Import makes a sample entry from the sample entry box of another program's mp4 file (ISO/IEC 14496-12 8.5.2), so that the
// samples of the track can be stored as they are in that file, byte for byte.
//
// It fails when the box is of no codec that is imported, is cut short, or does not say what a decoder must know.
func Import(box []byte) (media.SampleEntry, error) {
	c, err := importing(box)
	if err != nil {
		return media.SampleEntry{}, err
	}
	return c.importEntry(box)
}

// Transcode returns what makes samples of uncompressed sound whose samples cannot be stored as they are in another program's mp4
// file: each of them is a single value there. A file has them by the chunk.
//
// It fails when the sample entry is of no such sound, is cut short, or does not say what a decoder must know.
func Transcode(box []byte) (*Transcoder, error) {
	typ := boxType(box)
	for _, c := range registry {
		if c.transcode != nil && slices.Contains(c.boxes, typ) {
			return c.transcode(box)
		}
	}
	return nil, fmt.Errorf("sample entry %q: its samples are stored as they are, or not at all", typ)
}

// Transcodes reports whether a sample entry box is of a type of which Transcode may make samples.
func Transcodes(box []byte) bool {
	return slices.ContainsFunc(registry, func(c *Codec) bool { return c.transcode != nil && slices.Contains(c.boxes, boxType(box)) })
}

// ImportedKind returns whether a sample entry box is of a codec that is imported, and of which kind it is.
func ImportedKind(box []byte) (k media.Kind, ok bool) {
	c, err := importing(box)
	if err != nil {
		return 0, false
	}
	return c.Kind, true
}

func importing(box []byte) (*Codec, error) {
	typ := boxType(box)
	for _, c := range registry {
		if c.importEntry != nil && slices.Contains(c.boxes, typ) {
			return c, nil
		}
	}
	return nil, fmt.Errorf("sample entry %q: only %s are imported", typ, Imported("and", media.Video, media.Audio))
}

// Send returns what makes packets of the samples of a track, as a camera would, with the given RTP payload type.
func Send(e media.SampleEntry, payloadType uint8) (*Sender, error) {
	typ := boxType(e.Box)
	for _, c := range registry {
		if c.send != nil && slices.Contains(c.boxes, typ) {
			return c.send(e, payloadType)
		}
	}
	return nil, fmt.Errorf("samples of the sample entry %q cannot be sent", typ)
}

func boxType(box []byte) string {
	if len(box) < 8 {
		return ""
	}
	return string(box[4:8])
}
