package main

import (
	"context"
	"log/slog"
	"os"
	"strings"

	"nvrfs/config"
	"nvrfs/recorder"
	"nvrfs/recorder/events"
	"nvrfs/schema"
)

// A reloader applies the configuration file to a recorder that runs, each time it is asked to.
type reloader struct {
	file   string
	lookup config.Lookup
	log    *slog.Logger
	// apply has the recorder record the streams of a configuration by its limits. When it fails, nothing has changed.
	apply  func(context.Context, *config.Config) error
	notify func(state string) // tells the service manager

	now *config.Config // what the recorder goes by
}

// newReloader returns the reloader of a recorder that goes by cfg, which is of a file.
func (env *environment) newReloader(file string, cfg *config.Config, rec *recorder.Recorder, asked *events.Set) *reloader {
	apply := func(ctx context.Context, next *config.Config) error {
		err := rec.Set(ctx, env.streams(next), limitsOfAll(next), recorder.MinFree(next.Retain.MinFree))
		if err == nil {
			limitMemory(next.Cache, rec.Disks())
			asked.Set(askedForEvents(next))
		}
		return explainLocked(err)
	}
	return &reloader{file: file, lookup: env.lookupEnv, log: env.log, apply: apply, notify: env.notify, now: cfg}
}

// run reloads as often as it is asked to, until ctx ends: one after the other, and once for all that ask meanwhile.
func (r *reloader) run(ctx context.Context, asked <-chan os.Signal) {
	for {
		select {
		case <-ctx.Done():
			return
		case <-asked:
			r.notify(stateReloading())
			r.reload(ctx)
			r.notify(stateReady)
		}
	}
}

// reload reads the file, and applies it unless there is a mistake in it.
func (r *reloader) reload(ctx context.Context) {
	read, err := config.Read(r.file, r.lookup)
	if err != nil {
		r.refuse(err)
		return
	}
	diff := config.Diff(r.now, read)
	next := *r.now // with the settings that take a restart as they are
	next.Cameras, next.Retain = read.Cameras, read.Retain
	if len(diff.Streams) > 0 || len(diff.Events) > 0 || diff.Retain {
		err = r.apply(ctx, &next)
	}
	switch {
	case ctx.Err() != nil:
		return // the process stops, and the next start reads the file
	case err != nil:
		r.refuse(err)
		return
	}
	r.now = &next
	r.say(diff)
}

func (r *reloader) refuse(err error) {
	r.log.Error("the configuration was not reloaded; recording goes on with the one from before",
		"path", r.file, "err", oneLine(err), "do", "correct the file, check it with nvrfs config check, and send SIGHUP again")
}

// say logs what was applied, and what waits for another start.
func (r *reloader) say(d config.Difference) {
	var added, removed, changed []string
	for _, c := range d.Streams {
		label := schema.Label(c.Camera, c.Name)
		switch {
		case c.Old == nil:
			added = append(added, label)
		case c.New == nil:
			removed = append(removed, label)
		default:
			changed = append(changed, label+" ("+strings.Join(ways(c), ", ")+")")
		}
	}
	for _, camera := range d.Events {
		changed = append(changed, camera+" (onvif)")
	}
	if d.Retain {
		changed = append(changed, "retain")
	}
	attrs := []any{"path", r.file}
	if len(added) > 0 {
		attrs = append(attrs, "added", strings.Join(added, ", "))
	}
	if len(removed) > 0 {
		attrs = append(attrs, "removed", strings.Join(removed, ", "))
	}
	if len(changed) > 0 {
		attrs = append(attrs, "changed", strings.Join(changed, ", "))
	}
	if len(d.Restart) > 0 {
		attrs = append(attrs, "restart", strings.Join(d.Restart, ", "))
	}
	switch {
	case d.None():
		r.log.Info("the configuration was reloaded; nothing has changed", attrs...)
	case len(d.Restart) == 0:
		r.log.Info("the configuration was reloaded", attrs...)
	default:
		r.log.Warn("the configuration was reloaded, but some settings stay as they are until nvrfs is started again", attrs...)
	}
}

// ways says which settings of a stream have changed. An address may be a secret, and is not told.
func ways(c config.StreamChange) (names []string) {
	for _, x := range []struct {
		name   string
		differ bool
	}{{"url", !c.Old.URL.Equal(c.New.URL)}, {"transport", c.Old.Transport != c.New.Transport}, {"tls", c.Old.Fingerprint != c.New.Fingerprint}, {"samples", c.Samples()}, {"retain", c.Retain()}, {"serial", c.Device()}} {
		if x.differ {
			names = append(names, x.name)
		}
	}
	return names
}
