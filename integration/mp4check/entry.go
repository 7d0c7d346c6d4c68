package mp4check

// stsd reads the sample entries (ISO/IEC 14496-12 8.5.2), of which a track may
// have several.
func (c *checker) stsd(t *Track, b box) {
	for _, k := range c.countedChildren(b) {
		e := &Entry{Type: k.kind}
		t.Entries = append(t.Entries, e)
		c.entry(t, e, k)
	}
	if t.Handler == "vide" && len(t.Entries) > 0 {
		c.trackSize(t)
	}
}

// entry reads what all sample entries share, and hands on the rest.
func (c *checker) entry(t *Track, e *Entry, b box) {
	f := &fields{b: b.body}
	f.skip(6)
	e.dataRef = int(f.u16())
	c.require(e.dataRef >= 1 && e.dataRef <= len(t.dataRefs) && t.dataRefs[e.dataRef-1], RuleDataRef,
		"%s: entry %q names data reference %d of %d, or one outside the file", t.name(), e.Type, e.dataRef, len(t.dataRefs))
	switch t.Handler {
	case "vide":
		c.visualEntry(t, e, b)
	case "soun":
		c.audioEntry(t, e, b)
	}
}

// visualEntry reads a VisualSampleEntry (12.1.3).
func (c *checker) visualEntry(t *Track, e *Entry, b box) {
	f := &fields{b: b.body}
	f.skip(8 + 16)
	e.Width, e.Height = int(f.u16()), int(f.u16())
	kids := c.childrenAfter(b, 78)
	switch e.Type {
	case "avc1", "avc3":
		if b, ok := c.config(t, e, kids, "avcC"); ok {
			c.avcC(t, e, b)
		}
	case "hvc1", "hev1":
		if b, ok := c.config(t, e, kids, "hvcC"); ok {
			c.hvcC(t, e, b)
		}
	}
}

// config returns the only box of the kind in a sample entry, and keeps its
// payload for the report.
func (c *checker) config(t *Track, e *Entry, kids []box, kind string) (box, bool) {
	b, ok := c.optional(kids, kind, t.name())
	c.require(ok, RuleConfigMissing, "%s: entry %q has no %s", t.name(), e.Type, kind)
	e.Config = b.body
	return b, ok
}

// spsSize checks the entry's dimensions against those of its first SPS.
func (c *checker) spsSize(t *Track, e *Entry, width, height int) {
	c.require(e.Width == width && e.Height == height, RuleEntrySize,
		"%s: entry %q says %dx%d, its SPS %dx%d", t.name(), e.Type, e.Width, e.Height, width, height)
}

// trackSize checks that tkhd has the dimensions of one of the entries.
func (c *checker) trackSize(t *Track) {
	for _, e := range t.Entries {
		if uint64(t.Width) == uint64(e.Width)<<16 && uint64(t.Height) == uint64(e.Height)<<16 {
			return
		}
	}
	e := t.Entries[0]
	c.fail(RuleTkhdSize, "%s: tkhd says %gx%g, entry %q %dx%d", t.name(),
		float64(t.Width)/65536, float64(t.Height)/65536, e.Type, e.Width, e.Height)
}
