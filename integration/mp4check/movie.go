package mp4check

// movie reads moov (ISO/IEC 14496-12 8.2) and all in it.
func (c *checker) movie(moov box) {
	kids := c.children(moov)
	if b, ok := c.mandatory(kids, "mvhd", "moov"); ok {
		c.mvhd(b)
	}
	for _, k := range kids {
		switch k.kind {
		case "trak":
			t := &Track{}
			c.report.Tracks = append(c.report.Tracks, t)
			c.trak(t, k)
		case "mvex":
			c.fail(RuleFragmented, "moov has an mvex at %d", k.at)
		case "udta":
			c.children(k)
		}
	}
	c.require(len(c.report.Tracks) > 0, RuleBoxMissing, "moov has no trak")
	c.trackIDs()
}

// mvhd reads the movie header (8.2.2).
func (c *checker) mvhd(b box) {
	f, _, wide := versioned(b)
	f.skip(2 * wide) // creation, modification
	c.report.Timescale = f.u32()
	c.report.Duration = f.uint(wide)
	f.skip(4 + 2 + 10 + 36 + 24) // rate, volume, reserved, matrix, pre_defined
	c.report.NextTrackID = f.u32()
	c.done(b, f)
	c.require(c.report.Timescale > 0, RuleTimescale, "the movie's timescale is 0")
}

func (c *checker) trackIDs() {
	seen := make(map[uint32]bool)
	for _, t := range c.report.Tracks {
		c.require(t.ID != 0 && !seen[t.ID], RuleTrackID, "track ID %d is 0 or taken", t.ID)
		c.require(t.ID < c.report.NextTrackID, RuleNextTrackID,
			"next_track_ID %d does not exceed track ID %d", c.report.NextTrackID, t.ID)
		seen[t.ID] = true
	}
}

// trak reads a track (8.3).
func (c *checker) trak(t *Track, b box) {
	kids := c.children(b)
	if b, ok := c.mandatory(kids, "tkhd", "trak"); ok {
		c.tkhd(t, b)
	}
	if b, ok := c.optional(kids, "edts", t.name()); ok {
		if b, ok := c.optional(c.children(b), "elst", t.name()); ok {
			c.elst(t, b)
		}
	}
	if b, ok := c.mandatory(kids, "mdia", t.name()); ok {
		c.mdia(t, b)
	}
}

// tkhd reads the track header (8.3.2).
func (c *checker) tkhd(t *Track, b box) {
	f, _, wide := versioned(b)
	f.skip(2 * wide) // creation, modification
	t.ID = f.u32()
	f.skip(4)
	t.Duration = f.uint(wide)
	f.skip(8 + 2 + 2 + 2 + 2 + 36) // reserved, layer, group, volume, reserved, matrix
	t.Width, t.Height = f.u32(), f.u32()
	c.done(b, f)
}

// elst reads the edit list (8.6.6).
func (c *checker) elst(t *Track, b box) {
	_, version, wide := versioned(b)
	f, n := c.rows(b, 2*wide+4)
	t.Edits = make([]Edit, n)
	for i := range t.Edits {
		e := &t.Edits[i]
		e.Duration = f.uint(wide)
		e.MediaTime = int64(f.uint(wide))
		if version == 0 {
			e.MediaTime = int64(int32(e.MediaTime))
		}
		e.Rate = int32(f.u32())
	}
}

// mdia reads the media header, handler and what they are about (8.4).
func (c *checker) mdia(t *Track, b box) {
	kids := c.children(b)
	if b, ok := c.mandatory(kids, "hdlr", t.name()); ok {
		f := &fields{b: b.body}
		f.skip(8)
		t.Handler = string(f.bytes(4))
		c.require(!f.short, RuleBoxSize, "box hdlr at %d is too short", b.at)
	}
	if b, ok := c.mandatory(kids, "mdhd", t.name()); ok {
		c.mdhd(t, b)
	}
	if b, ok := c.mandatory(kids, "minf", t.name()); ok {
		c.minf(t, b)
	}
}

// mdhd reads the media header (8.4.2).
func (c *checker) mdhd(t *Track, b box) {
	f, _, wide := versioned(b)
	f.skip(2 * wide) // creation, modification
	t.Timescale = f.u32()
	t.MediaDuration = f.uint(wide)
	f.skip(4) // language, pre_defined
	c.done(b, f)
	c.require(t.Timescale > 0, RuleTimescale, "%s has timescale 0", t.name())
}

// minf reads the media information (8.4.4).
func (c *checker) minf(t *Track, b box) {
	kids := c.children(b)
	switch t.Handler {
	case "vide":
		c.mandatory(kids, "vmhd", t.name())
	case "soun":
		c.mandatory(kids, "smhd", t.name())
	}
	if b, ok := c.mandatory(kids, "dinf", t.name()); ok {
		if b, ok := c.mandatory(c.children(b), "dref", t.name()); ok {
			c.dref(t, b)
		}
	}
	if b, ok := c.mandatory(kids, "stbl", t.name()); ok {
		c.stbl(t, b)
	}
}

// dref reads which data references mean this file: flag 1 (8.7.2).
func (c *checker) dref(t *Track, b box) {
	kids := c.countedChildren(b)
	for _, k := range kids {
		f := &fields{b: k.body}
		t.dataRefs = append(t.dataRefs, f.u32()&1 == 1)
	}
}

// countedChildren splits a full box made of an entry count and as many boxes.
func (c *checker) countedChildren(b box) []box {
	f := &fields{b: b.body}
	f.skip(4)
	count := f.u32()
	kids := c.childrenAfter(b, 8)
	c.require(int64(len(kids)) == int64(count), RuleTableSize,
		"box %q at %d says %d entries and holds %d", b.kind, b.at, count, len(kids))
	return kids
}
