package trees

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"strings"
	"time"

	"nvrfs/cmd/nvrfs/clock"
	"nvrfs/config"
	"nvrfs/recorder/importer"
)

// treeNames finds out from the names of files which stream each is of, and when it begins.
type treeNames struct {
	Options
	layout  *importer.Layout // nil: only the times in names are known
	camera  string           // of all files; empty: as the layout says
	renamed map[string]string

	sources map[string]string // by label: which camera, of which tree, is imported there
	answers map[string]string // by question
}

func newTreeNames(o Options) (n treeNames, err error) {
	n = treeNames{
		Options: o,
		renamed: map[string]string{}, sources: map[string]string{}, answers: map[string]string{},
	}
	for _, given := range o.Cameras {
		from, label, renames := strings.Cut(given, "=")
		if !renames {
			from, label = "", given
		}
		if _, _, err := SplitLabel(label); err != nil {
			return n, usageErrorf("--camera %s: %w", given, err)
		}
		if !renames && (n.camera != "" || len(o.Cameras) > 1) {
			return n, usageErrorf("--camera %s: footage of several cameras needs --camera FROM=CAMERA for each", given)
		}
		if renames {
			n.renamed[from] = label
		} else {
			n.camera = label
		}
	}
	if o.Pattern != "" {
		p, err := importer.NewPattern(o.Pattern)
		if err != nil {
			return n, usageErrorf("--%w", err)
		}
		n.layout = &importer.Layout{Name: "pattern", Patterns: []importer.Pattern{p}}
	}
	var known []string
	for i := range importer.Layouts {
		known = append(known, importer.Layouts[i].Name)
		if importer.Layouts[i].Name == o.Layout {
			n.layout = &importer.Layouts[i]
		}
	}
	if o.Layout != "" && n.layout == nil {
		return n, usageErrorf("--layout %s: want %s, or --pattern", o.Layout, strings.Join(known, ", "))
	}
	if n.layout == nil && n.camera == "" {
		return n, usageErrorf("whose footage is it? Name the camera, with: --camera CAMERA, or how the recorder names its files, with --layout or --pattern")
	}
	return n, nil
}

// readFile sets label and start of a file, or leaves it out.
func (n *treeNames) readFile(ctx context.Context, f *treeFile) error {
	if n.layout == nil {
		f.label = n.camera
		times, err := clock.AllInName(f.Path, n.Location)
		if errors.Is(err, clock.ErrNoTime) { // --start is for files that are named one by one
			f.leave("%v; say how the names are made, with: --pattern, or import it alone, with: --start TIME", clock.ErrNoTime)
			return nil
		}
		if err != nil {
			f.leave("%v", reasonOf(err, f.Path))
			return nil
		}
		return n.choose(ctx, f, times)
	}
	named, ok := n.layout.Read(filepath.ToSlash(f.Path))
	if !ok {
		if n.Pattern != "" {
			f.leave("its name does not match --pattern")
		} else {
			f.leave("its name is none of the layout %s", n.layout.Name)
		}
		return nil
	}
	if f.label, f.reason = n.label(named); f.reason != "" {
		f.fate = left
		return nil
	}
	switch named.Zone {
	case importer.UTC:
		f.Start = named.Clock
		return nil
	case importer.Unsaid:
		if known, err := n.askZone(ctx, f); err != nil || !known {
			return err
		}
	}
	times := clock.TimesOf(named.Clock, n.Location)
	if named.Summer && len(times) == 2 {
		times = times[:1]
	}
	return n.choose(ctx, f, times)
}

// label returns the stream of which a file is, or why it cannot be taken.
func (n *treeNames) label(named importer.Named) (label, why string) {
	label = n.renamed[named.Camera]
	switch {
	case label != "":
	case n.camera != "":
		label = n.camera
	case named.Camera == "":
		return "", "its name does not say of which camera it is; say it with: --camera CAMERA"
	default:
		if label = cleanName(named.Camera); config.CheckName(label) != nil {
			return "", fmt.Sprintf("a camera of nvrfs cannot be called %.80q; rename it with: --camera '%s=CAMERA'", named.Camera, named.Camera)
		}
	}
	if named.Stream != "" && named.Stream != "main" && !strings.Contains(label, ".") {
		label += "." + named.Stream
	}
	if named.Camera == "" {
		return label, ""
	}
	source := named.Root + " " + named.Camera
	if other, known := n.sources[label]; known && other != source {
		return "", fmt.Sprintf("it is of another camera than the files that become %s; rename it with: --camera '%s=CAMERA', or import each by itself", label, named.Camera)
	}
	n.sources[label] = source
	return label, ""
}

// cleanName makes the name of a camera of nvrfs from another recorder's.
func cleanName(name string) string {
	words := strings.FieldsFunc(name, func(r rune) bool {
		return !('a' <= r && r <= 'z' || 'A' <= r && r <= 'Z' || '0' <= r && r <= '9' || r == '-' || r == '_')
	})
	return strings.TrimLeft(strings.Join(words, "-"), "-_")
}

// choose sets the start of a file to one of the times that its name may mean.
func (n *treeNames) choose(ctx context.Context, f *treeFile, times []time.Time) error {
	switch len(times) {
	case 0:
		f.leave("the time in its name does not exist %s, where the clocks are set forward then", clock.InZone(n.Location))
		return nil
	case 1:
		f.Start = times[0]
		return nil
	}
	answer := n.Repeated
	if answer == "" {
		hour := times[0].In(n.Location).Format("2006-01-02 15:00")
		var err error
		answer, err = n.ask(ctx, fmt.Sprintf("%s: the hour of %s happens twice %s.\nWhich one is meant, \"first\" (%s) or \"second\" (%s)? ",
			f.label, hour, clock.InZone(n.Location), times[0].In(n.Location).Format("-07:00"), times[1].In(n.Location).Format("-07:00")), func(s string) bool {
			return s == "first" || s == "second"
		})
		if err != nil {
			return err
		}
	}
	switch answer {
	case "first":
		f.Start = times[0]
	case "second":
		f.Start = times[1]
	default:
		f.leave("the time in its name happens twice %s, since the clocks are set back; say which is meant, with: --repeated-hour first, or second", clock.InZone(n.Location))
	}
	return nil
}

// askZone asks whether the times of a layout are local or in UTC, where the layout does not say. Where nobody answers, the file is left out.
func (n *treeNames) askZone(ctx context.Context, f *treeFile) (known bool, err error) {
	if n.ZoneSaid {
		return true, nil
	}
	zone, err := n.ask(ctx, fmt.Sprintf("The names of this recorder, such as %s,\ndo not say whether their times are local or UTC. In which time zone are they, such as UTC or Europe/Berlin? ", f.Path),
		func(s string) bool { _, err := config.LoadTimezone(s); return err == nil })
	if err != nil {
		return false, err
	}
	if zone == "" {
		f.leave("its name does not say whether its time is local or UTC; say it with --timezone UTC, or such as --timezone Europe/Berlin")
		return false, nil
	}
	n.ZoneSaid = true
	n.Location, err = config.LoadTimezone(zone)
	return err == nil, err
}

// ask asks a question, once.
func (n *treeNames) ask(ctx context.Context, question string, good func(string) bool) (string, error) {
	if answer, asked := n.answers[question]; asked {
		return answer, nil
	}
	answer, err := n.Ask(ctx, question, good)
	if err == nil {
		n.answers[question] = answer
	}
	return answer, err
}

// SplitLabel returns the camera and the stream that a label names.
func SplitLabel(label string) (camera, stream string, err error) {
	camera, stream, named := strings.Cut(label, ".")
	if !named || stream == "main" { // whose label is the camera's name
		camera, stream = label, "main"
	}
	return camera, stream, cmp.Or(config.CheckName(camera), config.CheckStreamName(stream))
}

// LayoutNames lists the layouts that there are.
func LayoutNames() (names []string) {
	for _, l := range importer.Layouts {
		names = append(names, l.Name)
	}
	return names
}

// LayoutsHelp has, for each layout, a line or more with its name and examples.
func LayoutsHelp() string {
	var help strings.Builder
	for _, l := range importer.Layouts {
		fmt.Fprintf(&help, "  %-10s %s\n", l.Name, strings.ReplaceAll(l.About, ".mp4, ", ".mp4\n             "))
	}
	return help.String()
}
