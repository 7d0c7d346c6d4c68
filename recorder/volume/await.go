package volume

import (
	"context"
	"strings"
	"time"
)

// LookEvery is how often Await looks for a volume that is absent.
const LookEvery = 5 * time.Second

// say logs why a volume cannot be recorded to, unless it was the last error that was logged.
func (v *Volume) say(err error) {
	v.mu.Lock()
	streams, again := strings.Join(v.labels, " "), err.Error() == v.said
	v.said = err.Error()
	v.mu.Unlock()
	if again {
		return
	}
	v.log.Error("a sample directory is not there; its streams are not recorded until it is, and then start by themselves", "streams", streams, "err", err,
		"do", "mount its disk, or name another directory in samples: of its cameras")
}

// Await waits for a volume that is absent. As soon as its directory is there, it calls mend, to repair what a crash left, and
// when mend succeeds the volume is ready; otherwise it tries again. It reports whether the volume is ready, which it is not when
// ctx ends before.
func (v *Volume) Await(ctx context.Context, mend func(context.Context, *Volume) error) bool {
	if v.State() == Ready {
		return true
	}
	tick := time.NewTicker(LookEvery)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return false
		case <-tick.C:
		}
		err := v.look(ctx, mend)
		switch {
		case ctx.Err() != nil:
			return false
		case err == nil:
			v.log.Info("the sample directory is there; its streams start", "took", time.Since(v.since).Round(time.Second).String())
			v.SetReady()
			return true
		}
		v.say(err)
	}
}

// look looks for the volume once.
func (v *Volume) look(ctx context.Context, mend func(context.Context, *Volume) error) error {
	x := openAll(&v.asking, map[int64]*Volume{v.ID: v})[v.ID]
	if x.err != nil {
		return x.err
	}
	v.come(x)
	err := mend(ctx, v)
	if err == nil {
		err = x.store.Present() // or else there is more to mend
	}
	if err != nil {
		v.leave()
	}
	return err
}
