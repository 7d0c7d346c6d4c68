package mp4check

// stbl reads the sample tables (ISO/IEC 14496-12 8.5, 8.6, 8.7). Tables that
// disagree are applied as far as they go.
func (c *checker) stbl(t *Track, b box) {
	kids := c.children(b)
	if b, ok := c.mandatory(kids, "stsd", t.name()); ok {
		c.stsd(t, b)
	}
	if b, ok := c.mandatory(kids, "stsz", t.name()); ok {
		c.stsz(t, b)
	}
	if b, ok := c.mandatory(kids, "stts", t.name()); ok {
		c.stts(t, b)
	}
	if b, ok := c.optional(kids, "ctts", t.name()); ok {
		c.ctts(t, b)
	}
	b, ok := c.optional(kids, "stss", t.name())
	c.stss(t, b, ok)
	if b, ok := c.mandatory(kids, "stsc", t.name()); ok {
		c.place(t, c.stsc(t, b), c.chunkOffsets(t, kids))
	}
}

// stsz makes the samples, and reads their sizes (8.7.3.2).
func (c *checker) stsz(t *Track, b box) {
	f, _, _ := versioned(b)
	each, count := f.u32(), int64(f.u32())
	t.SampleSize = each
	if each == 0 {
		have := int64(len(f.b) / 4)
		c.require(!f.short && count*4 == int64(len(f.b)), RuleTableSize,
			"%s: stsz says %d samples and holds %d bytes of sizes", t.name(), count, len(f.b))
		count = min(count, have)
	} else {
		c.done(b, f)
	}
	if !c.require(uint64(count)*uint64(max(1, each)) <= uint64(c.budget), RuleSampleCount,
		"%s: stsz says %d samples, more than the file has bytes for", t.name(), count) {
		return
	}
	c.budget -= count
	t.Samples = make([]Sample, count)
	for i := range t.Samples {
		size := each
		if each == 0 {
			size = f.u32()
		}
		t.Samples[i].Size = size
		c.require(size > 0, RuleSampleSize, "%s: sample %d has no bytes", t.name(), i+1)
	}
}

// stts sets decoding times and durations (8.6.1.2).
func (c *checker) stts(t *Track, b box) {
	f, n := c.rows(b, 8)
	var total, dts int64
	todo := t.Samples
	for i := range n {
		count, delta := int64(f.u32()), f.u32()
		total += count
		c.require(count > 0, RuleSttsZero, "%s: stts entry %d is of no samples", t.name(), i+1)
		c.require(delta > 0, RuleZeroDuration, "%s: stts entry %d is of samples that last 0 ticks", t.name(), i+1)
		for k := range todo[:min(count, int64(len(todo)))] {
			s := &todo[k]
			s.DTS, s.CTS, s.Duration = dts, dts, delta
			dts += int64(delta)
		}
		todo = todo[min(count, int64(len(todo))):]
	}
	c.require(total == int64(len(t.Samples)), RuleSttsCount,
		"%s: stts covers %d samples, stsz has %d", t.name(), total, len(t.Samples))
	for i := range todo {
		todo[i].DTS, todo[i].CTS = dts, dts
	}
}

// ctts sets composition times. Offsets are taken as signed in both versions: an
// unsigned offset over 2^31 can only be a negative one in the wrong version,
// and version 0 forbids those (8.6.1.3).
func (c *checker) ctts(t *Track, b box) {
	_, version, _ := versioned(b)
	f, n := c.rows(b, 8)
	var total int64
	todo := t.Samples
	for i := range n {
		count, offset := int64(f.u32()), int32(f.u32())
		total += count
		c.require(count > 0, RuleCttsZero, "%s: ctts entry %d is of no samples", t.name(), i+1)
		c.require(offset >= 0 || version > 0, RuleCtsNegative,
			"%s: ctts entry %d has a negative offset in version 0", t.name(), i+1)
		run := todo[:min(count, int64(len(todo)))]
		for k := range run {
			run[k].CTS += int64(offset)
		}
		todo = todo[len(run):]
	}
	c.require(total == int64(len(t.Samples)), RuleCttsCount,
		"%s: ctts covers %d samples, stsz has %d", t.name(), total, len(t.Samples))
}

// stss marks the sync samples: without the box, all (8.6.2).
func (c *checker) stss(t *Track, b box, present bool) {
	if present {
		f, n := c.rows(b, 4)
		last := uint32(0)
		for i := range n {
			no := f.u32()
			if !c.require(no > last && int64(no) <= int64(len(t.Samples)), RuleStssOrder,
				"%s: stss entry %d is %d after %d, of %d samples", t.name(), i+1, no, last, len(t.Samples)) {
				continue
			}
			t.Samples[no-1].Sync = true
			last = no
		}
	} else {
		for i := range t.Samples {
			t.Samples[i].Sync = true
		}
	}
	if t.Handler == "vide" && len(t.Samples) > 0 {
		c.require(t.Samples[0].Sync, RuleStssFirst, "%s: sample 1 is no sync sample", t.name())
	}
}

// chunkRun is an entry of stsc: chunks alike, up to the next entry.
type chunkRun struct{ first, samples, entry uint32 }

// stsc reads which chunk holds which samples (8.7.4). It returns nothing if the
// runs are in no usable order.
func (c *checker) stsc(t *Track, b box) []chunkRun {
	f, n := c.rows(b, 12)
	runs := make([]chunkRun, n)
	usable := true
	for i := range runs {
		r := chunkRun{first: f.u32(), samples: f.u32(), entry: f.u32()}
		runs[i] = r
		ordered := i == 0 && r.first == 1 || i > 0 && r.first > runs[i-1].first
		usable = c.require(ordered, RuleStscOrder, "%s: stsc entry %d starts at chunk %d", t.name(), i+1, r.first) && usable
		usable = c.require(r.samples > 0, RuleStscZero, "%s: stsc entry %d has chunks of no samples", t.name(), i+1) && usable
		c.require(r.entry >= 1 && int64(r.entry) <= int64(len(t.Entries)), RuleStscEntry,
			"%s: stsc entry %d names sample entry %d of %d", t.name(), i+1, r.entry, len(t.Entries))
	}
	if !usable {
		return nil
	}
	return runs
}

// farAway is where chunks of absurd offsets are put, so that sums of offsets
// and sizes do not overflow. No file reaches there.
const farAway = 1 << 62

// chunkOffsets reads stco or co64 (8.7.5).
func (c *checker) chunkOffsets(t *Track, kids []box) []int64 {
	kind, width := "stco", 4
	b, ok := c.optional(kids, "co64", t.name())
	if ok {
		kind, width = "co64", 8
		_, both := c.optional(kids, "stco", t.name())
		c.require(!both, RuleBoxTwice, "%s has both stco and co64", t.name())
	} else if b, ok = c.mandatory(kids, kind, t.name()); !ok {
		return nil
	}
	f, n := c.rows(b, width)
	offsets := make([]int64, n)
	for i := range offsets {
		offsets[i] = int64(min(f.uint(width), farAway))
	}
	return offsets
}

// place walks the chunks, and gives each sample its offset and sample entry.
func (c *checker) place(t *Track, runs []chunkRun, offsets []int64) {
	todo := t.Samples
	var total int64
	for i, r := range runs {
		end := int64(len(offsets)) + 1 // of the run, 1-based
		if i+1 < len(runs) {
			end = min(end, int64(runs[i+1].first))
		}
		c.require(int64(r.first) <= int64(len(offsets)), RuleStcoCount,
			"%s: stsc entry %d starts at chunk %d of %d", t.name(), i+1, r.first, len(offsets))
		total += max(0, end-int64(r.first)) * int64(r.samples)
		for no := int64(r.first); no < end && len(todo) > 0; no++ {
			n := min(int64(r.samples), int64(len(todo)))
			t.Chunks = append(t.Chunks, placeChunk(todo[:n], offsets[no-1], r.entry))
			todo = todo[n:]
		}
	}
	if runs != nil {
		c.require(total == int64(len(t.Samples)), RuleStscCount,
			"%s: the chunks hold %d samples, stsz has %d", t.name(), total, len(t.Samples))
	}
}

func placeChunk(samples []Sample, offset int64, entry uint32) Chunk {
	at := offset
	for i := range samples {
		samples[i].Offset, samples[i].Entry = at, entry
		at += int64(samples[i].Size)
	}
	return Chunk{Offset: offset, Size: at - offset}
}
