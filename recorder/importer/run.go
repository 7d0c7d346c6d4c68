package importer

import (
	"bytes"
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"math"
	"slices"

	"github.com/google/uuid"

	"nvrfs/media"
	"nvrfs/mp4"
	"nvrfs/recorder/volume"
	"nvrfs/schema"
	"nvrfs/store"
)

// importBuffer is how many bytes of a sample file wait to be written, at least. A shorter file is written at once.
const importBuffer = 1 << 20

// maxFragmentBytes bounds what a fragment takes in memory; its boxes have room for 4 GiB.
const maxFragmentBytes = 1 << 30

// A run makes the recordings of one File, with its laps: they are one run. It cuts them as a session does.
type run struct {
	im      *Importer
	source  *blockReader
	cursors []*cursor // by track
	uuid    string
	tracks  []media.SampleEntry

	rec      *recording // nil between recordings
	recorded int
	endAt90k int64 // wall time at which the recording is due to end
	start90k int64 // of the run
	firstPTS int64 // the same in the file

	// Used again for each fragment.
	fragment mp4.Fragment
	buf      []byte // fragments that are not written yet
}

// recording is the one being made.
type recording struct {
	file     *volume.File
	startPTS int64
	media90k int64
	samples  int64 // bytes of them
}

func newRun(im *Importer, f *File, start90k int64) (*run, error) {
	l, err := f.lapping()
	if err != nil {
		return nil, err
	}
	n := len(f.Tracks)
	b := &run{
		im: im, source: &blockReader{src: f.Source, memory: &im.memory},
		uuid: uuid.NewString(), start90k: start90k,
		fragment: mp4.Fragment{Tracks: make([][]media.Sample, n)},
		buf:      im.memory.buf[:0],
	}
	if b.buf == nil {
		b.buf = make([]byte, 0, 2*importBuffer) // the digest takes room of its own for what is near the end of a slice
	}
	im.memory.buf = nil
	for i := range f.Tracks {
		b.cursors = append(b.cursors, newCursor(f, l, i))
		b.tracks = append(b.tracks, f.Tracks[i].Entry)
		b.fragment.Kinds = append(b.fragment.Kinds, f.Tracks[i].Entry.Kind)
	}
	b.firstPTS = b.cursors[volume.Video].pts
	return b, nil
}

// A memory is what a run leaves for the next one, since many files are smaller than what they need.
type memory struct {
	buf    []byte
	blocks [][]byte
}

// leave hands on the memory of a run that is over.
func (b *run) leave() {
	if cap(b.buf) <= 4*importBuffer {
		b.im.memory.buf = b.buf[:0]
	}
	for i := range b.source.blocks {
		if data := b.source.blocks[i].data; data != nil {
			b.im.memory.blocks = append(b.im.memory.blocks, data[:cap(data)])
		}
	}
}

// wall90k is when a picture is shown.
func (b *run) wall90k(pts int64) int64 { return b.start90k + pts - b.firstPTS }

// make makes all recordings of the run, until ctx ends.
func (b *run) make(ctx context.Context) error {
	v := b.cursors[volume.Video]
	for !v.over {
		if err := ctx.Err(); err != nil {
			return err
		}
		if b.rec != nil && v.next.Sync && (b.wall90k(v.pts) >= b.endAt90k || !bytes.Equal(v.entry().Box, b.tracks[volume.Video].Box)) {
			if err := b.end(v.pts-b.rec.startPTS, ""); err != nil {
				return err
			}
		}
		if b.rec == nil {
			if err := b.begin(); err != nil {
				return err
			}
		}
		if err := b.append(); err != nil {
			return err
		}
	}
	return b.end(b.rec.media90k, importedReason)
}

// begin starts a recording with the picture that comes next.
func (b *run) begin() error {
	v, im := b.cursors[volume.Video], b.im
	id := mp4.Identity{
		Camera: im.row.Camera, Stream: im.row.Name, Recording: im.row.NextNumber,
		Run: b.uuid, Sequence: b.recorded, Start90k: b.wall90k(v.pts),
	}
	im.row.NextNumber++
	if e := v.entry(); !bytes.Equal(e.Box, b.tracks[volume.Video].Box) {
		b.tracks = slices.Clone(b.tracks) // the recordings before keep theirs
		b.tracks[volume.Video] = e
	}
	file, err := volume.NewFile(im.volume.ID, im.row.ID, id, b.tracks)
	if err != nil {
		return err
	}
	b.rec, b.fragment.Sequence, b.buf = &recording{file: file, startPTS: v.pts}, 0, b.buf[:0]
	b.recorded++
	b.endAt90k = volume.EndAfter(id.Start90k, im.length90k, 0)
	return nil
}

// append adds the next fragment to the recording: pictures up to where fragmentEnd says, and what sounds meanwhile.
func (b *run) append() error {
	v, r := b.cursors[volume.Video], b.rec
	start, before := v.dts, v.fragmentEnd()
	bytes, err := b.take(volume.Video, func() bool { return v.dts < before })
	if v.over {
		b.showAll()
	}
	for i := 1; i < len(b.cursors) && err == nil; i++ {
		c, end := b.cursors[i], int64(math.MaxInt64)
		if !v.over {
			end = media.Rescale(v.dts, 90000, c.track.Entry.Timescale)
		}
		var more int
		more, err = b.take(i, func() bool { return c.dts < end })
		bytes += more
	}
	if err != nil {
		return err
	}
	if bytes > maxFragmentBytes {
		return fmt.Errorf("there are %d bytes between two pictures, at most %d are taken", bytes, maxFragmentBytes)
	}
	r.samples += int64(bytes)
	b.fragment.Sequence++
	b.fragment.Wall90k = r.file.Row().Start90k + start - r.startPTS
	at := len(b.buf)
	var headerLen int
	b.buf, headerLen = b.fragment.Append(b.buf)
	r.file.Count(b.buf[at:], schema.Fragment{HeaderLen: headerLen, Tracks: b.fragment.Tracks})
	if len(b.buf) < importBuffer {
		return nil
	}
	return b.write(nil)
}

// take moves samples of a track into the fragment for as long as more says so, and returns how many bytes they are.
func (b *run) take(track int, more func() bool) (bytes int, err error) {
	c, samples := b.cursors[track], b.fragment.Tracks[track][:0]
	for !c.over && more() && bytes <= maxFragmentBytes {
		dts := c.dts
		x, cts, duration := c.take()
		if track != volume.Video {
			cts, x.Sync = 0, true
		}
		data, err := b.source.read(x.offset, x.Size)
		if err != nil {
			return bytes, fmt.Errorf("%w: %w", ErrSource, err)
		}
		if c.track.Make != nil {
			if data, err = c.track.Make(data); err != nil {
				return bytes, fmt.Errorf("%w: make a sample of its sound: %w", ErrSource, err)
			}
		}
		samples = append(samples, media.Sample{DTS: dts, CTS: cts, Duration: duration, Size: uint32(len(data)), Sync: x.Sync, Data: data})
		bytes += len(data)
		if track == volume.Video {
			b.rec.media90k += int64(duration)
		}
	}
	b.fragment.Tracks[track] = samples
	return bytes, nil
}

// showAll has the last picture of the file last until all of them were shown, as session.endDuration does.
func (b *run) showAll() {
	samples := b.fragment.Tracks[volume.Video]
	n := len(samples)
	if n == 0 {
		return
	}
	firstCTS := samples[0].CTS
	if sum := b.rec.file.Tracks()[volume.Video]; sum.Samples > 0 {
		firstCTS = sum.FirstCTS
	}
	last, shown := &samples[n-1], int64(0)
	for _, x := range samples {
		shown = max(shown, x.PTS()+int64(x.Duration))
	}
	was := int64(last.Duration)
	duration := max(1, was+shown-int64(firstCTS)-last.End())
	last.Duration = uint32(duration)
	b.rec.media90k += duration - was
}

// end ends the recording, and the run where there is a reason.
func (b *run) end(wallDuration90k int64, reason string) error {
	r := b.rec
	start90k := r.file.Row().Start90k
	r.file.SetSpan(start90k, wallDuration90k)
	if err := b.write(&mp4.Seal{Start90k: start90k, WallDuration90k: wallDuration90k, EndReason: reason}); err != nil {
		return err
	}
	if err := r.file.Close(); err != nil {
		return err
	}
	b.rec = nil
	x := imported{Record: r.file.Record(b.uuid, b.start90k), stream: b.im.row.ID, samples: r.samples}
	x.EndReason = reason
	return b.im.queue.put(x)
}

// write appends the fragments that wait to the sample file, and behind them the seal.
func (b *run) write(seal *mp4.Seal) error {
	f := b.rec.file
	if !f.Created() {
		if err := f.Create(func(k store.Key) (store.Writer, error) { return b.im.bulk.Create(k.Number) }); err != nil {
			return err
		}
	}
	err := f.Append(b.buf, seal)
	b.buf = b.buf[:0]
	return err
}

// abandon removes the recording that is not whole, and ends the run before it.
func (b *run) abandon(why error) error {
	reason := "the import failed: " + why.Error()
	if errors.Is(why, context.Canceled) {
		reason = "the import was interrupted"
	}
	var err error
	whole := b.recorded
	if r := b.rec; r != nil {
		whole--
		if r.file.Created() {
			err = errors.Join(r.file.Close(), b.im.volume.Store().Remove(r.file.Key))
		}
	}
	if whole > 0 {
		x := imported{stream: b.im.row.ID}
		x.Run, x.RunStart90k, x.EndReason = b.uuid, b.start90k, reason
		_ = b.im.queue.put(x) // Close says why it cannot be committed
	}
	return err
}

// A blockReader reads samples, which lie close together, by few reads. What it returns is not changed by later reads.
type blockReader struct {
	src    io.ReaderAt
	memory *memory
	blocks [4]block // of picture and sound, wherever these lie
	reads  int
}

type block struct {
	at   int64
	data []byte
	used int // the number of the read that used it last
}

const blockBytes = 1 << 20

func (r *blockReader) read(off int64, size uint32) ([]byte, error) {
	at := off / blockBytes * blockBytes
	if off+int64(size) > at+blockBytes {
		data := make([]byte, size)
		if n, err := r.src.ReadAt(data, off); n < len(data) {
			return nil, cmp.Or(err, io.ErrUnexpectedEOF)
		}
		return data, nil
	}
	b, err := r.block(at)
	if err != nil {
		return nil, err
	}
	if from := off - at; from+int64(size) <= int64(len(b)) {
		return b[from:][:size], nil
	}
	return nil, io.ErrUnexpectedEOF
}

// block returns the block at an offset, which is shorter than others at the end of the file.
func (r *blockReader) block(at int64) ([]byte, error) {
	r.reads++
	oldest := &r.blocks[0]
	for i := range r.blocks {
		b := &r.blocks[i]
		if b.at == at && b.data != nil {
			b.used = r.reads
			return b.data, nil
		}
		if b.used < oldest.used {
			oldest = b
		}
	}
	var data []byte
	if n := len(r.memory.blocks) - 1; n >= 0 {
		data, r.memory.blocks = r.memory.blocks[n], r.memory.blocks[:n]
	} else {
		data = make([]byte, blockBytes)
	}
	n, err := r.src.ReadAt(data, at)
	if err != nil && err != io.EOF {
		return nil, err
	}
	*oldest = block{at, data[:n], r.reads}
	return oldest.data, nil
}
