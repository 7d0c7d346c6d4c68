package onvif

import (
	"cmp"
	"context"
	"strings"
	"sync"
	"time"

	"nvrfs/media"
)

// An Identity is what a camera is recognised by when its address has changed. One of the two fields may be empty.
type Identity struct {
	Serial   string // as the camera tells it: Information.Serial
	Endpoint string // the name that it announces itself by: Device.Endpoint
}

// Known reports whether there is anything to recognise the camera by.
func (i Identity) Known() bool { return i.Serial != "" || i.Endpoint != "" }

// claimedBy reports whether a device claims to be the camera: by one of the two, and not against the other.
func (i Identity) claimedBy(d Device) bool {
	same := func(a, b string) bool { return a != "" && strings.EqualFold(a, b) }
	if i.Serial != "" && d.Serial != "" {
		return same(i.Serial, d.Serial)
	}
	return same(i.Endpoint, d.Endpoint)
}

const (
	defaultEvery  = 5 * time.Minute
	askTimeout    = 3 * time.Second // for the serial number of a device
	askedAtOnce   = 16
	defaultPeriod = time.Minute
)

// A Finder finds cameras whose address has changed. All cameras that are looked for share one discovery, and there is one every few
// minutes at most. The zero Finder asks all local networks.
type Finder struct {
	Discovery Discovery
	Every     time.Duration // the least time from one discovery to the next; 5 minutes where 0

	mu      sync.Mutex
	last    time.Time // when the last discovery began
	devices []Device  // that it found
}

// Find returns the address of the one device that claims to be the camera. It knows no password: whoever asks the device must not
// trust it with more than a digest.
func (f *Finder) Find(ctx context.Context, id Identity) (address string, ok bool) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if now := time.Now(); f.last.IsZero() || now.Sub(f.last) >= cmp.Or(f.Every, defaultEvery) {
		f.last = now
		devices, err := Discover(ctx, f.Discovery)
		if err != nil {
			return "", false // the camera is away for its own reason, which is in the log
		}
		askSerials(ctx, devices)
		f.devices = devices
	}
	for _, d := range f.devices {
		if !id.claimedBy(d) || d.Address == address {
			continue
		}
		if ok {
			return "", false // two claim to be it
		}
		address, ok = d.Address, true
	}
	return address, ok
}

// askSerials asks the devices for the serial numbers that they have not told. Those that want a password for that are left alone.
func askSerials(ctx context.Context, devices []Device) {
	ctx, cancel := context.WithTimeout(ctx, askTimeout)
	defer cancel()
	var wg sync.WaitGroup
	free := make(chan struct{}, askedAtOnce)
	for i := range devices {
		d := &devices[i]
		if d.Serial != "" {
			continue
		}
		free <- struct{}{}
		wg.Go(func() {
			defer func() { <-free }()
			c, err := Open(ctx, Options{Address: d.URL})
			if err != nil {
				return
			}
			defer c.Close()
			if info, err := c.Information(ctx); err == nil {
				d.Serial = info.Serial
			}
		})
	}
	wg.Wait()
}

// A Follower is a source of samples that follows its camera to another address: when the camera could not be reached for a minute, it
// looks for the device that claims to be it, and tries there.
type Follower struct {
	// Source returns the source at an address, or at the configured one where that is "". To another address than the configured one
	// it sends no more than a digest of the password.
	Source func(address string) media.Source
	// Find returns the address at which the camera is now, if one was found.
	Find func(ctx context.Context) (address string, ok bool)
	// Moved is called with an address, other than the configured one, at which the camera answered: once for each such address.
	Moved func(address string)
	After time.Duration // how long the camera is away before it is looked for; 1 minute where 0

	address string    // where it is tried; "" is where the configuration says
	since   time.Time // since when it is away; zero where it is not
	told    string    // the address that Moved was told last
}

// Run implements media.Source. Where a session delivers nothing, the next one is at the configured address again, unless the camera is
// found at another.
func (f *Follower) Run(ctx context.Context, h media.Handler) error {
	w := &firstSample{Handler: h, first: func() {
		if f.address != "" && f.address != f.told {
			f.told = f.address
			f.Moved(f.address)
		}
	}}
	err := f.Source(f.address).Run(ctx, w)
	if ctx.Err() != nil {
		return err
	}
	if w.came {
		f.since = time.Time{}
		return err
	}
	now := time.Now()
	if f.since.IsZero() {
		f.since = now
	}
	tried := f.address
	f.address = ""
	if now.Sub(f.since) >= cmp.Or(f.After, defaultPeriod) {
		if address, ok := f.Find(ctx); ok && address != tried {
			f.address = address
		}
	}
	return err
}

// firstSample is a Handler that calls first before the first sample.
type firstSample struct {
	media.Handler
	first func()
	came  bool
}

func (w *firstSample) Sample(s media.Sample) error {
	if !w.came {
		w.came = true
		w.first()
	}
	return w.Handler.Sample(s)
}
