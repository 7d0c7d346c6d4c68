package playback

import (
	"cmp"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"nvrfs/media"
)

// zones returns those with odd clock changes, and some at random.
func zones(t *testing.T, rnd *rand.Rand) []string {
	names := []string{
		"Europe/Berlin", "Australia/Lord_Howe", "America/New_York", "Asia/Kolkata", "UTC", "Pacific/Apia", "Africa/Casablanca",
		"America/Havana", "America/Santiago", "Africa/Cairo", "America/Nuuk", "Asia/Gaza", "Antarctica/Troll", "Asia/Pyongyang",
	}
	root := "/usr/share/zoneinfo"
	var all []string
	for _, area := range []string{"Africa", "America", "Antarctica", "Asia", "Atlantic", "Australia", "Europe", "Indian", "Pacific"} {
		cities, err := os.ReadDir(filepath.Join(root, area))
		if err != nil {
			t.Log("no list of time zones: ", err)
			return names
		}
		for _, c := range cities {
			if !c.IsDir() {
				all = append(all, area+"/"+c.Name())
			}
		}
	}
	for range 30 {
		names = append(names, all[rnd.IntN(len(all))])
	}
	return names
}

// TestNamesSortByTime: wherever, the names of days, of the hours of a day, and of the entries of a camera sort as their times do,
// and what an entry's name says of its time is understood.
func TestNamesSortByTime(t *testing.T) {
	seed := uint64(time.Now().UnixNano())
	t.Logf("seed %d", seed)
	rnd := rand.New(rand.NewPCG(seed, 0))
	for _, zone := range zones(t, rnd) {
		loc := location(t, zone)
		var times []time.Time
		for range 300 { // anywhere from 2011 to 2041
			times = append(times, time.Unix(1_300_000_000+rnd.Int64N(30*365*86400), 0))
		}
		at := time.Unix(1_300_000_000, 0).In(loc)
		for range 100 { // and around clock changes
			_, change := at.ZoneBounds()
			if change.IsZero() {
				break
			}
			for range 20 {
				times = append(times, change.Add(time.Duration(rnd.Int64N(4*3600)-2*3600)*time.Second))
			}
			for _, d := range []time.Duration{-time.Hour, -30 * time.Minute, -time.Second, 0, 30*time.Minute - time.Second, time.Hour - time.Second, time.Hour} {
				times = append(times, change.Add(d))
			}
			at = change.In(loc)
		}
		slices.SortFunc(times, time.Time.Compare)
		times = slices.CompactFunc(times, time.Time.Equal)
		c := calendar{loc: loc}
		var before [3]string
		for i, at := range times {
			at90k := media.FromTime(at)
			day := c.at(at90k)
			hour := day.hour(at90k)
			names := [3]string{day.Name, day.Name + "/" + hour.Name, entryName("cam", at90k, hour, loc, 1)}
			for k := range names {
				if o := cmp.Compare(before[k], names[k]); o > 0 || o == 0 && k == 2 {
					t.Errorf("%s: %s is followed by %s, at %v", zone, before[k], names[k], times[max(0, i-1):i+1])
				}
			}
			before = names
			said := strings.TrimSuffix(strings.TrimPrefix(names[2], "cam_"), ".mp4")
			if got, ok := parseLocal(said, loc); !ok || !got.Equal(at) {
				t.Errorf("%s: %s means %v, %v, want %v", zone, said, got, ok, at)
			}
			if said[hourEnd] < firstPassage {
				continue
			}
			withLetter := said[:len(said)-offsetLen]
			if got, ok := parseLocal(withLetter, loc); !ok || !got.Equal(at) {
				t.Errorf("%s: without the offset, %s means %v, %v, want %v", zone, withLetter, got, ok, at)
			}
			withOffset := at.In(loc).Format(nameFormat + "-0700")
			if got, ok := parseLocal(withOffset, loc); !ok || !got.Equal(at) {
				t.Errorf("%s: without the letter, %s means %v, %v, want %v", zone, withOffset, got, ok, at)
			}
		}
	}
}
