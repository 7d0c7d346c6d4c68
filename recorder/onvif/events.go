package onvif

import (
	"context"
	"encoding/xml"
	"errors"
	"fmt"
	"strings"
	"time"
)

// How a device is asked for its events. Devices have few subscriptions to give, and keep those of a recorder that was killed until
// they run out, so a subscription lasts a short while and is renewed.
const (
	subscribeFor    = 2 * time.Minute
	pullWait        = 30 * time.Second // how long a device waits for an event before it answers that there is none
	gentlePullWait  = 10 * time.Second
	pullMessages    = 100
	gentleMessages  = 10
	leastLife       = 2 * time.Second // of a subscription
	maxMessages     = 1000            // of an answer
	maxItems        = 32              // of a message
	maxReference    = 4 << 10         // bytes of what a subscription is told apart by
	unsubscribeWait = 3 * time.Second
)

const (
	notification  = "http://docs.oasis-open.org/wsn/b-2"
	subscriptions = "http://docs.oasis-open.org/wsn/bw-2/SubscriptionManager"
	addressing    = "http://www.w3.org/2005/08/addressing"
)

// ErrNoEvents says that a device has no event service.
var ErrNoEvents = errors.New("the camera has no ONVIF service for events")

// An Event is a message of a device about something that happened, or about how it is. Texts are cleaned.
type Event struct {
	Topic     string    // "tns1:RuleEngine/CellMotionDetector/Motion"
	Operation string    // "Initialized": it is so since before the subscription; "Changed", "Deleted" or ""
	At        time.Time // by the camera's clock; zero where it does not tell
	Source    []Item    // where: the tokens of a sensor, a rule, an input
	Data      []Item    // what
}

// An Item is a name and a value of an Event.
type Item struct{ Name, Value string }

// A Subscription is a pull point: the device keeps events until they are pulled. It is for one goroutine.
type Subscription struct {
	c         *Client
	address   string // of the pull point, as the device named it
	reference string // XML for the header of each request
	gentle    bool
	life      time.Duration // from the last renewal
	renewed   time.Time
	noRenewal bool // the device refuses to renew
}

// Subscribe asks a device for its events from now on. With gentle, each request asks for few events and a quick answer, because some
// devices refuse the usual numbers.
func (c *Client) Subscribe(ctx context.Context, gentle bool) (*Subscription, error) {
	if !c.Has(EventsService) {
		return nil, ErrNoEvents
	}
	const action = EventsService + "/EventPortType/CreatePullPointSubscriptionRequest"
	var answer struct {
		R struct {
			Address    string    `xml:"SubscriptionReference>Address"`
			Parameters reference `xml:"SubscriptionReference>ReferenceParameters"`
			lifetime
		} `xml:"CreatePullPointSubscriptionResponse"`
	}
	create := func(content string) error {
		return c.Call(ctx, Request{
			Service: EventsService, Action: action, Header: addressed(action, ""),
			Body: fmt.Sprintf(`<CreatePullPointSubscription xmlns="%s">%s</CreatePullPointSubscription>`, EventsService, content),
		}, &answer)
	}
	err := create("<InitialTerminationTime>" + seconds(subscribeFor) + "</InitialTerminationTime>")
	var fault *Fault
	if errors.As(err, &fault) {
		err = create("") // some know no durations
	}
	if err != nil {
		return nil, err
	}
	s := &Subscription{c: c, address: strings.TrimSpace(answer.R.Address), reference: answer.R.Parameters.header(), gentle: gentle}
	if _, err := c.at(s.address); err != nil {
		return nil, err
	}
	s.lives(answer.R.lifetime)
	return s, nil
}

// Pull waits for events, up to half a minute, and returns those that came. It renews the subscription in time.
func (s *Subscription) Pull(ctx context.Context) ([]Event, error) {
	if err := s.renew(ctx); err != nil {
		return nil, err
	}
	wait, most := pullWait, pullMessages
	if s.gentle {
		wait, most = gentlePullWait, gentleMessages
	}
	wait = max(min(wait, s.life/3), time.Second)
	var answer struct {
		Messages []message `xml:"PullMessagesResponse>NotificationMessage"`
	}
	body := fmt.Sprintf(`<PullMessages xmlns="%s"><Timeout>%s</Timeout><MessageLimit>%d</MessageLimit></PullMessages>`, EventsService, seconds(wait), most)
	if err := s.call(ctx, EventsService+"/PullPointSubscription/PullMessagesRequest", body, wait+callTimeout, &answer); err != nil {
		return nil, err
	}
	return eventsOf(answer.Messages), nil
}

// renew renews the subscription when half its time is over. A device that refuses is not asked again: pulling goes on until the
// subscription runs out.
func (s *Subscription) renew(ctx context.Context) error {
	if s.noRenewal || time.Since(s.renewed) < s.life/2 {
		return nil
	}
	var answer struct {
		R lifetime `xml:"RenewResponse"`
	}
	body := fmt.Sprintf(`<Renew xmlns="%s"><TerminationTime>%s</TerminationTime></Renew>`, notification, seconds(subscribeFor))
	err := s.call(ctx, subscriptions+"/RenewRequest", body, callTimeout, &answer)
	var fault *Fault
	switch {
	case errors.As(err, &fault):
		s.noRenewal = true
		return nil
	case err != nil:
		return err
	}
	s.lives(answer.R)
	return nil
}

// Close tells the device that no more events are wanted. It takes a few seconds at most, also where ctx has ended.
func (s *Subscription) Close(ctx context.Context) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), unsubscribeWait)
	defer cancel()
	body := fmt.Sprintf(`<Unsubscribe xmlns="%s"/>`, notification)
	_ = s.call(ctx, subscriptions+"/UnsubscribeRequest", body, unsubscribeWait, nil) // else it runs out
}

func (s *Subscription) call(ctx context.Context, action, body string, timeout time.Duration, answer any) error {
	return s.c.Call(ctx, Request{
		Service: EventsService, URL: s.address, Action: action, Header: addressed(action, s.address) + s.reference, Body: body, Timeout: timeout,
	}, answer)
}

// lives notes for how long the device keeps the subscription.
func (s *Subscription) lives(l lifetime) {
	s.renewed, s.life = time.Now(), subscribeFor
	now, errNow := parseTime(l.CurrentTime)
	end, errEnd := parseTime(l.TerminationTime)
	if errNow == nil && errEnd == nil {
		s.life = min(max(end.Sub(now), leastLife), subscribeFor)
	}
}

// A lifetime is until when a device keeps a subscription, by its own clock.
type lifetime struct {
	CurrentTime     string `xml:"CurrentTime"`
	TerminationTime string `xml:"TerminationTime"`
}

// addressed returns the headers of WS-Addressing 1.0 that devices look for.
func addressed(action, to string) string {
	h := fmt.Sprintf(`<a:Action xmlns:a="%s" s:mustUnderstand="1">%s</a:Action>`, addressing, action)
	if to != "" {
		h += fmt.Sprintf(`<a:To xmlns:a="%s" s:mustUnderstand="1">%s</a:To>`, addressing, Escape(to))
	}
	return h
}

// seconds returns a duration as XML Schema has it.
func seconds(d time.Duration) string { return fmt.Sprintf("PT%dS", int(d.Seconds())) }

// A reference is what some devices tell subscriptions apart by, besides their address.
type reference struct {
	Elements []struct {
		XMLName xml.Name
		Text    string `xml:",chardata"`
	} `xml:",any"`
}

// header returns the reference as it stands in the header of a request (WS-Addressing 1.0 SOAP Binding, 2.3).
func (r reference) header() string {
	var b strings.Builder
	for _, e := range r.Elements {
		fmt.Fprintf(&b, `<x:%s xmlns:x="%s" xmlns:a="%s" a:IsReferenceParameter="true">%s</x:%[1]s>`,
			e.XMLName.Local, Escape(e.XMLName.Space), addressing, Escape(strings.TrimSpace(e.Text)))
	}
	if b.Len() > maxReference {
		return ""
	}
	return b.String()
}

// A message is an Event as devices write it.
type message struct {
	Topic   string `xml:"Topic"`
	Message struct {
		At        string `xml:"UtcTime,attr"`
		Operation string `xml:"PropertyOperation,attr"`
		Source    []item `xml:"Source>SimpleItem"`
		Data      []item `xml:"Data>SimpleItem"`
	} `xml:"Message>Message"`
}

type item struct {
	Name  string `xml:"Name,attr"`
	Value string `xml:"Value,attr"`
}

// eventsOf returns the events of messages.
func eventsOf(messages []message) []Event {
	events := make([]Event, 0, min(len(messages), maxMessages))
	for _, m := range messages[:min(len(messages), maxMessages)] {
		e := Event{Topic: clean(m.Topic), Operation: clean(m.Message.Operation), Source: itemsOf(m.Message.Source), Data: itemsOf(m.Message.Data)}
		if at, err := parseTime(m.Message.At); err == nil {
			e.At = at
		}
		events = append(events, e)
	}
	return events
}

func itemsOf(items []item) (cleaned []Item) {
	for _, i := range items[:min(len(items), maxItems)] {
		cleaned = append(cleaned, Item{clean(i.Name), clean(i.Value)})
	}
	return cleaned
}

// parseTime reads a time of XML Schema, which is in UTC where it has no offset.
func parseTime(text string) (time.Time, error) {
	text = strings.TrimSpace(text)
	t, err := time.Parse(time.RFC3339Nano, text)
	if err != nil {
		t, err = time.Parse("2006-01-02T15:04:05.999999999", text)
	}
	if err == nil && (t.Year() < 1970 || t.Year() > 2199) { // whose differences would not fit
		err = errors.New("a time that no clock has")
	}
	return t, err
}
