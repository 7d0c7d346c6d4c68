package recorder

import (
	"context"
	"errors"
	"maps"
	"slices"

	"nvrfs/holds"
	"nvrfs/store"
)

// writeHolds makes right what sample directories say that is held.
func (r *retention) writeHolds(ctx context.Context) {
	volumes := r.volumes
	err := holds.Settle(ctx, r.db, func(text []byte) {
		written := store.Ask(&r.disks, slices.Collect(maps.Keys(volumes)), func(id int64) error { return holds.Put(volumes[id].Path, text) })
		for id, err := range written { // of a disk that does not answer, lookAtDisks tells
			r.sayHolds(volumes[id].Path, err)
		}
	})
	r.sayHolds("the database", err)
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
