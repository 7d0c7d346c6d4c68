package events

import (
	"fmt"
	"log/slog"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"

	"nvrfs/media"
	"nvrfs/recorder/onvif"
)

var noon = time.Date(2026, 11, 20, 12, 0, 0, 0, time.UTC)

// bench is a tracker, and the marks that it made, in order.
type bench struct {
	*tracker
	log strings.Builder
}

func newBench() *bench {
	b := &bench{}
	log := slog.New(slog.NewTextHandler(&b.log, nil))
	b.tracker = newTracker("barn", newKeeper(nil, time.Millisecond, log), log)
	return b
}

// marks describes the marks: "motion 0-5", "input 3-" for one that goes on; in seconds since noon.
func (b *bench) marks() (all []string) {
	for _, k := range b.keeper.queue {
		since := func(t90k int64) float64 { return media.ToTime(t90k).Sub(noon).Round(time.Millisecond).Seconds() }
		s := fmt.Sprintf("%s %v-", k.Kind, since(k.Start90k))
		if !k.GoesOn {
			s += fmt.Sprint(since(k.End90k))
		}
		all = append(all, s)
	}
	return all
}

// tell tells of an event at a number of seconds since noon: "topic name=value", with an operation before it, such as "Initialized:".
func (b *bench) tell(at float64, text string) {
	e := onvif.Event{Operation: "Changed"}
	if operation, rest, ok := strings.Cut(text, ": "); ok {
		e.Operation, text = operation, rest
	}
	words := strings.Fields(text)
	e.Topic = words[0]
	for _, w := range words[1:] {
		name, value, _ := strings.Cut(w, "=")
		if i := (onvif.Item{Name: name, Value: value}); name == "Source" {
			e.Source = append(e.Source, i)
		} else {
			e.Data = append(e.Data, i)
		}
	}
	t := noon.Add(time.Duration(at * float64(time.Second)))
	b.hear(t)
	b.event(e, t)
}

func TestTracker(t *testing.T) {
	const (
		cell   = "tns1:RuleEngine/CellMotionDetector/Motion IsMotion="
		alarm  = "tns1:VideoSource/MotionAlarm State="
		door   = "tns1:Device/Trigger/DigitalInput Source=1 LogicalState="
		window = "tns1:Device/Trigger/DigitalInput Source=2 LogicalState="
		fence  = "tns1:RuleEngine/LineDetector/Crossed ObjectId=1"
	)
	for _, tt := range []struct {
		name string
		told []string // in seconds 0, 1, 2 …; "" for nothing
		want []string
	}{
		{"on and off", []string{cell + "true", "", cell + "false"}, []string{"motion 0-2"}},
		{"repeated", []string{cell + "true", cell + "true", cell + "true", cell + "false", cell + "false", cell + "true"}, []string{"motion 0-3", "motion 5-"}},
		{"off at the start", []string{"Initialized: " + cell + "false"}, nil},
		{"on at the start", []string{"Initialized: " + cell + "true", cell + "false"}, []string{"motion 0-1"}},
		{"deleted", []string{cell + "true", "Deleted: " + cell + "true"}, []string{"motion 0-1"}},
		{"one motion by two topics", []string{cell + "true", alarm + "true", cell + "false", alarm + "false", alarm + "true"}, []string{"motion 0-3", "motion 4-"}},
		{"two inputs", []string{door + "1", window + "true", door + "0", window + "false"}, []string{"input 0-2", "input 1-3"}},
		{"active", []string{door + "active", door + "inactive"}, []string{"input 0-1"}},
		{"moments", []string{fence, fence, "", "", fence}, []string{"line 0-1", "line 4-4"}},
		{"a moment at the start", []string{"Initialized: " + fence}, nil},
		{"the camera's own affairs", []string{
			"tns1:Monitoring/ProcessorUsage Value=true", "tns1:RecordingConfig/JobState State=true", "tns1:Configuration/AudioEncoder State=true",
			"tns1:RuleEngine/CountAggregation/Counter Count=7", "tns1:Device/HardwareFailure/StorageFailure Failed=true",
		}, nil},
		{"nothing", []string{"tns1:RuleEngine/Odd", "/", "tns1:"}, []string{"other 0-0"}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			b := newBench()
			for i, text := range tt.told {
				if text != "" {
					b.tell(float64(i), text)
				}
			}
			if got := b.marks(); !slices.Equal(got, tt.want) {
				t.Errorf("got %q, want %q", got, tt.want)
			}
		})
	}
}

// Topics of real cameras, and what they are about.
func TestKinds(t *testing.T) {
	for topic, want := range map[string]string{
		"tns1:RuleEngine/CellMotionDetector/Motion IsMotion=true":                     motion,
		"tns1:VideoSource/MotionAlarm State=true":                                     motion,
		"tns1:RuleEngine/tnsaxis:VMD3/vmd3_video_1 active=1":                          motion,
		"tns1:VideoAnalytics/tnsaxis:MotionDetection motion=true":                     motion,
		"tns1:RuleEngine/MyRuleDetector/PeopleDetect State=true":                      person,
		"tns1:RuleEngine/PeopleDetector/People IsPeople=true":                         person,
		"tns1:UserAlarm/IVA/HumanShapeDetect State=true":                              person,
		"tns1:RuleEngine/MyRuleDetector/VehicleDetect State=true":                     vehicle,
		"tns1:RuleEngine/TPSmartEventDetector/TPSmartEvent IsVehicle=true":            vehicle,
		"tns1:RuleEngine/TPSmartEventDetector/TPSmartEvent IsPet=true":                animal,
		"tns1:RuleEngine/MyRuleDetector/DogCatDetect State=true":                      animal,
		"tns1:RuleEngine/MyRuleDetector/FaceDetect State=true":                        face,
		"tns1:RuleEngine/LineDetector/Crossed ObjectId=5":                             line,
		"tns1:RuleEngine/FieldDetector/ObjectsInside IsInside=true":                   area,
		"tns1:RuleEngine/IntrusionDetector/Intrusion IsIntrusion=true":                area,
		"tns1:RuleEngine/TamperDetector/Tamper IsTamper=true":                         tamper,
		"tns1:VideoSource/GlobalSceneChange/ImagingService State=true":                tamper,
		"tns1:Device/Trigger/DigitalInput LogicalState=true":                          input,
		"tns1:Device/tnsaxis:IO/VirtualInput active=1":                                input,
		"tns1:AudioAnalytics/Audio/DetectedSound IsSoundDetected=true":                sound,
		"tns1:AudioSource/tnsaxis:TriggerLevel triggered=1":                           sound,
		"tns1:Device/Trigger/Relay LogicalState=active":                               other,
		"tnsaxis:CameraApplicationPlatform/ObjectAnalytics/Device1Scenario1 active=1": other,
		"tns1:VideoSource/ImageTooDark/ImagingService State=true":                     other,
	} {
		b := newBench()
		b.tell(0, topic)
		if got := b.marks(); len(got) != 1 || !strings.HasPrefix(got[0], want+" ") {
			t.Errorf("%s: got %q, want %s", topic, got, want)
		}
	}
}

func TestText(t *testing.T) {
	e := onvif.Event{Topic: "tns1:RuleEngine/tnsx:LineDetector/Crossed", Source: []onvif.Item{{Name: "a", Value: "V1"}, {Name: "b", Value: "V1"}, {Name: "Rule", Value: "gate"}}}
	if got, want := textOf(plainTopic(e.Topic), e), "RuleEngine/LineDetector/Crossed: V1 gate"; got != want {
		t.Errorf("got %q, want %q", got, want)
	}
	e.Source = append(e.Source, onvif.Item{Name: "x", Value: strings.Repeat("ä", 100)})
	if got := textOf(plainTopic(e.Topic), e); len(got) > mostText || len(got) < mostText-4 || strings.ContainsRune(got, '\ufffd') || !strings.HasSuffix(got, "ä…") {
		t.Errorf("got %q, of %d bytes", got, len(got))
	}
}

// When the camera is not heard of any more, its marks end when it was last.
func TestSilent(t *testing.T) {
	b := newBench()
	b.tell(0, "tns1:VideoSource/MotionAlarm State=true")
	b.hear(noon.Add(7 * time.Second))
	b.silent()
	b.tell(20, "Initialized: tns1:VideoSource/MotionAlarm State=true")
	if got, want := b.marks(), []string{"motion 0-7", "motion 20-"}; !slices.Equal(got, want) {
		t.Errorf("got %q, want %q", got, want)
	}
}

// Whatever a camera's clock says, an event happened when it came, or up to a few seconds before.
func TestTimeOf(t *testing.T) {
	const years = 9 * 365 * 24 * time.Hour
	for _, tt := range []struct {
		name     string
		at       time.Duration // by the camera's clock, from noon
		ahead    time.Duration
		hasClock bool
		want     time.Duration // from noon, when it came
	}{
		{"right", -time.Second, 0, true, -1500 * time.Millisecond},
		{"years behind", -years - time.Second, -years, true, -1500 * time.Millisecond},
		{"years ahead", years - 2*time.Second, years, true, -2500 * time.Millisecond},
		{"not known", -time.Second, 0, false, 0},
		{"long ago", -time.Minute, 0, true, 0},
		{"a state of yesterday", -24 * time.Hour, 0, true, 0},
		{"a little later", 600 * time.Millisecond, 0, true, 0},
		{"much later", time.Minute, 0, true, 0},
		{"the clock was set meanwhile", -time.Second, -years, true, 0},
	} {
		e := onvif.Event{At: noon.Add(tt.at)}
		if got := timeOf(e, noon, tt.ahead, tt.hasClock); got.Sub(noon) != tt.want {
			t.Errorf("%s: %v, want %v", tt.name, got.Sub(noon), tt.want)
		}
	}
	if got := timeOf(onvif.Event{}, noon, 0, true); got != noon {
		t.Errorf("without a time: %v", got)
	}
}

// A camera that tells of more than is kept gets no more marks in the hour, one line in the log, and more marks in the next.
func TestTooManyEvents(t *testing.T) {
	b := newBench()
	const alarm = "tns1:VideoSource/MotionAlarm State="
	at := 0.0
	flap := func(n int) {
		for range n {
			b.tell(at, alarm+"true")
			b.tell(at+0.1, alarm+"false")
			at += 0.2
		}
	}
	flap(mostAnHour + 500)
	marks := b.marks()
	if want := fmt.Sprintf("motion %v-%v", 719.8, 819.9); len(marks) != mostAnHour || marks[len(marks)-1] != want {
		t.Errorf("%d marks, the last is %q, want %q", len(marks), marks[len(marks)-1], want)
	}
	if n := strings.Count(b.log.String(), "\n"); n != 1 {
		t.Errorf("the log has %d lines: %s", n, b.log.String())
	}
	at = 3601
	flap(1)
	if n := len(b.marks()); n != mostAnHour+1 {
		t.Errorf("%d marks after the hour", n)
	}
}

// A camera may name as many things as it likes: what is remembered of them is bounded, and so are the marks.
func TestTooManyThings(t *testing.T) {
	seed := rand.Uint64()
	rnd := rand.New(rand.NewPCG(seed, 1))
	b := newBench()
	for i := range 20_000 {
		state := []string{"true", "false", "true", "7"}[rnd.IntN(4)]
		b.tell(float64(i)/100, fmt.Sprintf("tns1:RuleEngine/Odd%d Source=%d State=%s", rnd.IntN(1000), rnd.IntN(1000), state))
	}
	if len(b.tracker.marks) > mostKeys || len(b.marks()) > mostAnHour {
		t.Errorf("seed %d: %d things, %d marks", seed, len(b.tracker.marks), len(b.marks()))
	}
	b.silent()
	for _, m := range b.keeper.queue {
		if m.GoesOn || m.End90k < m.Start90k {
			t.Fatalf("seed %d: %+v", seed, m.Mark)
		}
	}
}

// FuzzTracker: whatever events say, marks are those of the camera, end after they begin, and have a short text.
func FuzzTracker(f *testing.F) {
	f.Add("tns1:VideoSource/MotionAlarm", "State", "true", "Source", "x", "Changed")
	f.Add("tns1:RuleEngine/ä", "IsInside", "1", "Rule", strings.Repeat("ä", 200), "Initialized")
	f.Fuzz(func(t *testing.T, topic, name, value, source, of, operation string) {
		b := newBench()
		e := onvif.Event{Topic: topic, Operation: operation, Source: []onvif.Item{{Name: source, Value: of}}, Data: []onvif.Item{{Name: name, Value: value}}}
		for i := range 3 {
			b.event(e, noon.Add(time.Duration(2-i)*time.Second)) // also backwards
		}
		b.hear(noon)
		b.silent()
		for _, k := range b.keeper.queue {
			m := k.Mark
			if m.Camera != "barn" || m.Kind == "" || len(m.Text) > mostText || m.GoesOn || m.End90k < m.Start90k {
				t.Errorf("%+v", m)
			}
		}
	})
}
