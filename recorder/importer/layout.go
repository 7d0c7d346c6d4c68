package importer

import (
	"fmt"
	"path"
	"regexp"
	"strconv"
	"strings"
	"time"
)

// A Zone says whether the times in the names of a layout are local or in UTC.
type Zone int

const (
	// Local: in the recorder's own time zone.
	Local Zone = iota
	// UTC, wherever the recorder is.
	UTC
	// Unsaid: local or in UTC, as the recorder was set up; its names do not tell which.
	Unsaid
)

// A Layout is how a recorder names its files and directories.
type Layout struct {
	Name     string
	About    string // an example of a name, for people
	Patterns []Pattern
}

// A Pattern is one form of a path's end. Asterisks stand for anything within a name, two of them for any directories as well.
//
//	{camera}                         the name of the camera
//	{stream}                         main or sub, as some recorders write it: main, M or 0; sub, S or 2
//	%Y %y %m %d %H %I %p %M %S       as of strftime
//	%f                               a fraction of a second, of any number of digits
//	%s                               seconds since 1970
//	%z                               Z, or an offset such as +0100
//	%%                               a percent sign
type Pattern struct {
	text string
	zone Zone
	form *regexp.Regexp
	keys []string // what the groups of form are
}

// A Named is what a path says of the file there.
type Named struct {
	Camera string // empty where the layout does not name it
	Stream string // the same
	Root   string // the path before what the layout describes
	Clock  time.Time
	Zone   Zone // of Clock
	Summer bool // the name says that it is in summer time
}

// Layouts are those of known recorders.
var Layouts = []Layout{
	{"frigate", "2026-11-20/14/front/03.10.mp4 (in UTC)", patterns(UTC, "%Y-%m-%d/%H/{camera}/%M.%S", Unsaid, "%Y-%m/%d/%H/{camera}/%M.%S")},
	{"mediamtx", "front/2026-11-20_14-03-10-123456.mp4", patterns(Unsaid, "{camera}/%Y-%m-%d_%H-%M-%S-%f")},
	{
		"dahua", "2026-11-20/001/dav/14/14.03.10-14.05.00[R][0@0][0].mp4, NVR_ch1_main_20261120140310_20261120140500.mp4",
		patterns(Local, "%Y-%m-%d/**/%H.%M.%S-*", Local, "*_{camera}_{stream}_%Y%m%d%H%M%S_*"),
	},
	{"hikvision", "192.168.0.64_01_20261120140310123_TIMING.mp4", patterns(Local, "{camera}_%Y%m%d%H%M%S%f_*")},
	{"unifi", "E063DA3FEC8C_0_rotating_2026-11-20T14.03.10Z.mp4 (remuxed)", patterns(UTC, "{camera}_{stream}_rotating_%Y-%m-%dT%H.%M.%S%z")},
	{"wyze", "20261120/14/03.mp4", patterns(Local, "%Y%m%d/%H/%M")},
	{
		"reolink", "front_01_20261120140310.mp4, RecM01_20261120_140310_140500_6D28808_1A468F9.mp4",
		patterns(Local, "{camera}_%Y%m%d%H%M%S", Local, "Rec{stream}*_{summer}%Y%m%d_%H%M%S_*", Local, "Rec{stream}*_%Y%m%d_%H%M%S_*"),
	},
	{"synology", "front-20261120-140310-1795179790.mp4", patterns(Local, "{camera}-%Y%m%d-%H%M%S-%s", Local, "{camera}%Y%m%d-%H%M%S-%s")},
	{"blueiris", "front.20261120_140310.mp4", patterns(Local, "{camera}.%Y%m%d_%H%M%S", Local, "{camera}.%Y%m%d_%H%M%S.*")},
}

// patterns makes patterns of pairs of a zone and a text.
func patterns(pairs ...any) (list []Pattern) {
	for i := 0; i < len(pairs); i += 2 {
		p, err := NewPattern(pairs[i+1].(string))
		if err != nil {
			panic(err) // it is in the list above
		}
		p.zone = pairs[i].(Zone)
		list = append(list, p)
	}
	return list
}

// placeholders are what a pattern may hold, and the form of what they stand for.
var placeholders = map[string]string{
	"{camera}": `[^/]+?`, "{stream}": `main|sub|[MS02]`, "{summer}": `DST`,
	"%Y": `(?:19|20)\d\d`, "%y": `\d\d`, "%m": `0[1-9]|1[0-2]`, "%d": `0[1-9]|[12]\d|3[01]`,
	"%H": `[01]\d|2[0-3]`, "%I": `0[1-9]|1[0-2]`, "%p": `[AaPp][Mm]`, "%M": `[0-5]\d`, "%S": `[0-5]\d`,
	"%f": `\d{1,9}`, "%s": `\d{9,10}`, "%z": `Z|[+-]\d\d:?\d\d`,
}

var token = regexp.MustCompile(`\{\w*\}|%.|\*\*/|\*+|\?`)

// NewPattern makes a pattern. Its times are local, unless it says otherwise. The ending of a file's name may be left out.
func NewPattern(text string) (Pattern, error) {
	p := Pattern{text: text}
	body := strings.TrimPrefix(path.Clean(text), "/")
	if ending := path.Ext(body); strings.EqualFold(ending, ".mp4") || strings.EqualFold(ending, ".mov") || strings.EqualFold(ending, ".m4v") {
		body = strings.TrimSuffix(body, ending)
	}
	var form strings.Builder
	form.WriteString(`^((?:.*/)?)`)
	seen, last := map[string]bool{}, 0
	for _, at := range token.FindAllStringIndex(body, -1) {
		form.WriteString(regexp.QuoteMeta(body[last:at[0]]))
		switch word := body[at[0]:at[1]]; {
		case placeholders[word] != "" && !seen[word]:
			form.WriteString("(" + placeholders[word] + ")")
			p.keys, seen[word] = append(p.keys, word), true
		case placeholders[word] != "": // such as the day, once more in the file's name
			form.WriteString("(?:" + placeholders[word] + ")")
		case word == "%%":
			form.WriteString("%")
		case word == "**/":
			form.WriteString(`(?:.*/)?`)
		case word == "*":
			form.WriteString(`[^/]*?`)
		case word == "?":
			form.WriteString(`[^/]`)
		default:
			return p, fmt.Errorf("pattern %q: %q is not known; it may hold {camera}, {stream}, %%Y, %%y, %%m, %%d, %%H, %%I, %%p, %%M, %%S, %%f, %%s, %%z, ? and *, and **/ for any directories", text, word)
		}
		last = at[1]
	}
	form.WriteString(regexp.QuoteMeta(body[last:]) + `\.(?i:mp4|mov|m4v)$`)
	hour := seen["%H"] || seen["%I"] && seen["%p"]
	if !seen["%s"] && !((seen["%Y"] || seen["%y"]) && seen["%m"] && seen["%d"] && hour) {
		return p, fmt.Errorf("pattern %q: it does not say year, month, day and hour; want such as %%Y-%%m-%%d/%%H/%%M.%%S, or %%s", text)
	}
	var err error
	p.form, err = regexp.Compile(form.String())
	return p, err
}

// Read returns what a path says. It reports false when the path is not of the pattern's form.
func (p *Pattern) Read(file string) (n Named, ok bool) {
	groups := p.form.FindStringSubmatch(file)
	if groups == nil {
		return n, false
	}
	n.Root, n.Zone = groups[1], p.zone
	value := map[string]string{}
	for i, key := range p.keys {
		value[key] = groups[i+2]
	}
	number := func(key string) int {
		v, _ := strconv.Atoi(value[key]) //nolint:errcheck // they are digits, or nothing
		return v
	}
	n.Camera, n.Summer = value["{camera}"], value["{summer}"] != ""
	n.Stream = map[string]string{"main": "main", "M": "main", "0": "main", "sub": "sub", "S": "sub", "2": "sub"}[value["{stream}"]]
	fraction, _ := strconv.Atoi((value["%f"] + "000000000")[:9]) //nolint:errcheck // nine digits
	if value["%s"] != "" {
		n.Clock, n.Zone = time.Unix(int64(number("%s")), int64(fraction)).UTC(), UTC
		return n, true
	}
	year, hour := number("%Y"), number("%H")
	if value["%Y"] == "" {
		year = 2000 + number("%y")
	}
	if value["%I"] != "" && value["%H"] == "" {
		if hour = number("%I") % 12; strings.EqualFold(value["%p"], "pm") {
			hour += 12
		}
	}
	n.Clock = time.Date(year, time.Month(number("%m")), number("%d"), hour, number("%M"), number("%S"), fraction, time.UTC)
	if n.Clock.Day() != number("%d") { // such as 31 November
		return n, false
	}
	if zone := strings.ReplaceAll(value["%z"], ":", ""); zone != "" {
		n.Zone = UTC
		if zone != "Z" {
			at, err := time.Parse("-0700", zone)
			if err != nil {
				return n, false
			}
			_, offset := at.Zone()
			n.Clock = n.Clock.Add(-time.Duration(offset) * time.Second)
		}
	}
	return n, true
}

// Read returns what a path says by the first of the layout's patterns that it fits.
func (l *Layout) Read(file string) (n Named, ok bool) {
	for i := range l.Patterns {
		if n, ok := l.Patterns[i].Read(file); ok {
			return n, true
		}
	}
	return n, false
}
