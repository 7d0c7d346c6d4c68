package mp4check

// audioEntry reads an AudioSampleEntry (ISO/IEC 14496-12 12.2.3).
func (c *checker) audioEntry(t *Track, e *Entry, b box) {
	f := &fields{b: b.body}
	f.skip(8 + 8)
	e.Channels = int(f.u16())
	f.skip(2 + 2 + 2) // sample size, pre_defined, reserved
	e.SampleRate = int(f.u32() >> 16)
	c.require(e.Channels >= 1 && e.Channels <= 8, RuleAudioChannels,
		"%s: entry %q has %d channels", t.name(), e.Type, e.Channels)
	kids := c.childrenAfter(b, 28)
	switch e.Type {
	case "mp4a":
		if b, ok := c.config(t, e, kids, "esds"); ok {
			c.esds(t, e, b)
		}
	case "Opus":
		c.config(t, e, kids, "dOps")
		c.require(e.SampleRate == 48000, RuleAudioRate, // whatever the source had
			"%s: entry %q says %d Hz, not 48000", t.name(), e.Type, e.SampleRate)
	default:
		c.audioRate(t, e.SampleRate)
	}
}

// audioRate checks that a sampling interval is a whole number of ticks.
func (c *checker) audioRate(t *Track, rate int) {
	c.require(rate == 0 || int64(t.Timescale)%int64(rate) == 0, RuleAudioRate,
		"%s: timescale %d is no multiple of %d Hz", t.name(), t.Timescale, rate)
}

// esds finds the AudioSpecificConfig (ISO/IEC 14496-1 7.2.6.5).
func (c *checker) esds(t *Track, e *Entry, b box) {
	f := &fields{b: b.body}
	f.skip(4)
	es := f.descriptor(3)
	es.skip(2)
	flags := es.u8()
	if flags&0x80 != 0 {
		es.skip(2) // dependsOn_ES_ID
	}
	if flags&0x40 != 0 {
		es.skip(int(es.u8())) // URL
	}
	if flags&0x20 != 0 {
		es.skip(2) // OCR_ES_Id
	}
	dec := es.descriptor(4)
	kind := dec.u8() // objectTypeIndication
	dec.skip(12)     // stream type, buffer size, bit rates
	isAAC := kind == 0x40 || kind >= 0x66 && kind <= 0x68
	if !isAAC && !dec.short {
		c.audioRate(t, e.SampleRate)
		return
	}
	asc := dec.descriptor(5)
	e.Config = asc.b
	if c.require(!asc.short && len(asc.b) > 0, RuleConfigParams, "%s: esds has no AudioSpecificConfig", t.name()) {
		c.asc(t, e)
	}
}

// descriptor returns the fields of the next descriptor, which must have the tag
// (ISO/IEC 14496-1 8.3.3).
func (f *fields) descriptor(tag uint8) *fields {
	if f.u8() != tag {
		return &fields{short: true}
	}
	n := 0
	for range 4 {
		b := f.u8()
		n = n<<7 | int(b&0x7f)
		if b&0x80 == 0 {
			break
		}
	}
	body := f.bytes(n)
	return &fields{b: body, short: f.short}
}

// Sampling rates by index (ISO/IEC 14496-3 1.6.3.4).
var aacRates = []int{96000, 88200, 64000, 48000, 44100, 32000, 24000, 22050, 16000, 12000, 11025, 8000, 7350}

// asc checks the AudioSpecificConfig (ISO/IEC 14496-3 1.6.2.1) against the
// entry and the timescale.
func (c *checker) asc(t *Track, e *Entry) {
	r := &bitReader{b: e.Config}
	object := r.audioObjectType()
	rate := r.aacRate()
	layout := r.bits(4)
	extended := rate // with SBR
	if object == 5 || object == 29 {
		extended = r.aacRate()
	}
	if !c.require(!r.short && rate > 0 && extended > 0, RuleConfigParams,
		"%s: AudioSpecificConfig %x cannot be read", t.name(), e.Config) {
		return
	}
	c.audioRate(t, rate)
	fits := e.SampleRate == 0 || e.SampleRate == rate || e.SampleRate == extended
	c.require(fits, RuleAudioRate, "%s: entry says %d Hz, its AudioSpecificConfig %d", t.name(), e.SampleRate, rate)
	channels := int(layout) // 1.6.3.5; 0 leaves it to the bitstream
	if layout == 7 {
		channels = 8
	}
	// 2 is what the field says when it says nothing (ISO/IEC 14496-14 5.6.1).
	c.require(layout <= 7 && (channels == 0 || channels == e.Channels || e.Channels == 2), RuleAudioChannels,
		"%s: entry says %d channels, its AudioSpecificConfig channel layout %d", t.name(), e.Channels, layout)
}

// audioObjectType reads a GetAudioObjectType (1.6.2.2).
func (r *bitReader) audioObjectType() uint {
	if object := r.bits(5); object != 31 {
		return object
	}
	return 32 + r.bits(6)
}

// aacRate reads a sampling rate in Hz, 0 if it is reserved.
func (r *bitReader) aacRate() int {
	switch i := r.bits(4); {
	case i == 15:
		return int(r.bits(24))
	case int(i) < len(aacRates):
		return aacRates[i]
	default:
		return 0
	}
}
