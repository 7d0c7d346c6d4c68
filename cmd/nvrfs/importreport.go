package main

import (
	"cmp"
	"encoding/json"
	"fmt"
	"regexp"
	"slices"
	"strings"
	"text/tabwriter"
	"time"

	"nvrfs/media"
	"nvrfs/recorder/importer"
)

// A treeRow is files of a tree of which the same became.
type treeRow struct {
	Camera string     `json:"camera,omitempty"` // as in the mount
	Result string     `json:"result"`           // "imported", "would be imported", "there already", "not taken" or "left out of it"
	Reason string     `json:"reason,omitempty"`
	Files  int64      `json:"files"`
	Bytes  int64      `json:"bytes"` // of samples
	From   *time.Time `json:"from,omitempty"`
	To     *time.Time `json:"to,omitempty"`
	Paths  []string   `json:"paths,omitempty"` // of what was not taken

	span  importer.Span
	order int
}

var digits = regexp.MustCompile(`\d+`)

// rows groups files by what became of them, and why; reasons that differ by numbers alone are one.
func (t *treeImport) rows() []*treeRow {
	results := map[fate]string{planned: "would be imported", taken: "imported", thereAlready: "there already", left: "not taken"}
	known := map[string]*treeRow{}
	var rows []*treeRow
	add := func(order int, f *treeFile, camera, result, reason string) *treeRow {
		key := fmt.Sprint(order, "\x00", camera, "\x00", digits.ReplaceAllString(reason, "0"))
		r := known[key]
		if r == nil {
			r = &treeRow{Camera: camera, Result: result, Reason: reason, order: order}
			known[key], rows = r, append(rows, r)
		}
		r.Files++
		return r
	}
	for _, f := range t.files {
		if f.fate == planned && !t.dryRun {
			f.leave("the import ended before it; run it again")
		}
		r := add(int(f.fate), f, f.label, results[f.fate], f.reason)
		if f.fate == left {
			r.Paths = append(r.Paths, f.path)
			continue
		}
		r.Bytes += f.bytes
		if r.Files == 1 {
			r.span = f.span
		}
		r.span = importer.Span{From90k: min(r.span.From90k, f.span.From90k), To90k: max(r.span.To90k, f.span.To90k)}
		for _, part := range f.parts {
			add(int(left)+1, f, f.label, "left out of it", part)
		}
	}
	for _, r := range rows {
		if r.span.To90k > 0 {
			from, to := media.ToTime(r.span.From90k).In(t.cfg.Timezone), media.ToTime(r.span.To90k).In(t.cfg.Timezone)
			r.From, r.To = &from, &to
		}
	}
	slices.SortStableFunc(rows, func(a, b *treeRow) int {
		return cmp.Or(cmp.Compare(a.order, b.order), cmp.Compare(a.Camera, b.Camera))
	})
	return rows
}

// report prints what became of the files.
func (t *treeImport) report() error {
	rows := t.rows()
	if t.json {
		e := json.NewEncoder(t.env.stdout)
		e.SetIndent("", "  ")
		return e.Encode(rows)
	}
	w := tabwriter.NewWriter(t.env.stdout, 0, 0, 2, ' ', 0)
	fmt.Fprintln(w, "CAMERA\tFILES\tSIZE\tFROM\tTO\tRESULT")
	for _, r := range rows {
		size, from, to, result := "-", "-", "-", r.Result
		if r.From != nil {
			size, from, to = humanBytes(r.Bytes), localTime(r.span.From90k, t.cfg.Timezone), localTime(r.span.To90k, t.cfg.Timezone)
		}
		if r.Reason != "" {
			result += ": " + strings.Join(strings.Fields(r.Reason), " ")
		}
		if len(r.Paths) > 0 {
			result += fmt.Sprintf(" (such as %s)", r.Paths[0])
		}
		fmt.Fprintf(w, "%s\t%d\t%s\t%s\t%s\t%s\n", cmp.Or(r.Camera, "-"), r.Files, size, from, to, result)
	}
	return w.Flush()
}
