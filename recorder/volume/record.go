package volume

import (
	"nvrfs/media"
	"nvrfs/schema"
)

// A Record is what the database is to have of a recording: its row, and what the row refers to.
type Record struct {
	Row     schema.Recording    // Put finds its Run, where that is 0, and the entries of its Tracks
	Entries []media.SampleEntry // by track: each stands for all that the recording uses, see media.EntryList
	Index   []byte              // packed

	Run         string // UUID
	RunStart90k int64
	EndReason   string // why the run ends with the recording; empty when it goes on
}

// Known remembers the ids of sample entries in the database. It saves queries where many records are put.
type Known map[entryKey]int64

type entryKey struct {
	box       string
	timescale uint32
	rotation  uint16
}

// Put puts a record into the database. known may be nil. If the transaction fails, known must not be used again, because the ids in
// it may not exist.
func (r *Record) Put(tx *schema.Tx, known Known) error {
	if r.Row.Run == 0 {
		id, err := tx.Run(r.Row.ID.Stream(), r.Run, r.RunStart90k)
		if err != nil {
			return err
		}
		r.Row.Run = id
	}
	for i, e := range r.Entries {
		id, err := known.id(tx, e)
		if err != nil {
			return err
		}
		r.Row.Tracks[i].Entry = id
	}
	if err := tx.PutRecording(&r.Row, r.Index); err != nil {
		return err
	}
	if r.EndReason == "" {
		return nil
	}
	return tx.EndRun(r.Row.Run, r.EndReason)
}

// id returns the id of a sample entry.
func (known Known) id(tx *schema.Tx, e media.SampleEntry) (int64, error) {
	k := entryKey{string(e.Box), e.Timescale, e.Rotation}
	if id, ok := known[k]; ok {
		return id, nil
	}
	id, err := tx.SampleEntry(e)
	if err == nil && known != nil {
		known[k] = id
	}
	return id, err
}

// EndRun ends a run of a stream that has no more recordings.
func EndRun(tx *schema.Tx, stream int64, run string, start90k int64, reason string) error {
	id, err := tx.Run(stream, run, start90k)
	if err != nil {
		return err
	}
	return tx.EndRun(id, reason)
}
