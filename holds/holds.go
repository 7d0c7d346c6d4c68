// Package holds keeps what is held beside the sample files as well as in the database, so that holds survive a lost database: all
// of them in each sample directory. Whoever changes a hold writes the files, and the recorder makes right whichever is missing or
// stale: of a disk that was away, for one. The database is what counts; the files are read only when it is lost.
package holds

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"slices"

	"nvrfs/schema"
	"nvrfs/store"
	"nvrfs/store/dir"
)

const (
	fileName = "nvrfs-holds.json"
	mostText = 64 << 20 // bytes; more than anybody will ever hold
	version  = 1
)

// A Text is what a file of holds says.
type Text struct {
	Version  int    `json:"version"`
	Database string `json:"database"` // UUID
	Changes  int64  `json:"changes"`  // how often holds were changed until then: of two files the one with more is newer
	Holds    []Hold `json:"holds"`
}

// A Hold keeps footage of a stream from being deleted.
type Hold struct {
	ID         int64  `json:"id"`
	Camera     string `json:"camera"`
	Stream     string `json:"stream"`
	From90k    int64  `json:"from90k"`
	To90k      int64  `json:"to90k"`
	Why        string `json:"why"`
	Created90k int64  `json:"created90k"`
}

// Now returns what the files are to say.
func Now(ctx context.Context, db *schema.DB) ([]byte, error) {
	held, changes, err := db.NamedHolds(ctx)
	if err != nil {
		return nil, err
	}
	t := Text{Version: version, Database: db.UUID(), Changes: changes, Holds: []Hold{}}
	for _, h := range held {
		t.Holds = append(t.Holds, Hold{h.ID, h.Camera, h.Name, h.From90k, h.To90k, h.Why, h.Created90k})
	}
	text, err := json.MarshalIndent(t, "", "  ")
	return append(text, '\n'), err
}

// Put has a sample directory say what is held. It writes nothing where it says so already, or never had to say anything.
func Put(path string, text []byte) error {
	have, err := dir.ReadBeside(path, fileName, mostText)
	var now Text
	switch {
	case err == nil && bytes.Equal(have, text):
		return nil
	case errors.Is(err, store.ErrNotRegular):
		return err
	case errors.Is(err, fs.ErrNotExist) && json.Unmarshal(text, &now) == nil && now.Changes == 0 && len(now.Holds) == 0:
		return nil
	}
	return dir.WriteBeside(path, fileName, text)
}

// Settle calls put with what the files are to say, and again as long as that has changed meanwhile. Processes take no lock to write
// the files: since each looks at the database again after it has written, the one that writes last leaves what the database says.
func Settle(ctx context.Context, db *schema.DB, put func(text []byte)) error {
	text, err := Now(ctx, db)
	for err == nil {
		put(text)
		var now []byte
		if now, err = Now(ctx, db); bytes.Equal(now, text) {
			break
		}
		text = now
	}
	return err
}

// Write writes what is held beside the sample files, and returns why in some sample directories it could not: by path.
func Write(ctx context.Context, db *schema.DB, data string) (failed map[string]error, err error) {
	paths, err := db.SampleDirs(ctx)
	if err != nil {
		return nil, err
	}
	for id, path := range paths {
		paths[id] = schema.SampleDirPath(data, path)
	}
	var asking store.Asking
	err = Settle(ctx, db, func(text []byte) {
		failed = map[string]error{}
		written := store.Ask(&asking, slices.Collect(maps.Keys(paths)), func(id int64) error { return Put(paths[id], text) })
		for id, path := range paths {
			if err, ok := written[id]; !ok {
				failed[path] = store.ErrNoAnswer
			} else if err != nil {
				failed[path] = err
			}
		}
	})
	return failed, err
}

// Read reads what the newest file of holds in sample directories of a database says. A file that cannot be read is handed to
// found, with why.
func Read(paths []string, database string, found func(path string, err error)) (newest Text) {
	for _, path := range paths {
		text, err := dir.ReadBeside(path, fileName, mostText)
		if errors.Is(err, fs.ErrNotExist) {
			continue
		}
		var t Text
		if err == nil {
			err = json.Unmarshal(text, &t)
		}
		if err == nil && (t.Version != version || t.Database != database) {
			err = fmt.Errorf("it has version %d of database %s", t.Version, t.Database)
		}
		if err != nil {
			found(path, err)
			continue
		}
		if newest.Version == 0 || t.Changes > newest.Changes {
			newest = t
		}
	}
	return newest
}

// Restore adds the holds to a database that has none, and returns how many. Those that the database refuses are handed to found.
func (t Text) Restore(tx *schema.Tx, found func(h Hold, err error)) (restored int64, err error) {
	for _, h := range t.Holds {
		err := tx.Try(func() error {
			s, err := tx.Stream(h.Camera, h.Stream)
			if err == nil {
				_, err = tx.Hold(schema.Hold{ID: h.ID, Stream: s.ID, From90k: h.From90k, To90k: h.To90k, Why: h.Why, Created90k: h.Created90k})
			}
			return err
		})
		if err != nil {
			found(h, err)
			continue
		}
		restored++
	}
	return restored, tx.HoldsChanged(t.Changes + 1)
}
