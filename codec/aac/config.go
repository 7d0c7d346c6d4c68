package aac

import (
	"errors"
	"fmt"

	"nvrfs/codec/bits"
)

// A reader reads what ISO/IEC 14496-3 has in common.
type reader struct{ bits.Reader }

func newReader(p []byte) reader { return reader{bits.Reader{P: p}} }

// A Config is what an AudioSpecificConfig (ISO/IEC 14496-3 1.6.2.1) says.
type Config struct {
	Bytes    []byte // as it was given
	Object   int    // of the sound below what SBR adds
	Rate     uint32 // of that sound
	Channels int
	Frame    uint32 // samples of that sound in a frame
	Output   uint32 // samples a second that a decoder makes, as far as the configuration says
	PS       bool   // of which it makes two channels
}

// Audio object types (ISO/IEC 14496-3 table 1.17).
const (
	objectMain = 1
	objectLC   = 2
	objectSSR  = 3
	objectLTP  = 4
	SBR        = 5
	objectERLC = 17
	objectERLD = 23
	PS         = 29
	objectELD  = 39
)

// notAAC names the object types that other cameras' sound may have.
var notAAC = map[int]string{objectSSR: "AAC-SSR", 6: "scalable AAC", 8: "CELP", 9: "HVXC", 20: "scalable AAC", 32: "MPEG-1 layer 1", 33: "MPEG-1 layer 2", 34: "MP3", 36: "ALS", 42: "xHE-AAC"}

// aacRates is indexed by samplingFrequencyIndex (ISO/IEC 14496-3 1.6.3.4).
var aacRates = [...]uint32{96000, 88200, 64000, 48000, 44100, 32000, 24000, 22050, 16000, 12000, 11025, 8000, 7350}

const maxAACRate = 192000

// ParseConfig reads a whole AudioSpecificConfig.
func ParseConfig(asc []byte) (Config, error) {
	r := newReader(asc)
	c, err := readConfig(&r)
	if err != nil {
		return c, fmt.Errorf("AudioSpecificConfig: %w", err)
	}
	c.Bytes = asc
	r.extension(&c)
	return c, nil
}

// extension reads what follows an AudioSpecificConfig where SBR is said in a way that old decoders overlook (ISO/IEC 14496-3
// 1.6.2.1), if it does.
func (r *reader) extension(c *Config) {
	ahead := *r
	if c.Output != c.Rate || ahead.U(11) != 0x2b7 || ahead.U(5) != SBR {
		return
	}
	if *r = ahead; !r.Flag() {
		return
	}
	if rate := r.aacRate(); rate > 0 && rate <= maxAACRate {
		c.Output = rate
	}
	if ahead = *r; ahead.U(11) == 0x548 {
		c.PS = ahead.Flag()
		*r = ahead
	}
}

// readConfig reads an AudioSpecificConfig that ends where it says, as StreamMuxConfig has it.
func readConfig(r *reader) (c Config, err error) {
	start := r.At
	c.Object = r.audioObject()
	c.Rate = r.aacRate()
	layout := r.U(4)
	c.Output = c.Rate
	if c.Object == SBR || c.Object == PS {
		c.PS = c.Object == PS
		c.Output = r.aacRate()
		c.Object = r.audioObject()
	}
	switch {
	case r.Short:
		return c, errCutShort
	case c.Object == objectELD:
		c.Frame = 512 - 32*uint32(r.U(1)) // ELDSpecificConfig, 4.6.20.3
	case c.Object == objectMain, c.Object == objectLC, c.Object == objectLTP, c.Object == objectERLC, c.Object == objectERLD:
		err = r.gaSpecificConfig(&c, layout == 0, start)
	default:
		name, known := notAAC[c.Object]
		if !known {
			name = fmt.Sprintf("audio object type %d", c.Object)
		}
		return c, fmt.Errorf("%s is not supported; set the camera to AAC-LC", name)
	}
	switch {
	case err != nil:
		return c, err
	case r.Short:
		return c, errCutShort
	case layout > 0 && layout <= 6:
		c.Channels = int(layout)
	case layout == 7, layout == 12, layout == 14:
		c.Channels = 8
	case layout == 11:
		c.Channels = 7
	case layout != 0 || c.Object == objectELD:
		return c, fmt.Errorf("channel configuration %d is not supported", layout)
	}
	if c.Rate < 1 || c.Rate > maxAACRate || c.Output < 1 || c.Output > maxAACRate {
		return c, fmt.Errorf("%d samples a second are out of range", c.Rate)
	}
	return c, nil
}

var errCutShort = errors.New("it is cut short")

// gaSpecificConfig reads a GASpecificConfig (ISO/IEC 14496-3 4.4.1). It counts the channels where only a list in it does.
func (r *reader) gaSpecificConfig(c *Config, listed bool, start int) error {
	short := r.Flag()
	switch {
	case c.Object == objectERLD && short:
		c.Frame = 480
	case c.Object == objectERLD:
		c.Frame = 512
	case short:
		c.Frame = 960
	default:
		c.Frame = 1024
	}
	if r.Flag() { // dependsOnCoreCoder
		r.Skip(14)
	}
	extension := r.Flag()
	if listed {
		if c.Channels = r.programConfig(start); c.Channels < 1 || c.Channels > 8 {
			return errors.New("a channel layout that is described only in the stream, or has more than 8 channels, is not supported")
		}
	}
	if extension && c.Object >= objectERLC {
		r.U(3) // resilience
	}
	if extension {
		r.U(1)
	}
	if c.Object >= objectERLC && r.U(2) > 1 { // epConfig
		return errors.New("error protection is not supported")
	}
	return nil
}

// programConfig reads a program_config_element (ISO/IEC 14496-3 4.4.1.1), in an AudioSpecificConfig that begins at start, and
// returns how many channels it lists.
func (r *reader) programConfig(start int) (channels int) {
	r.Skip(4 + 2 + 4)
	front, side, back, lfe, data, coupling := r.U(4), r.U(4), r.U(4), r.U(2), r.U(3), r.U(4)
	for _, n := range []int{4, 4} { // mono and stereo mixdown
		if r.Flag() {
			r.Skip(n)
		}
	}
	if r.Flag() { // matrix mixdown
		r.U(3)
	}
	for range front + side + back {
		channels += 1 + int(r.U(1))
		r.U(4)
	}
	channels += int(lfe)
	r.Skip(4*int(lfe+data) + 5*int(coupling))
	r.Skip(-(r.At - start) & 7) // the next whole byte since start
	r.Skip(8 * int(r.U(8)))     // a comment
	if r.Short {
		return 0
	}
	return channels
}

// audioObject reads GetAudioObjectType (ISO/IEC 14496-3 1.6.2.1).
func (r *reader) audioObject() int {
	if object := r.U(5); object != 31 {
		return int(object)
	}
	return 32 + int(r.U(6))
}

// aacRate reads a sampling frequency, 0 where it is a reserved one.
func (r *reader) aacRate() uint32 {
	i := r.U(4)
	switch {
	case i == 15:
		return uint32(r.U(24))
	case int(i) < len(aacRates):
		return aacRates[i]
	}
	return 0
}
