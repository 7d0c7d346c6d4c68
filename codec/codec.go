package codec

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/bluenviron/gortsplib/v5/pkg/format"
	"github.com/pion/rtp"

	"nvrfs/media"
)

// registry has every codec. A new one is a line here and a file of its own.
var registry = []*Codec{
	h264Codec,
	h265Codec,
	aacCodec,
	opusCodec,
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
	// send makes what turns samples of an entry, whose Box is one of boxes, into RTP packets.
	send func(e media.SampleEntry, payloadType uint8) (*Sender, error)
}

// A Receiver makes samples of the RTP packets of one track. It knows what the packets hold; when they came, which were lost and
// what their timestamps mean is for its caller to know.
//
// An access unit is the data of one timestamp, in parts: the NAL units of a picture, or some frames of sound.
type Receiver interface {
	// Depacketize takes the next packet. It returns the access unit that the packet completes. It returns ErrMore where the
	// access unit goes on in the next packet, so that packets are kept until then, and nothing where the packet is of no use.
	// Any other error says that the packet or those before it are damaged; what was kept of them is dropped.
	Depacketize(pkt *rtp.Packet) (accessUnit [][]byte, err error)

	// Samples makes samples of an access unit that is to be shown, or of which the first frame is to be heard, at pts, in ticks
	// of the RTP clock. Their Duration is how long such a sample lasts as a rule. There may be none, for one that cannot be
	// decoded. The DTS of the samples of a track strictly increase, and none is greater than the PTS. newEntry says that Entry
	// changed, and that the first of the samples is a sync sample.
	//
	// It keeps neither the access unit nor its memory. An error ends the session.
	Samples(accessUnit [][]byte, pts int64) (samples []media.Sample, newEntry bool, err error)

	// Entry is the sample entry of the newest sample. Of video its Box is nil before the first sample.
	Entry() media.SampleEntry
}

// A Predictor is a Receiver of pictures that depend on others. Where a Receiver is none, every access unit is a sync sample,
// and stands for itself.
type Predictor interface {
	Receiver
	// IsSync reports whether decoding can start at an access unit.
	IsSync(accessUnit [][]byte) bool
	// Flush returns what is known of an access unit whose last packet did not come.
	Flush(timestamp uint32) (accessUnit [][]byte, err error)
	// Lost says that packets were lost.
	Lost()
	// Awaits says, while there is no first sample, what the camera has not sent that it takes, and what can be done about it.
	Awaits() (what, do string)
}

// ErrMore is that of a Receiver which needs another packet to complete an access unit.
var ErrMore = errors.New("more packets are needed")

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
	return nil, nil, fmt.Errorf("only %s are supported", Recorded("and", media.Video, media.Audio))
}

// Recorded lists the codecs of some kinds that are received from cameras, for people: "H.264, AAC and Opus".
func Recorded(and string, kinds ...media.Kind) string {
	return list(and, func(c *Codec) bool { return c.receive != nil && slices.Contains(kinds, c.Kind) })
}

// Imported lists the codecs of some kinds that are read from mp4 files, for people: "H.264 and H.265".
func Imported(and string, kinds ...media.Kind) string {
	return list(and, func(c *Codec) bool { return c.importEntry != nil && slices.Contains(kinds, c.Kind) })
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
