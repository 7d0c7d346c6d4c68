package playback

import (
	"context"
	"crypto/sha256"
	_ "embed"
	"slices"
	"time"

	"nvrfs/playback/marks"
)

// A Text is a small file that is made when it is looked up. It must not be changed.
type Text struct {
	Bytes   []byte
	ModTime time.Time
	Changes bool // nobody is told when there is another content; otherwise it is that of an entry, or never changes

	ref Ref
}

// ETag tells the bytes from all others, without quotes.
func (t *Text) ETag() string { return etag(sha256.Sum256(t.Bytes)) }

//go:embed README.txt
var readme []byte

func (v *View) readme() *Text {
	return &Text{Bytes: readme, ModTime: v.made, ref: Ref{kind: readmeFile}}
}

// marksSettle is how long after the end of an entry its marks, those aside that go on, are all in the database.
const marksSettle = time.Minute

// infoText is the file that says what an entry is made of.
func (v *View) infoText(ctx context.Context, e *Entry) (*Text, error) {
	info, err := v.Info(ctx, e)
	if err != nil {
		return nil, err
	}
	text, err := encode(info)
	goesOn := slices.ContainsFunc(info.Marks, func(m marks.Mark) bool { return m.End == nil })
	changes := goesOn || time.Since(e.End) < marksSettle // since nobody is told of marks
	return &Text{Bytes: text, ModTime: e.End, Changes: changes, ref: refOf(e, true)}, err
}
