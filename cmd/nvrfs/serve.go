package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"runtime"
	"strings"
	"sync"
	"time"

	"nvrfs/config"
	"nvrfs/fs"
	"nvrfs/playback"
	"nvrfs/recorder"
	"nvrfs/recorder/events"
	"nvrfs/schema"
	"nvrfs/web"
)

// mountDeadline bounds mounting, which only asks the kernel.
const mountDeadline = 20 * time.Second

// unmountDeadline is how long readers may finish what they have open when the mount goes.
const unmountDeadline = 10 * time.Second

// shown says how the footage of a data directory is shown.
type shown struct {
	data   string
	loc    *time.Location
	mount  config.Mount // not mounted where Path is empty
	listen string       // address for HTTP; none where empty
	cache  int64        // bytes of memory for it
}

// prepareMount checks that m can be mounted, and detaches the mount of a server that died there.
func (env *environment) prepareMount(m config.Mount, data string) error {
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

// way is a way to show footage, the mount or the HTTP server, that has ended.
type way struct {
	end string // what the log says about it while the other way goes on
	err error
}

// show shows footage, by the mount and over HTTP, until ctx ends. It calls ready when the footage can be seen. It returns early when
// both ways have ended.
func (env *environment) show(ctx context.Context, v shown, ready func()) (err error) {
	lib, err := playback.Open(ctx, playback.Options{Data: v.data, Location: v.loc, Cache: v.cache, Version: buildVersion(), Log: env.log})
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, lib.Close()) }()
	view := lib.View(nil) // whoever may mount or connect sees everything
	defer env.counters.add("playback", func() any { return lib.Stats() })()
	ctx, cancel := context.WithCancel(ctx)
	var wg sync.WaitGroup
	defer wg.Wait()
	defer cancel()
	wg.Go(func() { lib.Run(ctx) })

	var last error
	ways, ended := 0, make(chan way, 2)
	if v.listen != "" {
		l, err := net.Listen("tcp", v.listen)
		if err != nil {
			return fmt.Errorf("serve HTTP: %w", err)
		}
		env.log.Info("serving HTTP", "url", "http://"+l.Addr().String()+"/")
		ways++
		wg.Go(func() {
			ended <- way{"the HTTP server stopped; the mount goes on", web.Serve(ctx, l, web.NewHandler(view, env.log))}
		})
	}
	if v.mount.Path != "" {
		mounting, cancel := context.WithTimeout(ctx, mountDeadline)
		m, err := fs.Mount(mounting, view, v.mount.Path, fs.Options{
			AllowOther: v.mount.AllowOther, UID: &v.mount.UID, GID: &v.mount.GID, Umask: uint32(v.mount.Umask),
			Log: env.log,
		})
		cancel()
		if err != nil {
			return err
		}
		defer env.counters.add("mount", func() any { return m.Stats() })()
		ways++
		wg.Go(func() {
			ended <- way{"the mount is gone; the HTTP server goes on", untilUnmounted(ctx, m, v.mount.Path, env.log)}
		})
	}
	ready()
	for ; ways > 0; ways-- {
		w := <-ended
		switch {
		case ctx.Err() != nil || ways == 1:
			last = errors.Join(last, w.err)
		default:
			env.log.Error(w.end, "err", w.err)
		}
	}
	if last == nil {
		<-ctx.Done() // neither a mount nor HTTP is configured
	}
	return last
}

// untilUnmounted unmounts m when ctx ends, and returns an error when someone else does so before.
func untilUnmounted(ctx context.Context, m *fs.Server, path string, log *slog.Logger) error {
	select {
	case <-ctx.Done():
		slow := time.AfterFunc(time.Second, func() {
			log.Info("the footage is unmounted; waiting up to "+unmountDeadline.String()+" for files that are still open", "path", path)
		})
		defer slow.Stop()
		err := m.Unmount(unmountDeadline)
		if errors.Is(err, fs.ErrInUse) {
			log.Warn("files of the footage were still open when it was unmounted; reading them fails from now on", "path", path, "err", err)
			return nil
		}
		return err
	case <-m.Done():
		return fmt.Errorf("mount point %s: it was unmounted by someone else", path)
	}
}

// streams lists the streams that cfg says are to be recorded.
func (env *environment) streams(cfg *config.Config) (streams []recorder.StreamOptions) {
	for _, c := range cfg.Cameras {
		for _, x := range c.Streams {
			label := schema.Label(c.Name, x.Name)
			streams = append(streams, recorder.StreamOptions{
				Camera: c.Name, Name: x.Name, Samples: x.Samples, Retain: recorder.Limits(x.Retain),
				Source: env.followed(c.Name, x, env.log.With("stream", label)), Origin: strings.Join([]string{x.Transport, x.Fingerprint, x.URL.Reveal()}, " "),
			})
		}
	}
	return streams
}

// limitsOfAll are the limits of all streams together.
func limitsOfAll(cfg *config.Config) recorder.Limits {
	return recorder.Limits{Bytes: cfg.Retain.Bytes}
}

// heapFloor is the size of an allocation that is never touched, so that the system gives no memory to it. The garbage collector counts
// it, and starts later: it runs when as much was allocated as is alive, which with few streams would be every second, and take a third
// of the processor time. In return, the process takes up to this much more memory.
const heapFloor = 8 << 20

// record records and shows the streams of cfg until ctx ends. It calls ready when both have begun. When the footage can no longer be
// shown, recording goes on, because footage matters more. If file is not empty, cfg was read from it, and at each SIGHUP the file is read
// again; a SIGHUP that came before is handled then.
func (env *environment) record(ctx context.Context, cfg *config.Config, file string, ready func()) (err error) {
	rec, err := recorder.Open(ctx, recorder.Options{
		Data: cfg.Data, Length: cfg.Recording.Length, Sync: cfg.Recording.Sync, Streams: env.streams(cfg),
		Retain: limitsOfAll(cfg), MinFree: recorder.MinFree(cfg.Retain.MinFree), Log: env.log,
	})
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, rec.Close()) }()
	defer env.counters.add("disks", func() any { return rec.Stats() })()
	limitMemory(cfg.Cache, rec.Disks())
	floor := make([]byte, heapFloor)
	defer runtime.KeepAlive(floor)
	var reloading sync.WaitGroup
	defer reloading.Wait()
	recording, stopRecording := context.WithCancel(ctx)
	defer stopRecording()
	asked := events.New(events.Options{Write: rec.Write, Backoff: recorder.BackoffNow, Find: env.moved.find, Log: env.log})
	defer asked.Close()
	defer context.AfterFunc(recording, asked.Close)() // while recording ends, since a camera that is away takes time
	asked.Set(askedForEvents(cfg))
	recorded := make(chan error, 1)
	go func() { recorded <- rec.Run(recording) }()

	// Showing outlives recording, so that the recordings that are sealed last can still be seen.
	showing, stopShowing := context.WithCancel(context.WithoutCancel(ctx))
	defer stopShowing()
	ended, isReady := make(chan error, 1), make(chan struct{})
	go func() {
		v := shown{data: cfg.Data, loc: cfg.Timezone, mount: cfg.Mount, listen: cfg.HTTP.Listen, cache: cfg.Cache}
		ended <- env.show(showing, v, func() { close(isReady) })
	}()
	select {
	case <-isReady:
		ready()
		if file != "" {
			reloading.Go(func() { env.newReloader(file, cfg, rec, asked).run(recording, env.hangups) })
		}
	case err := <-ended:
		stopRecording()
		return errors.Join(err, <-recorded)
	}
	select {
	case err := <-recorded:
		stopShowing()
		return errors.Join(err, <-ended)
	case err := <-ended:
		env.log.Error("neither the mount nor the HTTP server shows the footage any more; recording goes on", "err", err)
		return <-recorded
	}
}
