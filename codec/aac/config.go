package aac

import (
	"errors"
	"fmt"

	"nvrfs/codec/bits"
)

// A Config is what an AudioSpecificConfig (ISO/IEC 14496-3 1.6.2.1) says.
type Config struct {
	Bytes    []byte // as it was given
	Object   int    // the audio object type of the sound below what SBR adds
	Rate     uint32 // samples a second of the sound below what SBR adds
	Channels int
	Frame    uint32 // samples in a frame, of the sound below what SBR adds
	Output   uint32 // samples a second that a decoder makes, as far as the configuration says
	PS       bool   // a decoder makes two channels of the one in the stream
}

// Audio object types that say how what decoders make differs from what is coded (ISO/IEC 14496-3 table 1.17).
const (
	SBR = 5  // twice as many samples a second
	PS  = 29 // and two channels of one
)

// Other audio object types (ISO/IEC 14496-3 table 1.17).
const (
	aacMain = 1
	aacLC   = 2
	aacSSR  = 3
	aacLTP  = 4
	erAACLC = 17
	erAACLD = 23
	erELD   = 39
)

// notAAC names the object types that other cameras' sound may have.
var notAAC = map[int]string{aacSSR: "AAC-SSR", 6: "scalable AAC", 8: "CELP", 9: "HVXC", 20: "scalable AAC", 32: "MPEG-1 layer 1", 33: "MPEG-1 layer 2", 34: "MP3", 36: "ALS", 42: "xHE-AAC"}

// rates is indexed by samplingFrequencyIndex (ISO/IEC 14496-3 1.6.3.4).
var rates = [...]uint32{96000, 88200, 64000, 48000, 44100, 32000, 24000, 22050, 16000, 12000, 11025, 8000, 7350}

const maxRate = 192000

// ParseConfig reads a whole AudioSpecificConfig.
func ParseConfig(asc []byte) (Config, error) {
	r := bits.NewReader(asc)
	c, err := readConfig(r)
	if err != nil {
		return c, fmt.Errorf("AudioSpecificConfig: %w", err)
	}
	c.Bytes = asc
	readExtension(r, &c)
	return c, nil
}

// readExtension reads what follows an AudioSpecificConfig where SBR is said in a way that old decoders overlook (ISO/IEC 14496-3
// 1.6.2.1), if it does.
func readExtension(r *bits.Reader, c *Config) {
	ahead := *r
	if c.Output != c.Rate || ahead.U(11) != 0x2b7 || ahead.U(5) != SBR {
		return
	}
	if *r = ahead; !r.Flag() {
		return
	}
	if rate := readRate(r); rate > 0 && rate <= maxRate {
		c.Output = rate
	}
	if ahead = *r; ahead.U(11) == 0x548 {
		c.PS = ahead.Flag()
		*r = ahead
	}
}

// readConfig reads an AudioSpecificConfig that ends where it says, as StreamMuxConfig has it.
func readConfig(r *bits.Reader) (c Config, err error) {
	start := r.At()
	c.Object = readObject(r)
	c.Rate = readRate(r)
	layout := r.U(4)
	c.Output = c.Rate
	if c.Object == SBR || c.Object == PS {
		c.PS = c.Object == PS
		c.Output = readRate(r)
		c.Object = readObject(r)
	}
	switch {
	case r.Short:
		return c, errCutShort
	case c.Object == erELD:
		c.Frame = 512 - 32*uint32(r.U(1)) // ELDSpecificConfig, 4.6.20.3
	case c.Object == aacMain, c.Object == aacLC, c.Object == aacLTP, c.Object == erAACLC, c.Object == erAACLD:
		err = c.readGASpecificConfig(r, layout == 0, start)
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
	case layout != 0 || c.Object == erELD:
		return c, fmt.Errorf("channel configuration %d is not supported", layout)
	}
	if c.Rate < 1 || c.Rate > maxRate || c.Output < 1 || c.Output > maxRate {
		return c, fmt.Errorf("%d samples a second are out of range", c.Rate)
	}
	return c, nil
}

var errCutShort = errors.New("it is cut short")

// readGASpecificConfig reads a GASpecificConfig (ISO/IEC 14496-3 4.4.1). It counts the channels where only a list in it does.
func (c *Config) readGASpecificConfig(r *bits.Reader, listed bool, start int) error {
	short := r.Flag()
	switch {
	case c.Object == erAACLD && short:
		c.Frame = 480
	case c.Object == erAACLD:
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
		if c.Channels = readProgramConfig(r, start); c.Channels < 1 || c.Channels > 8 {
			return errors.New("a channel layout that is described only in the stream, or has more than 8 channels, is not supported")
		}
	}
	if extension && c.Object >= erAACLC {
		r.U(3) // resilience
	}
	if extension {
		r.U(1)
	}
	if c.Object >= erAACLC && r.U(2) > 1 { // epConfig
		return errors.New("error protection is not supported")
	}
	return nil
}

// readProgramConfig reads a program_config_element (ISO/IEC 14496-3 4.4.1.1), in an AudioSpecificConfig that begins at start, and
// returns how many channels it lists.
func readProgramConfig(r *bits.Reader, start int) (channels int) {
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
	r.Skip(-(r.At() - start) & 7) // the next whole byte since start
	r.Skip(8 * int(r.U(8)))       // a comment
	if r.Short {
		return 0
	}
	return channels
}

// readObject reads GetAudioObjectType (ISO/IEC 14496-3 1.6.2.1).
func readObject(r *bits.Reader) int {
	if object := r.U(5); object != 31 {
		return int(object)
	}
	return 32 + int(r.U(6))
}

// readRate reads a sampling frequency, 0 where it is a reserved one.
func readRate(r *bits.Reader) uint32 {
	i := r.U(4)
	switch {
	case i == 15:
		return uint32(r.U(24))
	case int(i) < len(rates):
		return rates[i]
	}
	return 0
}
