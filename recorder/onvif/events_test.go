package onvif_test

import (
	"errors"
	"fmt"
	"net/http"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"nvrfs/recorder/onvif"
	"nvrfs/recorder/onvif/onviftest"
)

func subscribe(t *testing.T, d *onviftest.Device, gentle bool) *onvif.Subscription {
	t.Helper()
	c, err := open(t, d, user, password)
	if err != nil {
		t.Fatal(err)
	}
	s, err := c.Subscribe(t.Context(), gentle)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// Events come as the device sends them, whoever wants to be authenticated how, with whatever clock, and from wherever the device says
// that it is.
func TestEvents(t *testing.T) {
	for _, auth := range []string{onviftest.Nobody, onviftest.WS, onviftest.Digest} {
		for _, ahead := range []time.Duration{0, -20 * 365 * 24 * time.Hour} {
			for _, host := range []string{"", "0.0.0.0"} {
				t.Run(fmt.Sprint(auth, ahead, host), func(t *testing.T) {
					checkEvents(t, onviftest.Start(t, onviftest.Options{
						Auth: auth, User: user, Password: password, Ahead: ahead, Host: host,
						Events: onviftest.Events{Reference: `<axis:SubscriptionId xmlns:axis="http://www.axis.com/2009/event">7 &amp; 8</axis:SubscriptionId>`},
					}))
				})
			}
		}
	}
}

func checkEvents(t *testing.T, d *onviftest.Device) {
	at := d.Now().Truncate(time.Millisecond)
	motion := func(state string) string {
		return onviftest.Message("tns1:VideoSource/MotionAlarm", "Changed", at, []string{"Source=V1"}, []string{"State=" + state})
	}
	want := func(state string) onvif.Event {
		return onvif.Event{Topic: "tns1:VideoSource/MotionAlarm", Operation: "Changed", At: at, Source: []onvif.Item{{"Source", "V1"}}, Data: []onvif.Item{{"State", state}}}
	}
	d.Initially(motion("false"))
	s := subscribe(t, d, false)
	var got []onvif.Event
	pull := func() {
		t.Helper()
		events, err := s.Pull(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		got = append(got, events...)
	}
	pull()
	d.Emit(motion("true"), motion("false"))
	pull()
	if all := []onvif.Event{want("false"), want("true"), want("false")}; !reflect.DeepEqual(got, all) {
		t.Errorf("got %+v, want %+v", got, all)
	}
	s.Close(t.Context())
	if n := d.Subscriptions(); n != 0 {
		t.Errorf("%d subscriptions are left", n)
	}
	if _, _, seen := d.Log(); strings.Contains(seen, password) {
		t.Error("the password was sent readable")
	}
	if _, _, seen := d.Log(); !strings.Contains(seen, `a:IsReferenceParameter="true">7 &amp; 8<`) {
		t.Error("the reference of the subscription was not sent back")
	}
}

// A subscription is renewed before it runs out, and goes on where the device refuses that, until it has run out.
func TestRenew(t *testing.T) {
	for _, noRenewal := range []bool{false, true} {
		t.Run(fmt.Sprint(noRenewal), func(t *testing.T) {
			d := onviftest.Start(t, onviftest.Options{Events: onviftest.Events{Life: 3 * time.Second, NoRenewal: noRenewal}})
			s := subscribe(t, d, false)
			deadline := time.Now().Add(time.Minute)
			for {
				_, err := s.Pull(t.Context())
				calls, _, _ := d.Log()
				renewed := slices.Contains(calls, "Renew")
				switch {
				case !noRenewal && err != nil:
					t.Fatal(err)
				case noRenewal && err != nil:
					var fault *onvif.Fault
					if !errors.As(err, &fault) || !strings.Contains(err.Error(), "no such subscription") {
						t.Error(err)
					}
					return
				case renewed && !noRenewal:
					return
				case time.Now().After(deadline):
					t.Fatalf("no end: %v", calls)
				}
			}
		})
	}
}

// A device that refuses to wait for long is asked gently.
func TestGentle(t *testing.T) {
	d := onviftest.Start(t, onviftest.Options{Events: onviftest.Events{MaxPull: 10 * time.Second}})
	var fault *onvif.Fault
	if _, err := subscribe(t, d, false).Pull(t.Context()); !errors.As(err, &fault) {
		t.Errorf("asked as others are: %v", err)
	}
	s := subscribe(t, d, true)
	d.Emit(onviftest.Message("a", "", time.Now(), nil, nil))
	if events, err := s.Pull(t.Context()); err != nil || len(events) != 1 {
		t.Errorf("asked gently: %v, %v", events, err)
	}
}

// What makes no sense in the answers to calls for events is an error, or left out.
func TestHostileEvents(t *testing.T) {
	reply := func(s string) http.HandlerFunc {
		return func(w http.ResponseWriter, _ *http.Request) { onviftest.Reply(w, s) }
	}
	for _, tt := range []struct{ name, call, answer, want string }{
		{"no address", "CreatePullPointSubscription", "<CreatePullPointSubscriptionResponse/>", "no URL"},
		{"file", "CreatePullPointSubscription", "<CreatePullPointSubscriptionResponse><SubscriptionReference><Address>file:///etc/passwd</Address></SubscriptionReference></CreatePullPointSubscriptionResponse>", "no URL"},
		{"no service", "GetServices", "<GetServicesResponse><Service><Namespace>http://www.onvif.org/ver10/media/wsdl</Namespace><XAddr>http://127.0.0.1/m</XAddr></Service></GetServicesResponse>", "no ONVIF service for events"},
		{"huge", "PullMessages", "<PullMessagesResponse>" + strings.Repeat("<NotificationMessage/>", 100_000) + "</PullMessagesResponse>", "longer than"},
		{"many", "PullMessages", "<PullMessagesResponse>" + strings.Repeat("<NotificationMessage/>", 10_000) + "</PullMessagesResponse>", ""},
	} {
		t.Run(tt.name, func(t *testing.T) {
			d := onviftest.Start(t, onviftest.Options{Answer: map[string]http.HandlerFunc{tt.call: reply(tt.answer)}})
			c, err := open(t, d, user, password)
			if err != nil {
				t.Fatal(err)
			}
			s, err := c.Subscribe(t.Context(), false)
			var events []onvif.Event
			if err == nil {
				events, err = s.Pull(t.Context())
			}
			if (err == nil) != (tt.want == "") || err != nil && !strings.Contains(err.Error(), tt.want) {
				t.Errorf("got %v, want %q", err, tt.want)
			}
			if len(events) > 1000 {
				t.Errorf("%d events", len(events))
			}
		})
	}
}
