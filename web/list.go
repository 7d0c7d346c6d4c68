package web

import (
	"encoding/json"
	"html/template"
	"net/http"
	"strings"
	"time"

	"nvrfs/playback"
)

// item is a line of a listing.
type item struct {
	Name  string     `json:"name"` // a directory's ends in a slash
	Size  int64      `json:"size,omitempty"`
	Start *time.Time `json:"start,omitempty"`
	End   *time.Time `json:"end,omitempty"`
	ETag  string     `json:"etag,omitempty"`
}

func spanItems(spans []playback.Span) (items []item) {
	for _, s := range spans {
		items = append(items, item{Name: s.Name + "/"})
	}
	return items
}

func entryItem(e *playback.Entry, loc *time.Location) item {
	start, end := e.Start.In(loc), e.End.In(loc)
	return item{Name: e.Name, Size: e.Size, Start: &start, End: &end, ETag: e.ETag}
}

var page = template.Must(template.New("").Parse(`<!doctype html>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width">
<title>{{.Path}}</title>
<style>body{font:1rem/1.6 system-ui,sans-serif;margin:1.5rem}td{padding-right:1.5rem}</style>
<h1>{{.Path}}</h1>
<table>{{if ne .Path "/"}}
<tr><td><a href="../">..</a></td></tr>{{end}}{{range .Items}}
<tr><td><a href="{{.Name}}">{{.Name}}</a></td>{{if .End}}<td>{{.Size}} bytes</td><td>until {{.End.Format "15:04:05"}}</td>{{end}}</tr>{{end}}
</table>
`))

// list answers with a listing, unless err is not nil.
func (h *handler) list(w http.ResponseWriter, r *http.Request, items []item, err error) error {
	if err != nil {
		return err
	}
	w.Header().Set("Cache-Control", "no-cache")
	w.Header().Add("Vary", "Accept")
	if strings.Contains(r.Header.Get("Accept"), "application/json") {
		w.Header().Set("Content-Type", "application/json")
		if items == nil {
			items = []item{}
		}
		return json.NewEncoder(w).Encode(items)
	}
	w.Header().Set("Content-Type", "text/html; charset=utf-8")
	return page.Execute(w, struct {
		Path  string
		Items []item
	}{r.URL.Path, items})
}
