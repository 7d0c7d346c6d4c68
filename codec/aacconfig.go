package codec

import (
	"errors"
	"fmt"
)

// An aacConfig is what an AudioSpecificConfig (ISO/IEC 14496-3 1.6.2.1) says.
type aacConfig struct {
	bytes    []byte // as it was given
	object   int    // of the sound below what SBR adds
	rate     uint32 // of that sound
	channels int
	frame    uint32 // samples of that sound in a frame
	output   uint32 // samples a second that a decoder makes, as far as the configuration says
	ps       bool   // of which it makes two channels
}

// Audio object types (ISO/IEC 14496-3 table 1.17).
const (
	aacMain = 1
	aacLC   = 2
	aacSSR  = 3
	aacLTP  = 4
	sbr     = 5
	erAACLC = 17
	erAACLD = 23
	ps      = 29
	erELD   = 39
)

// notAAC names the object types that other cameras' sound may have.
var notAAC = map[int]string{aacSSR: "AAC-SSR", 6: "scalable AAC", 8: "CELP", 9: "HVXC", 20: "scalable AAC", 32: "MPEG-1 layer 1", 33: "MPEG-1 layer 2", 34: "MP3", 36: "ALS", 42: "xHE-AAC"}

// aacRates is indexed by samplingFrequencyIndex (ISO/IEC 14496-3 1.6.3.4).
var aacRates = [...]uint32{96000, 88200, 64000, 48000, 44100, 32000, 24000, 22050, 16000, 12000, 11025, 8000, 7350}

const maxAACRate = 192000

// parseASC reads a whole AudioSpecificConfig.
func parseASC(asc []byte) (aacConfig, error) {
	r := bitReader{p: asc}
	c, err := readASC(&r)
	if err != nil {
		return c, fmt.Errorf("AudioSpecificConfig: %w", err)
	}
	c.bytes = asc
	r.extension(&c)
	return c, nil
}

// extension reads what follows an AudioSpecificConfig where SBR is said in a way that old decoders overlook (ISO/IEC 14496-3
// 1.6.2.1), if it does.
func (r *bitReader) extension(c *aacConfig) {
	ahead := *r
	if c.output != c.rate || ahead.u(11) != 0x2b7 || ahead.u(5) != sbr {
		return
	}
	if *r = ahead; !r.flag() {
		return
	}
	if rate := r.aacRate(); rate > 0 && rate <= maxAACRate {
		c.output = rate
	}
	if ahead = *r; ahead.u(11) == 0x548 {
		c.ps = ahead.flag()
		*r = ahead
	}
}

// readASC reads an AudioSpecificConfig that ends where it says, as StreamMuxConfig has it.
func readASC(r *bitReader) (c aacConfig, err error) {
	start := r.at
	c.object = r.audioObject()
	c.rate = r.aacRate()
	layout := r.u(4)
	c.output = c.rate
	if c.object == sbr || c.object == ps {
		c.ps = c.object == ps
		c.output = r.aacRate()
		c.object = r.audioObject()
	}
	switch {
	case r.short:
		return c, errCutShort
	case c.object == erELD:
		c.frame = 512 - 32*uint32(r.u(1)) // ELDSpecificConfig, 4.6.20.3
	case c.object == aacMain, c.object == aacLC, c.object == aacLTP, c.object == erAACLC, c.object == erAACLD:
		err = r.gaSpecificConfig(&c, layout == 0, start)
	default:
		name, known := notAAC[c.object]
		if !known {
			name = fmt.Sprintf("audio object type %d", c.object)
		}
		return c, fmt.Errorf("%s is not supported; set the camera to AAC-LC", name)
	}
	switch {
	case err != nil:
		return c, err
	case r.short:
		return c, errCutShort
	case layout > 0 && layout <= 6:
		c.channels = int(layout)
	case layout == 7, layout == 12, layout == 14:
		c.channels = 8
	case layout == 11:
		c.channels = 7
	case layout != 0 || c.object == erELD:
		return c, fmt.Errorf("channel configuration %d is not supported", layout)
	}
	if c.rate < 1 || c.rate > maxAACRate || c.output < 1 || c.output > maxAACRate {
		return c, fmt.Errorf("%d samples a second are out of range", c.rate)
	}
	return c, nil
}

var errCutShort = errors.New("it is cut short")

// gaSpecificConfig reads a GASpecificConfig (ISO/IEC 14496-3 4.4.1). It counts the channels where only a list in it does.
func (r *bitReader) gaSpecificConfig(c *aacConfig, listed bool, start int) error {
	short := r.flag()
	switch {
	case c.object == erAACLD && short:
		c.frame = 480
	case c.object == erAACLD:
		c.frame = 512
	case short:
		c.frame = 960
	default:
		c.frame = 1024
	}
	if r.flag() { // dependsOnCoreCoder
		r.skip(14)
	}
	extension := r.flag()
	if listed {
		if c.channels = r.programConfig(start); c.channels < 1 || c.channels > 8 {
			return errors.New("a channel layout that is described only in the stream, or has more than 8 channels, is not supported")
		}
	}
	if extension && c.object >= erAACLC {
		r.u(3) // resilience
	}
	if extension {
		r.u(1)
	}
	if c.object >= erAACLC && r.u(2) > 1 { // epConfig
		return errors.New("error protection is not supported")
	}
	return nil
}

// programConfig reads a program_config_element (ISO/IEC 14496-3 4.4.1.1), in an AudioSpecificConfig that begins at start, and
// returns how many channels it lists.
func (r *bitReader) programConfig(start int) (channels int) {
	r.skip(4 + 2 + 4)
	front, side, back, lfe, data, coupling := r.u(4), r.u(4), r.u(4), r.u(2), r.u(3), r.u(4)
	for _, n := range []int{4, 4} { // mono and stereo mixdown
		if r.flag() {
			r.skip(n)
		}
	}
	if r.flag() { // matrix mixdown
		r.u(3)
	}
	for range front + side + back {
		channels += 1 + int(r.u(1))
		r.u(4)
	}
	channels += int(lfe)
	r.skip(4*int(lfe+data) + 5*int(coupling))
	r.skip(-(r.at - start) & 7) // the next whole byte since start
	r.skip(8 * int(r.u(8)))     // a comment
	if r.short {
		return 0
	}
	return channels
}

// audioObject reads GetAudioObjectType (ISO/IEC 14496-3 1.6.2.1).
func (r *bitReader) audioObject() int {
	if object := r.u(5); object != 31 {
		return int(object)
	}
	return 32 + int(r.u(6))
}

// aacRate reads a sampling frequency, 0 where it is a reserved one.
func (r *bitReader) aacRate() uint32 {
	i := r.u(4)
	switch {
	case i == 15:
		return uint32(r.u(24))
	case int(i) < len(aacRates):
		return aacRates[i]
	}
	return 0
}
