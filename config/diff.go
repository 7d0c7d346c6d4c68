package config

// A Difference says in what two configurations differ.
type Difference struct {
	Streams []StreamChange // in the order of the new file, then those that are gone in the order of the old
	Events  []string       // cameras that are asked for events at another address, or as another user, or no longer or only now
	Retain  bool           // the limits of all footage together, or the free space of each disk, differ
	// Restart names the settings that differ and that only a restart applies: "data", "mount" and the like.
	Restart []string
}

// None reports whether nothing differs.
func (d Difference) None() bool {
	return len(d.Streams) == 0 && len(d.Events) == 0 && !d.Retain && len(d.Restart) == 0
}

// A StreamChange is a stream that is new, gone or changed.
type StreamChange struct {
	Camera, Name string
	Old, New     *Stream // Old is nil for a stream that is new, New for one that is gone
}

// Source reports whether the URL, the transport or the certificate of the stream changed.
func (c StreamChange) Source() bool {
	return c.Old == nil || c.New == nil || !c.Old.URL.Equal(c.New.URL) || c.Old.Transport != c.New.Transport || c.Old.Fingerprint != c.New.Fingerprint
}

// Samples reports whether the stream changed to another directory for its sample files.
func (c StreamChange) Samples() bool {
	return c.Old == nil || c.New == nil || c.Old.Samples != c.New.Samples
}

// Retain reports whether the limits of the stream changed.
func (c StreamChange) Retain() bool {
	return c.Old == nil || c.New == nil || c.Old.Retain != c.New.Retain
}

// Device reports whether the serial number or the endpoint of the camera changed.
func (c StreamChange) Device() bool {
	return c.Old == nil || c.New == nil || c.Old.Device != c.New.Device
}

// Diff returns in what the configuration latter differs from former. URLs whose secrets were not looked for count as equal.
func Diff(former, latter *Config) Difference {
	return Difference{
		Streams: diffStreams(former, latter),
		Events:  diffEvents(former, latter),
		Retain:  former.Retain != latter.Retain,
		Restart: diffSettings(former, latter),
	}
}

type streamName struct{ camera, name string }

func (c *Config) byName() map[streamName]*Stream {
	streams := map[streamName]*Stream{}
	for i := range c.Cameras {
		for j := range c.Cameras[i].Streams {
			s := &c.Cameras[i].Streams[j]
			streams[streamName{c.Cameras[i].Name, s.Name}] = s
		}
	}
	return streams
}

func diffStreams(former, latter *Config) (changes []StreamChange) {
	before, after := former.byName(), latter.byName()
	for _, c := range latter.Cameras {
		for _, s := range c.Streams {
			key := streamName{c.Name, s.Name}
			change := StreamChange{Camera: c.Name, Name: s.Name, Old: before[key], New: after[key]}
			if change.Source() || change.Samples() || change.Retain() || change.Device() {
				changes = append(changes, change)
			}
		}
	}
	for _, c := range former.Cameras {
		for _, s := range c.Streams {
			key := streamName{c.Name, s.Name}
			if after[key] == nil {
				changes = append(changes, StreamChange{Camera: c.Name, Name: s.Name, Old: before[key]})
			}
		}
	}
	return changes
}

// diffEvents names the cameras that are in both configurations and whose onvif differs.
func diffEvents(former, latter *Config) (names []string) {
	before := map[string]URL{}
	for _, c := range former.Cameras {
		before[c.Name] = c.ONVIF
	}
	for _, c := range latter.Cameras {
		if was, ok := before[c.Name]; ok && !was.Equal(c.ONVIF) {
			names = append(names, c.Name)
		}
	}
	return names
}

func diffSettings(former, latter *Config) (names []string) {
	for _, setting := range []struct {
		name   string
		differ bool
	}{
		{"data", former.Data != latter.Data},
		{"mount", former.Mount != latter.Mount},
		{"timezone", former.Timezone.String() != latter.Timezone.String()}, // read twice, a zone is two pointers
		{"http", former.HTTP != latter.HTTP},
		{"cache", former.Cache != latter.Cache},
		{"recording", former.Recording != latter.Recording},
	} {
		if setting.differ {
			names = append(names, setting.name)
		}
	}
	return names
}
