package events

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"nvrfs/media"
	"nvrfs/recorder/onvif"
	"nvrfs/recorder/onvif/onviftest"
	"nvrfs/schema"
)

const (
	user   = "admin"
	secret = "s3cret"
	alarm  = "tns1:VideoSource/MotionAlarm"
)

// A yard is a Set with a database, and what it logs.
type yard struct {
	*Set
	t     *testing.T
	db    *schema.DB
	fails atomic.Bool // the database cannot be written to

	mu  sync.Mutex
	log bytes.Buffer
}

func (y *yard) Write(p []byte) (int, error) {
	y.mu.Lock()
	defer y.mu.Unlock()
	return y.log.Write(p)
}

func (y *yard) logged() string {
	y.mu.Lock()
	defer y.mu.Unlock()
	return y.log.String()
}

func newYard(t *testing.T, o Options) *yard {
	t.Helper()
	db, err := schema.Create(t.Context(), t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	y := &yard{t: t, db: db}
	o.Write = func(ctx context.Context, f func(*schema.Tx) error) error {
		if y.fails.Load() {
			return errors.New("disk full")
		}
		return db.Write(ctx, f)
	}
	if o.Find == nil {
		o.Find = func(context.Context, string) (string, bool) { return "", false }
	}
	o.Backoff = func(int) time.Duration { return 10 * time.Millisecond }
	o.every, o.Log = time.Millisecond, slog.New(slog.NewTextHandler(y, nil))
	y.Set = New(o)
	t.Cleanup(func() {
		y.Close()
		if err := db.Close(); err != nil {
			t.Error(err)
		}
		if strings.Contains(y.logged(), secret) {
			t.Errorf("the log tells the password: %s", y.logged())
		}
	})
	return y
}

func (y *yard) rows(camera string) []schema.Mark {
	y.t.Helper()
	rows, err := y.db.Marks(context.Background(), camera, 0, 1<<62, schema.MarkCursor{}, 10_000)
	if err != nil {
		y.t.Fatal(err)
	}
	return rows
}

// want waits until the marks of a camera are so: "motion" for one that has ended, "motion…" for one that goes on.
func (y *yard) want(camera string, want ...string) []schema.Mark {
	y.t.Helper()
	var rows []schema.Mark
	y.until(strings.Join(want, ", "), func() bool {
		rows = y.rows(camera)
		var got []string
		for _, m := range rows {
			s := m.Kind
			if m.GoesOn {
				s += "…"
			}
			got = append(got, s)
		}
		return strings.Join(got, ", ") == strings.Join(want, ", ")
	})
	return rows
}

// until waits for something.
func (y *yard) until(what string, is func() bool) {
	y.t.Helper()
	for deadline := time.Now().Add(time.Minute); !is(); time.Sleep(5 * time.Millisecond) {
		if time.Now().After(deadline) {
			y.t.Fatalf("still not: %s; log: %s", what, y.logged())
		}
	}
}

func cameraAt(name string, d *onviftest.Device) Camera {
	return Camera{Name: name, ONVIF: onvif.Options{Address: d.HTTP.URL, User: user, Password: secret}}
}

// device starts a device. The Set is closed before it, because it waits for who pulls.
func (y *yard) device(o onviftest.Options) *onviftest.Device {
	y.t.Helper()
	d := onviftest.Start(y.t, o)
	y.t.Cleanup(y.Close)
	return d
}

func subscribed(d *onviftest.Device) func() bool {
	return func() bool { return d.Subscriptions() > 0 }
}

func motionIs(d *onviftest.Device, state string) string {
	return onviftest.Message(alarm, "Changed", d.Now(), []string{"Source=V1"}, []string{"State=" + state})
}

// Two cameras, of which one has a clock that is years off, are asked until they leave the configuration; the one that stays goes on.
func TestSet(t *testing.T) {
	y := newYard(t, Options{})
	a := y.device(onviftest.Options{Auth: onviftest.WS, User: user, Password: secret, Ahead: -9 * 365 * 24 * time.Hour})
	b := y.device(onviftest.Options{Auth: onviftest.Digest, User: user, Password: secret})
	b.Initially(motionIs(b, "true"))
	before := media.FromTime(time.Now())
	y.Set.Set([]Camera{cameraAt("a", a), cameraAt("b", b)})
	y.until("subscribed", subscribed(a))
	y.want("b", "motion…")
	a.Emit(motionIs(a, "true"))
	y.want("a", "motion…")
	a.Emit(motionIs(a, "true"), motionIs(a, "false"))
	m := y.want("a", "motion")[0]
	if now := media.FromTime(time.Now()); m.Start90k < before-media.Ticks(mostLate) || m.End90k > now || m.Text != "VideoSource/MotionAlarm: V1" {
		t.Errorf("%+v, between %d and %d", m, before, now)
	}
	y.Set.Set([]Camera{cameraAt("a", a)})
	y.want("b", "motion") // it ended when it was no longer asked for
	if n := b.Subscriptions(); n != 0 {
		t.Errorf("camera b has %d subscriptions still", n)
	}
	a.Emit(motionIs(a, "true"))
	y.want("a", "motion", "motion…")
	y.Close()
	y.want("a", "motion", "motion")
	if n := a.Subscriptions(); n != 0 {
		t.Errorf("camera a has %d subscriptions still", n)
	}
	if log := y.logged(); log != "" {
		t.Errorf("the log is not quiet: %s", log)
	}
}

// Where a subscription runs out, a mark goes on; where the camera is away, it ends when the camera was last heard of.
func TestSubscriptionEnds(t *testing.T) {
	for _, steady := range []bool{true, false} {
		t.Run(fmt.Sprint("steady ", steady), func(t *testing.T) {
			o := Options{steady: time.Hour}
			if steady {
				o.steady = time.Nanosecond
			}
			y := newYard(t, o)
			d := y.device(onviftest.Options{Events: onviftest.Events{Life: 3 * time.Second}})
			y.Set.Set([]Camera{cameraAt("a", d)})
			y.until("subscribed", subscribed(d))
			d.Emit(motionIs(d, "true"))
			y.want("a", "motion…")
			d.Initially(motionIs(d, "true"))
			d.Forget() // and the next pull is refused
			y.until("subscribed again", subscribed(d))
			d.Emit(motionIs(d, "true"))
			if steady {
				d.Emit(motionIs(d, "false"))
				y.want("a", "motion")
				return
			}
			y.want("a", "motion", "motion…")
		})
	}
}

// A camera that refuses the password is not asked again soon, which would shut everyone out; the log says it once.
func TestRefused(t *testing.T) {
	y := newYard(t, Options{})
	d := y.device(onviftest.Options{Auth: onviftest.WS, User: user, Password: "another"})
	y.Set.Set([]Camera{cameraAt("a", d)})
	y.until("told", func() bool { return strings.Contains(y.logged(), "the camera refuses the user name or password") })
	y.Close()
	if _, denied, _ := d.Log(); len(denied) != 1 {
		t.Errorf("it was asked %d times: %v", len(denied), denied)
	}
	if log := y.logged(); strings.Count(log, "\n") != 1 || !strings.Contains(log, "camera=a") {
		t.Errorf("log: %s", log)
	}
}

// A camera that refuses to be asked as others are is asked gently; one that answers nonsense harms nobody.
func TestOddCameras(t *testing.T) {
	y := newYard(t, Options{})
	gentle := y.device(onviftest.Options{Events: onviftest.Events{MaxPull: 10 * time.Second}})
	odd := y.device(onviftest.Options{Answer: map[string]http.HandlerFunc{"PullMessages": func(w http.ResponseWriter, _ *http.Request) {
		fmt.Fprint(w, "<html>")
	}}})
	y.Set.Set([]Camera{cameraAt("odd", odd), cameraAt("gentle", gentle)})
	y.until("asked gently", func() bool {
		gentle.Emit(motionIs(gentle, "true"))
		return len(y.rows("gentle")) > 0
	})
	if rows := y.rows("odd"); len(rows) > 0 {
		t.Errorf("%+v", rows)
	}
}

// What cannot be written is written when the database is there again, as it is then.
func TestDatabaseThatFails(t *testing.T) {
	y := newYard(t, Options{})
	d := y.device(onviftest.Options{})
	y.fails.Store(true)
	y.Set.Set([]Camera{cameraAt("a", d)})
	y.until("subscribed", subscribed(d))
	d.Emit(motionIs(d, "true"))
	y.until("told", func() bool { return strings.Contains(y.logged(), "disk full") })
	d.Emit(motionIs(d, "false"), motionIs(d, "true"))
	time.Sleep(20 * time.Millisecond) // some more attempts, of which the log says nothing
	y.fails.Store(false)
	y.want("a", "motion", "motion…")
	y.until("told again", func() bool { return strings.Contains(y.logged(), "written again") }) // which is after the transaction
	if log := y.logged(); strings.Count(log, "\n") != 2 {
		t.Errorf("log: %s", log)
	}
}

// A camera that is away is asked where it is found, and where the configuration says when nothing answers there.
func TestCameraThatMoved(t *testing.T) {
	var found atomic.Value
	found.Store("")
	y := newYard(t, Options{tell: time.Millisecond, Find: func(_ context.Context, camera string) (string, bool) {
		host, _ := found.Load().(string)
		return host, host != "" && camera == "a"
	}})
	d := y.device(onviftest.Options{Auth: onviftest.WS, User: user, Password: secret})
	c := cameraAt("a", d)
	c.ONVIF.Address = strings.Replace(c.ONVIF.Address, "127.0.0.1", "127.0.0.9", 1) // where nothing listens
	y.Set.Set([]Camera{c})
	y.until("told", func() bool { return strings.Contains(y.logged(), "not kept") })
	found.Store("127.0.0.1")
	y.until("subscribed", subscribed(d))
	d.Emit(motionIs(d, "true"))
	y.want("a", "motion…")
}

func TestAtHost(t *testing.T) {
	for _, tt := range [][3]string{
		{"http://192.0.2.1:8000/x", "192.0.2.2", "http://192.0.2.2:8000/x"},
		{"http://192.0.2.1/x", "192.0.2.2", "http://192.0.2.2/x"},
		{"http://[2001:db8::1]/x", "2001:db8::2", "http://[2001:db8::2]/x"},
		{"http://camera:1/x", "2001:db8::2", "http://[2001:db8::2]:1/x"},
	} {
		if got := atHost(tt[0], tt[1]); got != tt[2] {
			t.Errorf("%s at %s: %s, want %s", tt[0], tt[1], got, tt[2])
		}
	}
}
