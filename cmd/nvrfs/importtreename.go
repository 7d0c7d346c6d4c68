package main

import (
	"bufio"
	"context"
	"fmt"
	"path/filepath"
	"strings"
	"time"

	"nvrfs/config"
	"nvrfs/recorder/importer"
)

// treeNames finds out by their names of which streams files are, and when they begin.
type treeNames struct {
	im       *importing
	layout   *importer.Layout // nil: only the times in names are known
	loc      *time.Location   // of local times
	zoneSaid bool             // on the command line
	camera   string           // of all files; empty: as the layout says
	renamed  map[string]string

	sources map[string]string // by label: which camera, of which tree, is imported there
	answers map[string]string // by question
}

func newTreeNames(im *importing, loc *time.Location) (n treeNames, err error) {
	n = treeNames{
		im: im, loc: loc, zoneSaid: im.from.zone != "",
		renamed: map[string]string{}, sources: map[string]string{}, answers: map[string]string{},
	}
	for _, given := range im.cameras {
		from, label, renames := strings.Cut(given, "=")
		if !renames {
			from, label = "", given
		}
		if _, _, err := splitLabel(label); err != nil {
			return n, err
		}
		if !renames && (n.camera != "" || len(im.cameras) > 1) {
			return n, usageErrorf("--camera %s: footage of several cameras needs --camera FROM=CAMERA for each", given)
		}
		if renames {
			n.renamed[from] = label
		} else {
			n.camera = label
		}
	}
	if im.pattern != "" {
		p, err := importer.NewPattern(im.pattern)
		if err != nil {
			return n, usageErrorf("--%w", err)
		}
		n.layout = &importer.Layout{Name: "pattern", Patterns: []importer.Pattern{p}}
	}
	for i := range importer.Layouts {
		if importer.Layouts[i].Name == im.layout.value {
			n.layout = &importer.Layouts[i]
		}
	}
	if n.layout == nil && n.camera == "" {
		return n, usageErrorf("whose footage is it? Name the camera, with: --camera CAMERA, or how the recorder names its files, with --layout or --pattern")
	}
	return n, nil
}

// read sets label and start of files, or leaves them out.
func (n *treeNames) read(ctx context.Context, files []*treeFile) error {
	for _, f := range files {
		if f.fate == left {
			continue
		}
		if err := n.readFile(ctx, f); err != nil {
			return err
		}
	}
	return nil
}

func (n *treeNames) readFile(ctx context.Context, f *treeFile) error {
	if n.layout == nil {
		f.label = n.camera
		times, err := timesInName(f.path, n.loc)
		if err != nil {
			f.leave("%v", reasonOf(err, f.path))
			return nil
		}
		return n.choose(ctx, f, times)
	}
	named, ok := n.layout.Read(filepath.ToSlash(f.path))
	if !ok {
		f.leave("its name is none of the layout %s", n.layout.Name)
		return nil
	}
	if f.label, f.reason = n.label(named); f.reason != "" {
		f.fate = left
		return nil
	}
	switch named.Zone {
	case importer.UTC:
		f.start = named.Clock
		return nil
	case importer.Unsaid:
		if known, err := n.askZone(ctx, f); err != nil || !known {
			return err
		}
	}
	times := timesOf(named.Clock, n.loc)
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
		f.leave("the time in its name does not exist %s, where the clocks are set forward then", inZone(n.loc))
		return nil
	case 1:
		f.start = times[0]
		return nil
	}
	answer := n.im.repeated.value
	if answer == "" {
		hour := times[0].In(n.loc).Format("2006-01-02 15:00")
		var err error
		answer, err = n.ask(ctx, fmt.Sprintf("%s: the hour of %s happens twice %s.\nWhich one is meant, \"first\" (%s) or \"second\" (%s)? ",
			f.label, hour, inZone(n.loc), times[0].In(n.loc).Format("-07:00"), times[1].In(n.loc).Format("-07:00")), func(s string) bool {
			return s == "first" || s == "second"
		})
		if err != nil {
			return err
		}
	}
	switch answer {
	case "first":
		f.start = times[0]
	case "second":
		f.start = times[1]
	default:
		f.leave("the time in its name happens twice %s, since the clocks are set back; say which is meant, with: --repeated-hour first, or second", inZone(n.loc))
	}
	return nil
}

// askZone finds out in which time the names of a layout count that does not say it. It leaves the file out where nobody knows.
func (n *treeNames) askZone(ctx context.Context, f *treeFile) (known bool, err error) {
	if n.zoneSaid {
		return true, nil
	}
	zone, err := n.ask(ctx, fmt.Sprintf("The names of this recorder, such as %s,\ndo not say whether their times are local or UTC. In which time zone are they, such as UTC or Europe/Berlin? ", f.path),
		func(s string) bool { _, err := config.LoadTimezone(s); return err == nil })
	if err != nil {
		return false, err
	}
	if zone == "" {
		f.leave("its name does not say whether its time is local or UTC; say it with --timezone UTC, or such as --timezone Europe/Berlin")
		return false, nil
	}
	n.zoneSaid = true
	n.loc, err = config.LoadTimezone(zone)
	return err == nil, err
}

// ask asks a question, once, until the answer is good. It returns an empty one where nobody sits at a terminal.
func (n *treeNames) ask(ctx context.Context, question string, good func(string) bool) (string, error) {
	env := n.im.env
	if answer, asked := n.answers[question]; asked || !env.stdinTerminal || !env.stderrTerminal {
		return answer, nil
	}
	type line struct {
		text string
		err  error
	}
	in := make(chan line, 1)
	if n.im.input == nil {
		n.im.input = bufio.NewReader(env.stdin)
	}
	for {
		fmt.Fprint(env.stderr, question)
		go func() { // until a line comes; when the command is stopped before, the process ends
			text, err := n.im.input.ReadString('\n')
			in <- line{text, err}
		}()
		select {
		case <-ctx.Done():
			return "", ctx.Err()
		case l := <-in:
			answer := strings.TrimSpace(l.text)
			if good(answer) {
				n.answers[question] = answer
				return answer, nil
			}
			if l.err != nil {
				n.answers[question] = ""
				return "", nil
			}
		}
	}
}
