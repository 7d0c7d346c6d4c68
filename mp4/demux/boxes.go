package demux

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"strings"

	"nvrfs/media/box"
)

// boxes reads the file box by box: its moov, and the fragments behind that.
func (p *parser) boxes() error {
	start := make([]byte, 4<<10) // what there is at the start of a box
	for at := int64(0); at < p.size && !p.done; {
		n, err := p.file.ReadAt(start[:min(int64(len(start)), p.size-at)], at)
		if n < 8 && err != nil && err != io.EOF {
			return fmt.Errorf("read at byte %d: %w", at, err)
		}
		h, err := p.header(start[:n], at)
		if err != nil && p.movie == nil {
			return err
		}
		if err != nil {
			if p.size-at >= 8 && h.Type != "mdat" { // of an mdat, the samples are counted that are missing
				p.note("all from byte %d on: %v", at, err)
			}
			return nil
		}
		if err := p.box(h, start[:n], at); err != nil {
			return err
		}
		at += h.Size
	}
	if p.movie == nil {
		return errors.New("no moov box: not an .mp4 file, or one that was never finished")
	}
	return nil
}

// box reads a box, of which start is what the file has at its place.
func (p *parser) box(h box.Header, start []byte, at int64) (err error) {
	switch h.Type {
	case "ftyp":
		if p.movie == nil {
			p.ftyp, err = p.content(start, at, h, maxEntryBytes)
		}
	case "moov":
		moov, err := p.content(start, at, h, maxMovieBytes)
		switch {
		case err != nil:
			return err
		case p.fragments == 0:
			p.moov = moov
			return p.readMovie()
		case !bytes.Equal(moov, p.moov):
			p.another(moov, at)
		}
	case "moof":
		if p.movie == nil {
			return errors.New("its beginning, the init segment with the moov box, is missing; put it in front, with: cat INIT PIECE... >OUT.mp4")
		}
		moof, err := p.content(start, at, h, maxMoofBytes)
		if err != nil {
			return err
		}
		p.readFragment(moof[h.Head:], at)
	}
	return err
}

// another reads a second moov behind fragments. One that has samples is the index of all of them, which the recorder wrote when
// it was done. Any other one begins another film.
func (p *parser) another(moov []byte, at int64) {
	p.done = true
	whole := &parser{file: p.file, size: p.size, ftyp: p.ftyp, moov: moov}
	if err := whole.readMovie(); err == nil && whole.samples > 0 && whole.samples >= p.samples {
		*p = *whole
		p.done = true
		return
	}
	p.note("all from byte %d on, where another film begins; cut it off, and import it by itself", at)
}

// header reads the header of the box at a place, of which start is what the file has there.
func (p *parser) header(start []byte, at int64) (box.Header, error) {
	h, ok := box.ParseHeader(start)
	if len(start) >= 8 && h.Type == "mdat" && h.Head == 8 && h.Size == 0 { // it goes on to the end of the file
		h.Size, ok = p.size-at, true
	}
	if !ok && len(start) < 8 {
		return h, errors.New("no moov box: not an .mp4 file, or one that was never finished")
	}
	if !ok || h.Size > p.size-at {
		return h, fmt.Errorf("box %q at %d of %d bytes does not fit in the file of %d bytes: it is damaged, or cut short",
			printable(start[4:8]), at, h.Size, p.size)
	}
	return h, nil
}

// content returns a whole box, of which start is what the file has at its place, in memory of its own.
func (p *parser) content(start []byte, at int64, h box.Header, limit int64) ([]byte, error) {
	if h.Size > limit {
		return nil, fmt.Errorf("box %q of %d bytes is larger than a file needs", h.Type, h.Size)
	}
	if h.Size <= int64(len(start)) {
		return bytes.Clone(start[:h.Size]), nil
	}
	data := make([]byte, h.Size)
	if n, err := p.file.ReadAt(data, at); n < len(data) {
		return nil, fmt.Errorf("box %q: %w", h.Type, err)
	}
	return data, nil
}

// printable is the type of a box, as it can stand in a message.
func printable(typ []byte) string {
	return strings.Map(func(r rune) rune {
		if r < ' ' || r > '~' {
			return '?'
		}
		return r
	}, string(typ))
}
