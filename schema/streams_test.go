package schema

import (
	"errors"
	"reflect"
	"strings"
	"testing"
)

func TestStreamNames(t *testing.T) {
	for _, good := range []string{"main", "sub", "wide", "4k", "-", "_x", strings.Repeat("n", 64)} {
		if err := CheckStreamName(good); err != nil {
			t.Error(err)
		}
	}
	s := newScene(t, t.TempDir())
	for _, bad := range []string{"", "a.b", "../x", "a/b", "a b", "grün", "x\x00", strings.Repeat("n", 65)} {
		err := s.db.Write(t.Context(), func(tx *Tx) error {
			_, err := tx.Stream("front-door", bad)
			return err
		})
		if err == nil || !strings.Contains(err.Error(), "letters, digits, - and _") || len(err.Error()) > 400 {
			t.Errorf("%q: error is %v", bad, err)
		}
	}
}

// Two streams never share a label, which names their directories, whatever their cameras are called.
func TestLabelsAreUnambiguous(t *testing.T) {
	s := newScene(t, t.TempDir())
	add := func(camera, name string) (label string, err error) {
		err = s.db.Write(t.Context(), func(tx *Tx) error {
			return tx.Try(func() error {
				x, err := tx.Stream(camera, name)
				label = x.Label()
				return err
			})
		})
		return label, err
	}
	for _, c := range [][3]string{{"a", "b", "a.b"}, {"a", "main", "a"}, {"a", "b", "a.b"}, {"b.c", "main", "b.c"}} {
		if label, err := add(c[0], c[1]); err != nil || label != c[2] {
			t.Errorf("%s of %s: label is %q, %v", c[1], c[0], label, err)
		}
	}
	for _, c := range [][2]string{{"a.b", "main"}, {"b", "c"}} {
		if label, err := add(c[0], c[1]); !errors.Is(err, ErrRefused) {
			t.Errorf("%s of %s: label is %q, %v", c[1], c[0], label, err)
		}
	}
}

// Each kind of change is in the journal once, in the transaction that makes it.
func TestJournalOfMovesAndMarks(t *testing.T) {
	s := newScene(t, t.TempDir())
	r := s.recording(1, true)
	s.put(t, r)
	hold := Hold{Stream: s.stream.ID, From90k: minute90k, To90k: 9 * minute90k, Why: "test"}
	var dir int64
	for _, change := range []func(*Tx) error{
		func(tx *Tx) (err error) { dir, err = tx.SampleDir("/elsewhere"); return err },
		func(tx *Tx) error { return tx.Move(r.ID, dir) },
		func(tx *Tx) error { return tx.Move(r.ID, dir) }, // there it is
		func(tx *Tx) error { return tx.Move(MakeRecordingID(1, 99), dir) },
		func(tx *Tx) (err error) { hold.ID, err = tx.Hold(hold); return err },
		func(tx *Tx) error { return tx.RemoveHold(hold.ID) },
	} {
		write(t, s.db, change)
	}
	mark := MakeRecordingID(s.stream.ID, 0)
	want := []Change{{2, r.ID, minute90k, Moved}, {3, mark, minute90k, Marked}, {4, mark, minute90k, Marked}}
	if got, complete, err := s.db.ChangesSince(t.Context(), 1); err != nil || !complete || !reflect.DeepEqual(got, want) {
		t.Errorf("changes are %+v, %v; want %+v", got, err, want)
	}
	if got, ok, err := s.db.Recording(t.Context(), r.ID); err != nil || !ok || got.Dir != dir || !got.Sealed || got.Bytes != r.Bytes {
		t.Errorf("moved is %+v, %v", got, err)
	}
	if held, changes, err := s.db.NamedHolds(t.Context()); err != nil || len(held) != 0 || changes != 2 {
		t.Errorf("held is %+v after %d changes, %v", held, changes, err)
	}
	err := s.db.Write(t.Context(), func(tx *Tx) error { return tx.RemoveHold(hold.ID) })
	if !errors.Is(err, ErrNoHold) {
		t.Errorf("error is %v", err)
	}
}

// A row whose columns say something else than its listing is damaged, and nobody is told a mixture.
func TestRowThatContradictsItself(t *testing.T) {
	for _, column := range []string{"bytes", "start_90k", "sealed"} {
		s := newScene(t, t.TempDir())
		s.put(t, s.recording(1, true))
		if _, err := s.db.sql.Exec(`UPDATE recording SET ` + column + ` = 1 - ` + column); err != nil {
			t.Fatal(err)
		}
		if r, _, err := s.db.Recording(t.Context(), MakeRecordingID(s.stream.ID, 1)); !errors.Is(err, errListing) {
			t.Errorf("%s: %+v, %v", column, r, err)
		}
	}
}
