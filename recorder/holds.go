package recorder

import (
	"context"
	"errors"
	"maps"
	"slices"

	"nvrfs/holds"
	"nvrfs/store"
)

// writeHolds writes the list of holds to the sample directories where it is missing or old.
func (r *retention) writeHolds(ctx context.Context) {
	volumes := r.volumes
	err := holds.Settle(ctx, r.db, func(text []byte) {
		written := store.Ask(&r.disks, slices.Collect(maps.Keys(volumes)), func(id int64) error { return holds.Put(volumes[id].Path, text) })
		for id, err := range written { // askDisks logs which disk does not answer
			r.sayHolds(volumes[id].Path, err)
		}
	})
	r.sayHolds("the database", err)
}

func (r *retention) sayHolds(path string, err error) {
	key := "holds in " + path
	switch {
	case err != nil && !r.said[key] && !errors.Is(err, context.Canceled):
		r.log.Error("cannot write the list of holds beside the sample files; a lost database would take the holds with it; trying again", "path", path, "err", err)
		r.said[key] = true
	case err == nil && r.said[key]:
		r.log.Info("the list of holds is written beside the sample files again", "path", path)
		delete(r.said, key)
	}
}
