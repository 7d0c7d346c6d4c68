package main

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"nvrfs/fs"
	"nvrfs/playback"
	"nvrfs/recorder"
)

// unmountDeadline is how long readers may finish what they have open when the mount goes.
const unmountDeadline = 10 * time.Second

// prepareMount checks that m can be mounted, and detaches the mount of a server that died there.
func (env *environment) prepareMount(m Mount, data string) error {
	stale, err := env.host.checkMount(m, data)
	if err != nil || !stale {
		return err
	}
	if err := fs.Detach(m.Path); err != nil {
		return &environmentError{"mount point " + m.Path, "the mount of a server that died is still there", "unmount it with: umount -l " + shellQuote(m.Path)}
	}
	env.log.Info("detached the mount of a server that died", "path", m.Path)
	_, err = env.host.checkMount(m, data)
	return err
}

// serveMount shows the footage of data at m until ctx ends. ready is called when the mount can be used.
func (env *environment) serveMount(ctx context.Context, data string, loc *time.Location, m Mount, ready func()) (err error) {
	lib, err := playback.Open(ctx, playback.Options{Data: data, Location: loc, Log: env.log})
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, lib.Close()) }()
	ctx, cancel := context.WithCancel(ctx)
	var wg sync.WaitGroup
	defer wg.Wait()
	defer cancel()
	wg.Go(func() { lib.Run(ctx) })

	mounted, err := fs.Mount(ctx, lib, m.Path, fs.Options{
		AllowOther: m.AllowOther, UID: &m.UID, GID: &m.GID, Umask: uint32(m.Umask), Version: buildVersion(), Log: env.log,
	})
	if err != nil {
		return err
	}
	ready()
	select {
	case <-ctx.Done():
		return mounted.Unmount(unmountDeadline)
	case <-mounted.Done():
		return fmt.Errorf("mount point %s: it was unmounted by someone else", m.Path)
	}
}

// streams lists what cfg has recorded.
func (env *environment) streams(cfg *Config) (streams []recorder.StreamOptions) {
	for _, c := range cfg.Cameras {
		add := func(name string, u CameraURL) {
			streams = append(streams, recorder.StreamOptions{Camera: c.Name, Name: name, Source: &recorder.RTSP{
				URL: u.Reveal(), Transport: recorder.Transport(c.Transport), UserAgent: "nvrfs/" + buildVersion(),
				Log: env.log.With("camera", c.Name, "stream", name),
			}})
		}
		add("main", c.URL)
		if !c.Sub.IsZero() {
			add("sub", c.Sub)
		}
	}
	return streams
}

// record records and mounts what cfg says until ctx ends. ready is called when both have begun. When the mount goes while
// recording, recording goes on: footage matters more.
func (env *environment) record(ctx context.Context, cfg *Config, ready func()) (err error) {
	rec, err := recorder.Open(ctx, recorder.Options{
		Data: cfg.Data, Length: cfg.Recording.Length, Sync: cfg.Recording.Sync, Streams: env.streams(cfg), Log: env.log,
	})
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, rec.Close()) }()
	recorded := make(chan error, 1)
	recording, stopRecording := context.WithCancel(ctx)
	defer stopRecording()
	go func() { recorded <- rec.Run(recording) }()
	if cfg.Mount.Path == "" {
		ready()
		return <-recorded
	}

	// The mount outlives the recording, so that what is sealed last is still seen.
	mounting, unmount := context.WithCancel(context.WithoutCancel(ctx))
	defer unmount()
	mounted := make(chan error, 1)
	isReady := make(chan struct{})
	go func() {
		mounted <- env.serveMount(mounting, cfg.Data, cfg.Timezone, cfg.Mount, func() { close(isReady) })
	}()
	select {
	case <-isReady:
		ready()
	case err := <-mounted:
		stopRecording()
		return errors.Join(err, <-recorded)
	}
	select {
	case err := <-recorded:
		unmount()
		return errors.Join(err, <-mounted)
	case err := <-mounted:
		env.log.Error("the footage is no longer mounted; recording goes on", "err", err)
		return <-recorded
	}
}
