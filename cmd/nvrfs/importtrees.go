package main

import (
	"bufio"
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"text/tabwriter"

	"nvrfs/cmd/nvrfs/trees"
	"nvrfs/config"
	"nvrfs/recorder/importer"
)

// trees imports trees of files, or says what it would take of them.
func (im *importing) trees(ctx context.Context, paths []string) error {
	cfg, err := im.configuration()
	if err != nil {
		return err
	}
	if !im.dryRun {
		if err := im.checkData(cfg.Data); err != nil {
			return err
		}
	}
	answers := &answers{env: im.env}
	rows, err := trees.Import(ctx, trees.Options{
		Paths: paths, Layout: im.layout, Pattern: im.pattern, Cameras: im.cameras, Repeated: im.repeated.value,
		Location: cfg.Timezone, ZoneSaid: im.from.zone != "", Data: cfg.Data, DryRun: im.dryRun,
		To: func(camera, stream string, files []importer.Plan) importer.Options {
			return im.options(cfg, camera, stream, files)
		},
		Room: checkRoom, Ask: answers.ask,
		Progress: func(what string, total int64, bytes bool) trees.Progress {
			if bytes {
				return im.env.newByteProgress(what, total)
			}
			return im.env.newCountProgress(what, total)
		},
	})
	if errors.Is(err, trees.ErrUsage) {
		return &usageError{err}
	}
	err = explainAway(err)
	if len(rows) > 0 {
		err = errors.Join(err, im.printRows(rows, cfg))
	}
	if n, all := trees.CountNotTaken(rows); err == nil && n > 0 {
		err = fmt.Errorf("%s of %d not taken, for the reasons in the table", counted(n, "file"), all)
	}
	return err
}

// printRows prints what became of the files.
func (im *importing) printRows(rows []trees.Row, cfg *config.Config) error {
	if im.json {
		e := json.NewEncoder(im.env.stdout)
		e.SetIndent("", "  ")
		return e.Encode(rows)
	}
	w := tabwriter.NewWriter(im.env.stdout, 0, 0, 2, ' ', 0)
	fmt.Fprintln(w, "CAMERA\tFILES\tSIZE\tFROM\tTO\tRESULT")
	for _, r := range rows {
		size, from, to, result := "-", "-", "-", r.Result
		if r.From != nil {
			size, from, to = humanBytes(r.Bytes), localTime(r.Span.From90k, cfg.Timezone), localTime(r.Span.To90k, cfg.Timezone)
		}
		if r.Reason != "" {
			result += ": " + strings.Join(strings.Fields(r.Reason), " ")
		}
		if len(r.Paths) > 0 {
			such := "such as "
			if r.Files == 1 {
				such = ""
			}
			result += fmt.Sprintf(" (%s%s)", such, r.Paths[0])
		}
		fmt.Fprintf(w, "%s\t%d\t%s\t%s\t%s\t%s\n", cmp.Or(r.Camera, "-"), r.Files, size, from, to, result)
	}
	return w.Flush()
}

// answers asks whoever sits at the terminal.
type answers struct {
	env   *environment
	lines *bufio.Reader
}

// ask asks a question until the answer is good. It returns an empty one where nobody sits there, or nobody answers any more.
func (a *answers) ask(ctx context.Context, question string, good func(string) bool) (string, error) {
	if !a.env.stdinTerminal || !a.env.stderrTerminal {
		return "", nil
	}
	if a.lines == nil {
		a.lines = bufio.NewReader(a.env.stdin)
	}
	for {
		fmt.Fprint(a.env.stderr, question)
		type line struct {
			text string
			err  error
		}
		in := make(chan line, 1)
		go func() { // until a line comes; when the command is stopped before that, the process ends
			text, err := a.lines.ReadString('\n')
			in <- line{text, err}
		}()
		select {
		case <-ctx.Done():
			return "", ctx.Err()
		case l := <-in:
			if answer := strings.TrimSpace(l.text); good(answer) {
				return answer, nil
			}
			if l.err != nil {
				return "", nil
			}
		}
	}
}
