package mp4check

// rawAudio checks a track of G.711, of which each channel of a sample is a byte that sounds for a sampling interval (ITU-T G.711). A
// sample lasts longer where sound is missing behind it, and is shorter only at the end of a chunk, behind which other sound begins.
// So the bytes of the track, its samples and its time agree.
func (c *checker) rawAudio(t *Track) {
	rates := make([]int64, len(t.Entries)) // 0 for another codec
	for i, e := range t.Entries {
		if e.Type != "ulaw" && e.Type != "alaw" {
			continue
		}
		rates[i] = int64(e.SampleRate)
		c.require(e.SampleRate > 0, RuleAudioRate, "%s: entry %q has no sampling rate", t.name(), e.Type)
		c.require(t.SampleSize > 0 && int(t.SampleSize) == e.Channels, RuleRawSize,
			"%s: stsz says %d bytes for each sample of %d channels; 0 means that sizes differ", t.name(), t.SampleSize, e.Channels)
	}
	for i := range t.Samples {
		s := &t.Samples[i]
		if s.Entry < 1 || int64(s.Entry) > int64(len(rates)) {
			continue // RuleStscEntry
		}
		rate := rates[s.Entry-1]
		ends := i+1 == len(t.Samples) || t.Samples[i+1].Offset != s.Offset+int64(s.Size)
		c.require(ends || int64(s.Duration)*rate >= int64(t.Timescale) || rate == 0, RuleRawTime,
			"%s: sample %d lasts %d ticks of 1/%d s, at %d Hz", t.name(), i+1, s.Duration, t.Timescale, rate)
	}
}
