package web

import (
	"bytes"
	"context"
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

func itemOf(n *playback.Node, loc *time.Location) item {
	switch {
	case n.IsDir():
		return item{Name: n.Name + "/"}
	case n.Entry == nil:
		return item{Name: n.Name}
	}
	start, end := n.Entry.Start.In(loc), n.Entry.End.In(loc)
	return item{Name: n.Name, Size: n.Entry.Size, Start: &start, End: &end, ETag: n.Entry.ETag}
}

const head = `<!doctype html>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width">
<style>body{font:1rem/1.6 system-ui,sans-serif;margin:1.5rem}td{padding-right:1.5rem}</style>
`

var listPage = template.Must(template.New("").Parse(head + `<title>{{.Path}}</title>
<h1>{{.Path}}</h1>
<table>
<tr><td><a href="../">..</a></td></tr>{{range .Items}}
<tr><td><a href="{{.Name}}">{{.Name}}</a></td>{{if .End}}<td>{{.Size}} bytes</td><td>until {{.End.Format "15:04:05"}}</td>{{end}}</tr>{{end}}
</table>
`))

// list answers with the listing of a directory.
func (h *handler) list(ctx context.Context, w http.ResponseWriter, r *http.Request, d playback.Dir) error {
	l, err := h.view.List(ctx, d)
	if err != nil {
		return err
	}
	items := make([]item, l.N)
	for i := range items {
		n := l.At(i)
		items[i] = itemOf(&n, h.view.Location())
	}
	w.Header().Set("Cache-Control", "no-cache")
	w.Header().Add("Vary", "Accept")
	if strings.Contains(r.Header.Get("Accept"), "application/json") {
		w.Header().Set("Content-Type", "application/json")
		return json.NewEncoder(patient(w)).Encode(items)
	}
	return page(w, listPage, struct {
		Path  string
		Items []item
	}{r.URL.Path, items})
}

var indexPage = template.Must(template.New("").Parse(head + `<title>nvrfs</title>
<h1>nvrfs {{.}}</h1>
<p>The footage, as files: <a href="/footage/">/footage/</a></p>
<p>What is where: <a href="/footage/.nvrfs/README.txt">README.txt</a>. What there is: <a href="/footage/.nvrfs/status.json">status.json</a>.</p>
`))

// index says what is here.
func (h *handler) index(w http.ResponseWriter) {
	_ = page(w, indexPage, h.view.Version()) // the client may have gone
}

func page(w http.ResponseWriter, t *template.Template, data any) error {
	var b bytes.Buffer
	if err := t.Execute(&b, data); err != nil {
		return err
	}
	w.Header().Set("Content-Type", "text/html; charset=utf-8")
	_, err := patient(w).Write(b.Bytes())
	return err
}
