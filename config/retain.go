package config

import (
	"fmt"
	"strconv"
	"strings"
	"time"
)

// bytesExample is an example of a good value, for messages.
const bytesExample = "500GB"

// Limits say how much of a stream's footage is kept. A field that is zero sets no limit.
type Limits struct {
	Age   time.Duration
	Bytes int64
	// AtLeast is how long the newest footage of the stream lasts that is not deleted for the free space of its disk. Age and Bytes
	// outrank it.
	AtLeast time.Duration
}

// MinFree is how much of a disk is left free: a number of bytes, or a part of the whole.
type MinFree struct {
	Bytes int64
	Part  float64 // 0.05 is 5 %
}

// Retain says how much of all footage is kept.
type Retain struct {
	Bytes   int64         // 0 is no limit
	MinFree MinFree       // of each disk with sample files
	AtLeast time.Duration // how much footage each stream keeps even on a full disk; default defaultAtLeast
}

// defaultAtLeast is how much footage a stream keeps on a full disk unless the configuration says otherwise: enough to look at what
// happened just now, and less than even a small card has room for.
const defaultAtLeast = time.Hour

func (r Retain) read(v yamlValue) (Retain, error) {
	f := v.fields("bytes", "min_free", "at_least")
	optional(f, "bytes", &r.Bytes, readBytes)
	optional(f, "min_free", &r.MinFree, readMinFree)
	optional(f, "at_least", &r.AtLeast, readKeep)
	return r, f.err
}

// readLimits reads how much footage of a camera is kept.
func readLimits(v yamlValue) (l Limits, err error) {
	f := v.fields("days", "bytes", "at_least")
	l.AtLeast = unsaid
	optional(f, "days", &l.Age, readDays)
	optional(f, "bytes", &l.Bytes, readBytes)
	optional(f, "at_least", &l.AtLeast, readKeep)
	if f.err == nil && l.Age > 0 && l.AtLeast > l.Age {
		f.err = f.values["at_least"].errorf("%s is more than the %s of days, after which footage is deleted; want less, or more days", brief(l.AtLeast), brief(l.Age))
	}
	return l, f.err
}

// unsaid stands for the at_least of all cameras, in the limits of a camera that has no at_least of its own.
const unsaid = -1

// withDefault returns limits with the at_least of all cameras, if they have none of their own.
func withDefault(l Limits, atLeast time.Duration) Limits {
	if l.AtLeast == unsaid {
		l.AtLeast = atLeast
	}
	return l
}

// readKeep reads how long footage is kept: a duration, or days.
func readKeep(v yamlValue) (time.Duration, error) {
	const want = "a stretch of time up to 3650d, such as 90m, 24h or 7d, or 0 for none"
	text, err := v.number(want)
	if err != nil {
		return 0, err
	}
	var d time.Duration
	if digits, ok := strings.CutSuffix(text, "d"); ok {
		var days float64
		days, err = strconv.ParseFloat(digits, 64)
		if !(days >= 0 && days <= 3650) {
			return 0, v.errorf("%q; want %s", text, want)
		}
		d = time.Duration(days * 24 * float64(time.Hour))
	} else {
		d, err = time.ParseDuration(text)
	}
	if err != nil || d < 0 || d > 3650*24*time.Hour {
		return 0, v.errorf("%q; want %s", text, want)
	}
	return d, nil
}

func readDays(v yamlValue) (time.Duration, error) {
	const want = "a number of days from 0.01 to 36500, such as 30"
	text, err := v.number(want)
	if err != nil {
		return 0, err
	}
	days, err := strconv.ParseFloat(text, 64)
	if err != nil || days < 0.01 || days > 36500 {
		return 0, v.errorf("%q; want %s", text, want)
	}
	return time.Duration(days * 24 * float64(time.Hour)), nil
}

func readBytes(v yamlValue) (int64, error) {
	text, err := v.number("a size such as " + bytesExample)
	if err != nil {
		return 0, err
	}
	n, err := parseBytes(text)
	if err != nil {
		return 0, v.errorf("%w", err)
	}
	return n, nil
}

// units are what sizes are counted in.
var units = []struct {
	name  string
	bytes float64
}{
	{"KiB", 1 << 10},
	{"MiB", 1 << 20},
	{"GiB", 1 << 30},
	{"TiB", 1 << 40},
	{"kB", 1e3},
	{"KB", 1e3},
	{"MB", 1e6},
	{"GB", 1e9},
	{"TB", 1e12},
	{"B", 1},
}

// parseBytes reads a size: a number and a unit, in powers of 1000 (GB) or of 1024 (GiB).
func parseBytes(s string) (int64, error) {
	for _, u := range units {
		digits, ok := strings.CutSuffix(s, u.name)
		if !ok {
			continue
		}
		if n, err := strconv.ParseFloat(strings.TrimSpace(digits), 64); err == nil && n > 0 && n*u.bytes >= 1 && n*u.bytes < 1<<62 {
			return int64(n * u.bytes), nil
		}
		break
	}
	return 0, fmt.Errorf("%q is no size; want a number and a unit, such as %s or 1.5TiB", s, bytesExample)
}

// readMinFree reads a size, or a part of the disk in percent.
func readMinFree(v yamlValue) (m MinFree, err error) {
	const want = "a part of the disk such as 5%, or a size such as 20GB"
	text, err := v.number(want)
	if err != nil {
		return m, err
	}
	if digits, ok := strings.CutSuffix(text, "%"); ok {
		percent, err := strconv.ParseFloat(strings.TrimSpace(digits), 64)
		if err != nil || percent < 0 || percent > 90 {
			return m, v.errorf("%q; want %s", text, want)
		}
		return MinFree{Part: percent / 100}, nil
	}
	if m.Bytes, err = parseBytes(text); err != nil {
		return m, v.errorf("%q; want %s", text, want)
	}
	return m, nil
}
