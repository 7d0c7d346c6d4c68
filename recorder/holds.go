package recorder

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

// The holds of a database lie beside the sample files as well, all of them in each sample directory, so that they survive a lost
// database. Whoever changes a hold writes the files, and the recorder makes right whichever is missing or stale: of a disk that was
// away, for one.
const (
	holdsFile    = "nvrfs-holds.json"
	mostOfHolds  = 64 << 20 // bytes; more than anybody will ever hold
	holdsVersion = 1
)

// heldText is the content of a file of holds.
type heldText struct {
	Version  int        `json:"version"`
	Database string     `json:"database"` // UUID
	Changes  int64      `json:"changes"`  // how often holds were changed until then: of two files the one with more is newer
	Holds    []holdText `json:"holds"`
}

type holdText struct {
	ID         int64  `json:"id"`
	Camera     string `json:"camera"`
	Stream     string `json:"stream"`
	From90k    int64  `json:"from90k"`
	To90k      int64  `json:"to90k"`
	Why        string `json:"why"`
	Created90k int64  `json:"created90k"`
}

// heldNow returns what the files are to say.
func heldNow(ctx context.Context, db *schema.DB) ([]byte, error) {
	held, changes, err := db.HeldStretches(ctx)
	if err != nil {
		return nil, err
	}
	t := heldText{Version: holdsVersion, Database: db.UUID(), Changes: changes, Holds: []holdText{}}
	for _, h := range held {
		t.Holds = append(t.Holds, holdText{h.ID, h.Camera, h.Name, h.From90k, h.To90k, h.Why, h.Created90k})
	}
	text, err := json.MarshalIndent(t, "", "  ")
	return append(text, '\n'), err
}

// putHolds has a sample directory say what is held. It writes nothing where it says so already, or never had to say anything.
func putHolds(path string, text []byte) error {
	have, err := dir.ReadBeside(path, holdsFile, mostOfHolds)
	var now heldText
	switch {
	case err == nil && bytes.Equal(have, text):
		return nil
	case errors.Is(err, store.ErrNotRegular):
		return err
	case errors.Is(err, fs.ErrNotExist) && json.Unmarshal(text, &now) == nil && now.Changes == 0 && len(now.Holds) == 0:
		return nil
	}
	return dir.WriteBeside(path, holdsFile, text)
}

// WriteHolds writes what is held beside the sample files, and returns why in some sample directories it could not: by path.
func WriteHolds(ctx context.Context, db *schema.DB, data string) (failed map[string]error, err error) {
	text, err := heldNow(ctx, db)
	if err != nil {
		return nil, err
	}
	paths, err := db.SampleDirs(ctx)
	if err != nil {
		return nil, err
	}
	for id, path := range paths {
		paths[id] = schema.SampleDirPath(data, path)
	}
	failed = map[string]error{}
	var asking store.Asking
	written := store.Ask(&asking, slices.Collect(maps.Keys(paths)), func(id int64) error { return putHolds(paths[id], text) })
	for id, path := range paths {
		if err, ok := written[id]; !ok {
			failed[path] = store.ErrNoAnswer
		} else if err != nil {
			failed[path] = err
		}
	}
	return failed, nil
}

// writeHolds makes right what sample directories say that is held.
func (r *retention) writeHolds(ctx context.Context) {
	text, err := heldNow(ctx, r.db)
	if err != nil {
		r.sayHolds("the database", err)
		return
	}
	r.sayHolds("the database", nil)
	dirs := r.dirs
	written := store.Ask(&r.disks, slices.Collect(maps.Keys(dirs)), func(id int64) error { return putHolds(dirs[id].path, text) })
	for id, err := range written { // of a disk that does not answer, lookAtDisks tells
		r.sayHolds(dirs[id].path, err)
	}
}

func (r *retention) sayHolds(path string, err error) {
	key := "holds in " + path
	switch {
	case err != nil && !r.said[key] && !errors.Is(err, context.Canceled):
		r.log.Error("cannot write beside the sample files what is held; holds would be lost with the database; trying again", "path", path, "err", err)
		r.said[key] = true
	case err == nil && r.said[key]:
		r.log.Info("what is held is written beside the sample files again", "path", path)
		delete(r.said, key)
	}
}

// heldIn reads what the newest file of holds in sample directories of a database says. A file that cannot be read is handed to
// found, with why.
func heldIn(paths []string, database string, found func(path string, err error)) (newest heldText) {
	for _, path := range paths {
		text, err := dir.ReadBeside(path, holdsFile, mostOfHolds)
		if errors.Is(err, fs.ErrNotExist) {
			continue
		}
		var t heldText
		if err == nil {
			err = json.Unmarshal(text, &t)
		}
		if err == nil && (t.Version != holdsVersion || t.Database != database) {
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

// restore adds the holds to a database that has none, and returns how many. Those that the database refuses are handed to found.
func (t heldText) restore(tx *schema.Tx, found func(h holdText, err error)) (restored int64, err error) {
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
