package mp4check

import (
	"cmp"
	"errors"
	"fmt"
	"io"
)

// maxMoov bounds the memory of a check: a moov of a day at 30 frames a second
// has less than a tenth of it.
const maxMoov = 1 << 30

// checker is one run of Check.
type checker struct {
	findings
	r      io.ReaderAt
	size   int64
	report *Report
	budget int64 // samples that further tracks may have; see RuleSampleCount
}

// Check reads the mp4 file in the first size bytes of r. The error joins
// (errors.Join) a Violation for every broken rule, and the error of r if
// reading failed, which ends the check early. The report is never nil. A rule
// broken more than ten times is reported ten times, then summed up.
func Check(r io.ReaderAt, size int64) (*Report, error) {
	c := &checker{r: r, size: size, budget: size, report: &Report{Size: size}}
	if err := c.run(); err != nil {
		c.errs = append(c.errs, err)
	}
	return c.report, errors.Join(c.errs...)
}

func (c *checker) run() error {
	if err := c.topLevel(); err != nil {
		return err
	}
	moov, ok, err := c.loadMoov()
	if err != nil || !ok {
		return err
	}
	c.movie(moov)
	c.chunkPlaces()
	if err := c.bitstreams(); err != nil {
		return err
	}
	c.movieTimes()
	return nil
}

// read returns the n bytes at the offset.
func (c *checker) read(at, n int64) ([]byte, error) {
	b := make([]byte, n)
	return b, c.readFull(b, at)
}

// readFull fills b. A reader that has fewer bytes than the caller of Check
// promised is an error.
func (c *checker) readFull(b []byte, at int64) error {
	if n, err := c.r.ReadAt(b, at); n < len(b) {
		return fmt.Errorf("read %d bytes at %d of %d: got %d: %w", len(b), at, c.size, n, cmp.Or(err, io.ErrUnexpectedEOF))
	}
	return nil
}

// topLevel walks the headers of the top-level boxes.
func (c *checker) topLevel() error {
	for at := int64(0); at < c.size; {
		head, err := c.read(at, min(16, c.size-at))
		if err != nil {
			return err
		}
		h, err := parseHeader(head, c.size-at, true)
		if err != nil {
			c.fail(RuleFileTile, "at %d of %d: %v", at, c.size, err)
			break
		}
		c.report.Boxes = append(c.report.Boxes, Box{Type: h.kind, Offset: at, Header: h.head, Size: h.size})
		c.require(h.kind != "moof", RuleFragmented, "there is a moof at %d", at)
		at += h.size
	}
	first := ""
	if len(c.report.Boxes) > 0 {
		first = c.report.Boxes[0].Type
	}
	c.require(first == "ftyp", RuleFtypFirst, "the first box is %q", first)
	return nil
}

// loadMoov reads the only moov whole.
func (c *checker) loadMoov() (moov box, ok bool, err error) {
	var all []Box
	for _, b := range c.report.Boxes {
		if b.Type == "moov" {
			all = append(all, b)
		}
	}
	if !c.require(len(all) > 0, RuleBoxMissing, "the file has no moov") {
		return box{}, false, nil
	}
	c.require(len(all) == 1, RuleBoxTwice, "the file has %d boxes moov", len(all))
	b := all[0]
	if !c.require(b.Size <= maxMoov, RuleMoovSize, "moov has %d bytes, more than %d", b.Size, maxMoov) {
		return box{}, false, nil
	}
	body, err := c.read(b.Offset+b.Header, b.Size-b.Header)
	return box{kind: "moov", at: b.Offset + b.Header, body: body}, err == nil, err
}
