package volume

import (
	"errors"
	"fmt"
	"hash"
	"sync"

	"nvrfs/media"
	"nvrfs/mp4"
	"nvrfs/schema"
	"nvrfs/store"
)

// A File is the sample file of one recording while it is written, and the row that describes it.
//
//	Create ─> Append ─> Append ─> … ─> Append with the seal ─> Close     what is in the file
//	             └> Count  └> Count           └> Count ─> Record         what the row says of it
//
// Appending and counting are separate, because a row counts only what is durable: a recorder, which commits while the file still
// grows, counts a fragment when it is synced; an import, which syncs whole files, counts it at once. Only one goroutine may use a
// File.
type File struct {
	Key store.Key

	header []byte
	w      store.Writer // nil before Create, and when it is closed
	begun  bool         // the header was written
	sealed bool         // the seal was written

	// What was counted.
	row    schema.Recording
	index  *schema.Index
	digest hash.Hash
}

// NewFile prepares the sample file of a recording, but does not make it. dir is the id of its sample directory, stream the id of
// its stream.
func NewFile(dir, stream int64, id mp4.Identity, tracks []media.SampleEntry) (*File, error) {
	header, err := mp4.AppendHeader(nil, id, tracks)
	if err != nil {
		return nil, err
	}
	f := NewCopy(store.Key{Stream: schema.Label(id.Camera, id.Stream), Number: id.Recording}, header)
	f.index = schema.NewIndex(tracks)
	f.row.ID, f.row.Dir = schema.MakeRecordingID(stream, id.Recording), dir
	f.row.Sequence, f.row.Start90k = id.Sequence, id.Start90k
	return f, nil
}

// NewCopy prepares a sample file with a given header, whose fragments are copied by Write. It counts nothing, so it has no Record.
func NewCopy(k store.Key, header []byte) *File {
	return &File{Key: k, header: header, digest: NewDigest(), row: schema.Recording{HeaderBytes: int64(len(header))}}
}

// Create makes the file. create is the method Create of a store.
func (f *File) Create(create func(store.Key) (store.Writer, error)) error {
	w, err := create(f.Key)
	if err == nil {
		f.w = w
	}
	return err
}

// Created reports whether the file was made.
func (f *File) Created() bool { return f.w != nil || f.begun }

// joinBuffers are for header, fragments and seal that are written by one write.
var joinBuffers = sync.Pool{New: func() any { return new([]byte) }}

// Append appends whole fragments, behind the header if they are the first, and the seal behind them if it is not nil. When it fails,
// the file is as before.
func (f *File) Append(fragments []byte, seal *mp4.Seal) (err error) {
	if f.begun && seal == nil {
		return f.w.Append(fragments)
	}
	buf := joinBuffers.Get().(*[]byte)
	defer joinBuffers.Put(buf)
	all := (*buf)[:0]
	if !f.begun {
		all = append(all, f.header...)
	}
	all = append(all, fragments...)
	if seal != nil {
		if all, err = mp4.AppendSeal(all, *seal); err != nil {
			return err
		}
	}
	*buf = all
	if err := f.w.Append(all); err != nil {
		return err
	}
	f.begun, f.sealed = true, seal != nil
	return nil
}

// Count adds a fragment that was appended to the row.
func (f *File) Count(fragment []byte, x schema.Fragment) {
	f.count(fragment)
	f.index.Add(x)
}

func (f *File) count(fragments []byte) {
	if f.row.Bytes == 0 {
		f.digest.Write(f.header) //nolint:errcheck // never fails
		f.row.Bytes = f.row.HeaderBytes
	}
	f.digest.Write(fragments) //nolint:errcheck // never fails
	f.row.Bytes += int64(len(fragments))
}

// Write appends bytes of the fragments that are copied, and adds them to the digest.
func (f *File) Write(p []byte) (int, error) {
	if err := f.Append(p, nil); err != nil {
		return 0, err
	}
	f.count(p)
	return len(p), nil
}

// SetSpan sets when the row says that the recording starts, and how long it lasts.
func (f *File) SetSpan(start90k, wallDuration90k int64) {
	f.row.Start90k, f.row.WallDuration90k = start90k, wallDuration90k
}

// Row returns the row with the fragments that were counted so far.
func (f *File) Row() *schema.Recording { return &f.row }

// Tracks sums up the samples that were counted so far, by track.
func (f *File) Tracks() []schema.Track { return f.index.Tracks() }

// Digest returns the digest of the bytes that were counted.
func (f *File) Digest() []byte { return f.digest.Sum(nil) }

// Record returns what goes into the database: the recording as counted so far, and its run, by UUID and start.
func (f *File) Record(run string, start90k int64) Record {
	r := Record{Row: f.row, Run: run, RunStart90k: start90k, Entries: f.index.Entries(), Index: f.index.Bytes()}
	r.Row.Tracks, r.Row.Sealed = f.index.Tracks(), f.sealed
	if f.sealed {
		r.Row.Digest = f.Digest()
	}
	return r
}

// Sync makes the bytes of the file durable. Its name is durable once the directory was synced.
func (f *File) Sync() error { return f.w.Sync() }

// Close closes the file, if it is open.
func (f *File) Close() error {
	w := f.w
	if w == nil {
		return nil
	}
	f.w = nil
	return w.Close()
}

// EndFile cuts a sample file off behind its whole fragments, and seals it. If seal is nil, it changes nothing. In both cases it syncs
// the file and its directory, because whoever wrote the file may have been killed before doing so.
func EndFile(st store.Store, k store.Key, bytes int64, seal *mp4.Seal) error {
	w, err := st.Reopen(k)
	if err != nil {
		return err
	}
	if seal != nil {
		err = cutAndSeal(w, bytes, *seal)
	}
	if err == nil {
		err = w.Sync()
	}
	return errors.Join(err, w.Close(), st.SyncDir(k))
}

func cutAndSeal(w store.Writer, bytes int64, seal mp4.Seal) error {
	text, err := mp4.AppendSeal(nil, seal)
	if err != nil {
		return fmt.Errorf("make the seal of a sample file: %w", err)
	}
	if err := w.Truncate(bytes); err != nil {
		return err
	}
	return w.Append(text)
}
