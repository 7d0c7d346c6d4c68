package onviftest

import (
	"fmt"
	"net/http"
	"regexp"
	"strings"
	"time"
)

// Events say how a device tells of events.
type Events struct {
	Life      time.Duration // of a subscription; 1 minute where 0
	NoRenewal bool          // it refuses to renew
	// MaxPull is for how long it can be asked to wait; more is a fault. 0 is for ever.
	MaxPull   time.Duration
	Reference string // the XML by which subscriptions are told apart, besides their address
}

// events are the subscriptions of a device.
type events struct {
	n    int
	subs map[string]*subscription // by path
	now  []string                 // messages that tell a new subscription how everything is
}

type subscription struct {
	ends   time.Time
	queue  []string
	arrive chan struct{} // has a value when there is something in the queue
}

// Message is the XML of an event. Items are "Name=Value".
func Message(topic, operation string, at time.Time, source, data []string) string {
	items := func(list []string) string {
		var b strings.Builder
		for _, i := range list {
			name, value, _ := strings.Cut(i, "=")
			fmt.Fprintf(&b, `<SimpleItem Name="%s" Value="%s"/>`, name, value)
		}
		return b.String()
	}
	return fmt.Sprintf(`<NotificationMessage><Topic Dialect="http://www.onvif.org/ver10/tev/topicExpression/ConcreteSet">%s</Topic>`+
		`<Message><Message UtcTime="%s" PropertyOperation="%s"><Source>%s</Source><Data>%s</Data></Message></Message></NotificationMessage>`,
		topic, at.UTC().Format("2006-01-02T15:04:05.000Z"), operation, items(source), items(data))
}

// Emit sends messages to all who have subscribed.
func (d *Device) Emit(messages ...string) {
	d.mu.Lock()
	defer d.mu.Unlock()
	for _, s := range d.events.subs {
		s.queue = append(s.queue, messages...)
		select {
		case s.arrive <- struct{}{}:
		default:
		}
	}
}

// Initially sets the messages that tell those who subscribe from now on how everything is.
func (d *Device) Initially(messages ...string) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.events.now = messages
}

// Subscriptions is how many there are.
func (d *Device) Subscriptions() int {
	d.mu.Lock()
	defer d.mu.Unlock()
	return len(d.events.subs)
}

// Forget drops all subscriptions, as a device does that starts again.
func (d *Device) Forget() {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.events.subs = nil
}

// Now is the time of the device's clock.
func (d *Device) Now() time.Time { return d.now() }

func (d *Device) life() time.Duration {
	if d.Events.Life == 0 {
		return time.Minute
	}
	return d.Events.Life
}

func (d *Device) terms() string {
	now := d.now()
	return fmt.Sprintf(`<CurrentTime>%s</CurrentTime><TerminationTime>%s</TerminationTime>`, now.Format(time.RFC3339), now.Add(d.life()).Format(time.RFC3339))
}

// answerEvents answers the calls for events, and reports whether it was one.
func (d *Device) answerEvents(w http.ResponseWriter, r *http.Request, name string, text []byte) bool {
	if name == "CreatePullPointSubscription" {
		d.subscribe(w)
		return true
	}
	if name != "PullMessages" && name != "Renew" && name != "Unsubscribe" {
		return false
	}
	d.mu.Lock()
	s := d.events.subs[r.URL.Path]
	d.mu.Unlock()
	body := string(text)
	switch {
	case s == nil || time.Now().After(s.ends), d.Events.Reference != "" && !strings.Contains(body, `IsReferenceParameter="true"`):
		Fault(w, http.StatusInternalServerError, "ter:InvalidArgVal", "no such subscription")
	case !strings.Contains(body, "/"+name+"Request</a:Action>"):
		Fault(w, http.StatusBadRequest, "wsa:ActionNotSupported", "no Action in the header")
	case name == "PullMessages":
		d.pull(w, r, s, body)
	case name == "Unsubscribe":
		d.mu.Lock()
		delete(d.events.subs, r.URL.Path)
		d.mu.Unlock()
		Reply(w, "<UnsubscribeResponse/>")
	case d.Events.NoRenewal:
		Fault(w, http.StatusInternalServerError, "ter:ActionNotSupported", "not known")
	default:
		d.mu.Lock()
		s.ends = time.Now().Add(d.life())
		d.mu.Unlock()
		Reply(w, "<RenewResponse>"+d.terms()+"</RenewResponse>")
	}
	return true
}

func (d *Device) subscribe(w http.ResponseWriter) {
	d.mu.Lock()
	d.events.n++
	path := fmt.Sprintf("/onvif/events/%d", d.events.n)
	if d.events.subs == nil {
		d.events.subs = map[string]*subscription{}
	}
	s := &subscription{ends: time.Now().Add(d.life()), queue: append([]string{}, d.events.now...), arrive: make(chan struct{}, 1)}
	if len(s.queue) > 0 {
		s.arrive <- struct{}{}
	}
	d.events.subs[path] = s
	d.mu.Unlock()
	Reply(w, fmt.Sprintf(`<CreatePullPointSubscriptionResponse><SubscriptionReference><Address>http://%s%s</Address><ReferenceParameters>%s</ReferenceParameters>`+
		`</SubscriptionReference>%s</CreatePullPointSubscriptionResponse>`, d.host(), path, d.Events.Reference, d.terms()))
}

var pullTimeout = regexp.MustCompile(`<Timeout>PT(\d+S)</Timeout>`)

// pull waits for something in the queue, as long as it was asked to.
func (d *Device) pull(w http.ResponseWriter, r *http.Request, s *subscription, body string) {
	var wait time.Duration
	if m := pullTimeout.FindStringSubmatch(body); m != nil {
		wait, _ = time.ParseDuration(strings.ToLower(m[1]))
	}
	if d.Events.MaxPull > 0 && wait > d.Events.MaxPull {
		Fault(w, http.StatusInternalServerError, "ter:InvalidArgVal", "PullMessagesFaultResponse: the timeout is too long")
		return
	}
	select {
	case <-s.arrive:
	case <-time.After(wait):
	case <-r.Context().Done():
		return
	}
	d.mu.Lock()
	messages := s.queue
	s.queue = nil
	d.mu.Unlock()
	Reply(w, "<PullMessagesResponse>"+d.terms()+strings.Join(messages, "")+"</PullMessagesResponse>")
}
