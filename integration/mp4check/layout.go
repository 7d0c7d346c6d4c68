package mp4check

import (
	"cmp"
	"slices"
	"sort"
)

// chunkPlaces checks that the chunks of all tracks lie in mdat payloads and
// share no bytes.
func (c *checker) chunkPlaces() {
	type placed struct {
		Chunk
		track *Track
	}
	var all []placed
	for _, t := range c.report.Tracks {
		for _, ch := range t.Chunks {
			all = append(all, placed{ch, t})
		}
	}
	slices.SortFunc(all, func(a, b placed) int { return cmp.Compare(a.Offset, b.Offset) })
	for i, ch := range all {
		c.require(c.inMdat(ch.Chunk), RuleChunkMdat,
			"%s: the chunk of %d bytes at %d is not inside an mdat", ch.track.name(), ch.Size, ch.Offset)
		if i > 0 {
			last := all[i-1]
			c.require(last.Offset+last.Size <= ch.Offset, RuleChunkShared,
				"%s: the chunk at %d starts inside the one of %s at %d of %d bytes",
				ch.track.name(), ch.Offset, last.track.name(), last.Offset, last.Size)
		}
	}
}

// inMdat finds the top-level box that ch starts in, which must be an mdat.
func (c *checker) inMdat(ch Chunk) bool {
	boxes := c.report.Boxes
	i := sort.Search(len(boxes), func(i int) bool { return boxes[i].Offset+boxes[i].Size > ch.Offset })
	if i == len(boxes) || boxes[i].Type != "mdat" {
		return false
	}
	b := boxes[i]
	return ch.Offset >= b.Offset+b.Header && ch.Offset+ch.Size <= b.Offset+b.Size
}
