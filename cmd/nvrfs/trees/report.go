package trees

import (
	"cmp"
	"fmt"
	"regexp"
	"slices"
	"time"

	"nvrfs/media"
	"nvrfs/recorder/importer"
)

// The results of a Row.
const (
	WouldImport  = "would be imported"
	Imported     = "imported"
	ThereAlready = "there already"
	NotTaken     = "not taken"
	LeftOut      = "left out of it" // of files that are imported
)

// A Row is all files of a camera that had the same fate, for the same reason.
type Row struct {
	Camera string     `json:"camera,omitempty"` // as in the mount
	Result string     `json:"result"`           // one of those above
	Reason string     `json:"reason,omitempty"`
	Files  int64      `json:"files"`
	Bytes  int64      `json:"bytes"` // of samples
	From   *time.Time `json:"from,omitempty"`
	To     *time.Time `json:"to,omitempty"`
	Paths  []string   `json:"paths,omitempty"` // of what was not taken

	Span  importer.Span `json:"-"`
	order int
}

var digits = regexp.MustCompile(`\d+`)

// rows groups files by fate and reason. Reasons that differ only in their numbers count as one.
func (t *treeImport) rows() []Row {
	results := map[fate]string{planned: WouldImport, taken: Imported, thereAlready: ThereAlready, left: NotTaken}
	known := map[string]*Row{}
	var rows []*Row
	add := func(order int, f *treeFile, camera, result, reason string) *Row {
		key := fmt.Sprint(order, "\x00", camera, "\x00", digits.ReplaceAllString(reason, "0"))
		r := known[key]
		if r == nil {
			r = &Row{Camera: camera, Result: result, Reason: reason, order: order}
			known[key], rows = r, append(rows, r)
		}
		r.Files++
		return r
	}
	for _, f := range t.files {
		if f.fate == planned && !t.DryRun {
			f.leave("the import ended before it; run it again")
		}
		r := add(int(f.fate), f, f.label, results[f.fate], f.reason)
		if f.fate == left {
			r.Paths = append(r.Paths, f.Path)
			continue
		}
		r.Bytes += f.Bytes
		if r.Files == 1 {
			r.Span = f.Span
		}
		r.Span = importer.Span{From90k: min(r.Span.From90k, f.Span.From90k), To90k: max(r.Span.To90k, f.Span.To90k)}
		for _, part := range f.parts {
			add(int(left)+1, f, f.label, LeftOut, part)
		}
	}
	for _, r := range rows {
		if r.Span.To90k > 0 {
			from, to := media.ToTime(r.Span.From90k).In(t.Location), media.ToTime(r.Span.To90k).In(t.Location)
			r.From, r.To = &from, &to
		}
	}
	slices.SortStableFunc(rows, func(a, b *Row) int {
		return cmp.Or(cmp.Compare(a.order, b.order), cmp.Compare(a.Camera, b.Camera))
	})
	list := make([]Row, len(rows))
	for i, r := range rows {
		list[i] = *r
	}
	return list
}

// CountNotTaken counts the files that were not taken, and all files.
func CountNotTaken(rows []Row) (n, all int64) {
	for _, r := range rows {
		if r.Result == LeftOut {
			continue // they are counted as what else became of them
		}
		all += r.Files
		if r.Result == NotTaken {
			n += r.Files
		}
	}
	return n, all
}
