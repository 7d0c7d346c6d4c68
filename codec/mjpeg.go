package codec

import (
	"errors"
	"fmt"
	"time"

	"github.com/bluenviron/gortsplib/v5/pkg/format"
	"github.com/pion/rtp"

	"nvrfs/codec/jpeg"
	"nvrfs/media"
	"nvrfs/media/box"
)

// mjpegCodec is Motion JPEG (ITU-T T.81), which RTP carries by RFC 2435. A sample is a JPEG file, of which the headers are made anew,
// since RTP leaves most of them out; the coded picture is as the camera sent it.
var mjpegCodec = &Codec{
	Name: "Motion JPEG", Kind: media.Video,
	receive: receiveMJPEG,
	boxes:   []string{"mp4v", "jpeg", "mjpa"}, importEntry: importMJPEG,
	send: sendMJPEG,
}

// maxJPEG is the most bytes that the offset of a fragment can count (RFC 2435 3.1.2).
const maxJPEG = 1 << 24

// mjpegReceiver puts pictures together. Each stands for itself, so that one of which a part did not come is of no use, and dropped.
type mjpegReceiver struct {
	headers jpeg.Headers

	scan      []byte // of the picture that is coming in
	open      bool
	lost      bool // packets of it did not come
	timestamp uint32
	received  time.Time

	entry   media.SampleEntry
	started bool
	last    int64 // the DTS of the last picture
}

func receiveMJPEG(f format.Format) (Receiver, error) {
	if _, ok := f.(*format.MJPEG); !ok {
		return nil, nil
	}
	return new(mjpegReceiver), nil
}

// Packet implements Receiver.
func (r *mjpegReceiver) Packet(pkt *rtp.Packet, received time.Time) ([]Unit, error) {
	p, err := jpeg.ParsePacket(pkt.Payload)
	if err != nil {
		return nil, err
	}
	var whole []Unit
	if p.Offset == 0 {
		whole = r.Flush() // the packet that was marked as its last is lost, or the camera marks none
		if err := r.headers.Begin(&p, pkt); err != nil {
			return whole, err
		}
		r.open, r.lost, r.scan = true, false, r.scan[:0]
		r.timestamp, r.received = pkt.Timestamp, received
	}
	switch {
	case !r.open:
		return nil, nil // its first packet did not come
	case pkt.Timestamp != r.timestamp:
		r.open = false
		return whole, errors.New("the start of a JPEG picture did not come")
	case p.Offset != len(r.scan):
		r.open = false
		return whole, errors.New("a part of a JPEG picture did not come")
	case len(r.scan)+len(p.Data) > maxJPEG:
		r.open = false
		return whole, fmt.Errorf("a JPEG picture has more than %d bytes", maxJPEG)
	}
	r.scan = append(r.scan, p.Data...)
	if pkt.Marker {
		whole = append(whole, r.Flush()...)
	}
	return whole, nil
}

// Lost implements Receiver.
func (r *mjpegReceiver) Lost() { r.lost = true }

// Flush implements Receiver.
func (r *mjpegReceiver) Flush() []Unit {
	if !r.open || r.lost || len(r.scan) == 0 {
		r.open = false
		return nil
	}
	r.open = false
	return []Unit{{Parts: [][]byte{r.headers.File(r.scan)}, Timestamp: r.timestamp, Received: r.received}}
}

// Samples implements Receiver.
func (r *mjpegReceiver) Samples(u Unit, pts int64) ([]media.Sample, bool, error) {
	picture := u.Parts[0] // which Flush has just made
	width, height, ok := jpeg.Size(picture)
	if !ok {
		return nil, false, errors.New("a JPEG picture does not say its size")
	}
	newEntry := false
	if r.entry.Width != width || r.entry.Height != height {
		r.entry, newEntry = mjpegEntry(width, height), true
	}
	if r.started && pts <= r.last {
		pts = r.last + 1
	}
	r.started, r.last = true, pts
	return []media.Sample{{DTS: pts, Duration: usualPicture, Sync: true, Data: picture}}, newEntry, nil
}

// Entry implements Receiver.
func (r *mjpegReceiver) Entry() media.SampleEntry { return r.entry }

const jpegObjectType = 0x6c // of esds (ISO/IEC 14496-1 7.2.6.6.2)

// mjpegEntry makes the mp4v entry (ISO/IEC 14496-14 5.6) of pictures of a size.
func mjpegEntry(width, height uint16) media.SampleEntry {
	var w writer
	w.Box("mp4v", func() {
		w.visualFields(width, height)
		w.esds(jpegObjectType, visualStream, nil)
	})
	return media.SampleEntry{
		Kind: media.Video, Codec: "mp4v.6C", Timescale: media.VideoTimescale,
		Width: width, Height: height, Box: w.B,
	}
}

// importMJPEG takes the entries of mp4 and of QuickTime.
func importMJPEG(entry []byte) (media.SampleEntry, error) {
	e, err := copyVisual(entry, func(typ string, boxes []box.Child) (string, bool) {
		if typ != "mp4v" {
			return "mp4v.6C", true
		}
		objectType, _, err := readESDS(box.Find(boxes, "esds"))
		return "mp4v.6C", err == nil && objectType == jpegObjectType
	})
	if err != nil {
		return e, err
	}
	return mjpegEntry(e.Width, e.Height), nil
}

func sendMJPEG(_ media.SampleEntry, payloadType uint8) (*Sender, error) {
	encoder, err := (&format.MJPEG{}).CreateEncoder()
	if err != nil {
		return nil, err
	}
	return &Sender{&format.MJPEG{}, func(sample []byte) ([]*rtp.Packet, error) {
		if !jpeg.HasStandardHuffman(sample) {
			return nil, errors.New("its JPEG pictures have Huffman tables of their own, which RTP cannot carry; make them anew with: ffmpeg -i IN -c:v mjpeg -huffman default -c:a copy OUT.mp4")
		}
		packets, err := encoder.Encode(sample)
		for _, pkt := range packets {
			pkt.PayloadType = payloadType
		}
		return packets, err
	}}, nil
}
