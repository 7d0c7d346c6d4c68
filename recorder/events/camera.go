package events

import (
	"context"
	"errors"
	"log/slog"
	"net"
	"net/url"
	"strings"
	"time"

	"nvrfs/recorder/guard"
	"nvrfs/recorder/onvif"
)

// A Camera is a camera that is asked for its events: where, and as whom.
type Camera struct {
	Name  string
	ONVIF onvif.Options // where, by a URL, and as whom
}

const (
	steadyAfter = 10 * time.Second
	// A camera that refuses the password, or has no events, is asked rarely: some shut everyone out after a few attempts.
	refusedWait = 10 * time.Minute
	// The log of a camera's streams is faster than this.
	tellAfter = time.Minute
	// A reason of the network names another port each time, so that it is never the same as the last.
	tellEvery = time.Hour
)

// asker asks one camera for its events until it is stopped.
type asker struct {
	Camera
	tracker *tracker
	log     *slog.Logger
	backoff func(attempt int) time.Duration
	find    func(context.Context) (host string, ok bool)
	steady  time.Duration // how long a session lasts that is taken for a good one
	tell    time.Duration // how long its events are away before the log says so, and the camera is looked for
	guard   guard.Guard

	host   string    // where the camera is asked; "" is where the configuration says
	gentle bool      // see onvif.Client.Subscribe
	since  time.Time // since when its events are away; zero where they are not
	told   string    // the reason that is in the log
	toldAt time.Time // when it was logged
}

// run asks until ctx ends.
func (a *asker) run(ctx context.Context) {
	defer a.tracker.silent()
	for attempt := 0; ; attempt++ {
		began := time.Now()
		pulled := false
		err := a.guard.Do(a.log, "the camera's events", func() error { return a.session(ctx, &pulled) })
		if ctx.Err() != nil {
			return
		}
		if pulled && time.Since(began) > a.steady {
			attempt = -1
			continue // without a wait: its subscription may just have run out, and what goes on goes on
		}
		a.tracker.silent()
		a.away(err, began)
		a.look(ctx)
		wait := a.backoff(attempt)
		if errors.Is(err, onvif.ErrRefused) || errors.Is(err, onvif.ErrNoEvents) {
			wait = refusedWait
		}
		select {
		case <-ctx.Done():
			return
		case <-time.After(wait):
		}
	}
}

// session subscribes, and takes events until something fails. It sets pulled when events can be had.
func (a *asker) session(ctx context.Context, pulled *bool) error {
	o := a.ONVIF
	if a.host != "" {
		o.Address = atHost(o.Address, a.host)
	}
	c, err := onvif.Open(ctx, o)
	if err != nil {
		return err
	}
	defer c.Close()
	sub, err := c.Subscribe(ctx, a.gentle)
	if err != nil {
		return err
	}
	defer sub.Close(ctx)
	ahead, hasClock := c.Clock()
	for {
		got, err := sub.Pull(ctx)
		if err != nil {
			var fault *onvif.Fault
			if !*pulled && errors.As(err, &fault) {
				a.gentle = true
			}
			return err
		}
		came := time.Now()
		a.tracker.hear(came)
		for _, e := range got {
			a.tracker.event(e, timeOf(e, came, ahead, hasClock))
		}
		*pulled = true
		a.back()
	}
}

// look looks for a camera that has been away for a while. Where it is found at another address, it is asked there next, and otherwise
// where the configuration says; either gets no more than a digest of the password. The log of its streams says where it is.
func (a *asker) look(ctx context.Context) {
	tried := a.host
	a.host = ""
	if time.Since(a.since) < a.tell {
		return
	}
	if host, ok := a.find(ctx); ok && host != tried {
		a.host = host
	}
}

// atHost returns the address of a device at another host.
func atHost(address, host string) string {
	u, err := url.Parse(address)
	if err != nil {
		return address
	}
	if port := u.Port(); port != "" || strings.Contains(host, ":") {
		u.Host = strings.TrimSuffix(net.JoinHostPort(host, port), ":")
	} else {
		u.Host = host
	}
	return u.String()
}

// away logs why no events come, once that has lasted for a while, and again when the reason changes.
func (a *asker) away(err error, began time.Time) {
	if a.since.IsZero() {
		a.since = began
	}
	lasts := errors.Is(err, onvif.ErrRefused) || errors.Is(err, onvif.ErrNoEvents)
	reason := guard.Shorten(err.Error(), guard.MaxReason)
	if reason == a.told || a.told != "" && time.Since(a.toldAt) < tellEvery || !lasts && time.Since(a.since) < a.tell {
		return
	}
	a.log.Warn("the camera's events are not kept; trying again", "reason", reason)
	a.told, a.toldAt = reason, time.Now()
}

// back logs that events come again.
func (a *asker) back() {
	if a.told != "" {
		a.log.Info("the camera's events are kept again", "took", time.Since(a.since).Round(time.Second).String())
	}
	a.since, a.told = time.Time{}, ""
}
