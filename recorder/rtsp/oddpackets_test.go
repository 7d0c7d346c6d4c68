package rtsp

import (
	"encoding/binary"
	"sync"
	"testing"

	"github.com/pion/rtcp"
	"github.com/pion/rtp"

	"nvrfs/integration/oddcamera"
)

// each changes the packets of pictures, and of sound.
func eachPacket(change func(p *oddcamera.Packet)) oddcamera.Case {
	return oddcamera.Case{Packet: func(_ *oddcamera.Session, p *oddcamera.Packet) []*oddcamera.Packet {
		change(p)
		return []*oddcamera.Packet{p}
	}}
}

// besides has something sent beside each tenth packet of a picture.
func besides(raw func(p *oddcamera.Packet) []byte) oddcamera.Case {
	return oddcamera.Case{Packet: func(_ *oddcamera.Session, p *oddcamera.Packet) []*oddcamera.Packet {
		if p.Unit.Track > 0 || p.SequenceNumber%10 > 0 || p.Unit.N < 3 {
			return []*oddcamera.Packet{p}
		}
		return []*oddcamera.Packet{{Unit: p.Unit, Raw: raw(p)}, p}
	}}
}

func rtcpOf(p rtcp.Packet) []byte {
	b, err := p.Marshal()
	if err != nil {
		panic(err)
	}
	return b
}

// onControl has something sent as RTCP beside each tenth picture.
func onControl(data func(u *oddcamera.Unit) []byte) oddcamera.Case {
	return oddcamera.Case{Unit: func(s *oddcamera.Session, u *oddcamera.Unit) []*oddcamera.Unit {
		if u.Track == 0 && u.N%10 == 5 {
			s.Write(oddcamera.Frame(1, data(u)))
		}
		return []*oddcamera.Unit{u}
	}}
}

// oddPackets are cameras whose RTP is unusual, or in a part wrong. Every picture is recorded of each, and the sound.
var oddPackets = map[string]oddcamera.Case{
	"padding": eachPacket(func(p *oddcamera.Packet) { p.Padding, p.PaddingSize = true, byte(1+p.SequenceNumber%40) }),
	"contributors": eachPacket(func(p *oddcamera.Packet) {
		for i := range p.SequenceNumber % 8 {
			p.CSRC = append(p.CSRC, uint32(i))
		}
	}),
	"extensions": eachPacket(func(p *oddcamera.Packet) {
		p.Extension, p.ExtensionProfile = true, 0xabac // ONVIF Streaming Specification 6.3
		_ = p.SetExtension(0, make([]byte, 12))
	}),
	"long extensions": eachPacket(func(p *oddcamera.Packet) {
		p.Extension, p.ExtensionProfile = true, 0x1234
		_ = p.SetExtension(0, make([]byte, 48))
	}),
	"extensions of one byte": eachPacket(func(p *oddcamera.Packet) {
		p.Extension, p.ExtensionProfile = true, 0xbede
		_ = p.SetExtension(1, []byte{1, 2, 3})
	}),
	"sequence numbers of 8 bits":      eachPacket(func(p *oddcamera.Packet) { p.SequenceNumber &= 0xff }),
	"two sources in turn":             eachPacket(func(p *oddcamera.Packet) { p.SSRC += uint32(p.SequenceNumber % 2) }),
	"another source for each picture": eachPacket(func(p *oddcamera.Packet) { p.SSRC += uint32(p.Unit.N) }),
	"another source for each packet":  eachPacket(func(p *oddcamera.Packet) { p.SSRC += uint32(p.SequenceNumber) * 77777 }),
	"one source for both tracks":      eachPacket(func(p *oddcamera.Packet) { p.SSRC = 7 }),
	"sources of 0":                    eachPacket(func(p *oddcamera.Packet) { p.SSRC = 0 }),
	"sync samples of another source":  eachPacket(func(p *oddcamera.Packet) { p.SSRC += uint32(b2i(p.Unit.Sync && p.Unit.Track == 0)) }),
	"empty packets":                   besides(func(p *oddcamera.Packet) []byte { return again(p, nil) }),
	"packets of zeros":                besides(func(p *oddcamera.Packet) []byte { return again(p, make([]byte, 3)) }),
	"BYE": onControl(func(*oddcamera.Unit) []byte {
		return rtcpOf(&rtcp.Goodbye{Sources: []uint32{oddcamera.SSRC(0)}, Reason: "x"})
	}),
	"BYE of all": onControl(func(*oddcamera.Unit) []byte { return rtcpOf(&rtcp.Goodbye{}) }),
	"descriptions": onControl(func(*oddcamera.Unit) []byte {
		return append(rtcpOf(&rtcp.ReceiverReport{SSRC: 1}), rtcpOf(rtcp.NewCNAMESourceDescription(oddcamera.SSRC(0), "cam"))...)
	}),
	"reports of the application": onControl(func(*oddcamera.Unit) []byte {
		return []byte{0x80, 204, 0, 3, 0, 0, 0, 1, 'o', 'd', 'd', 'd', 1, 2, 3, 4}
	}),
	"reports of the second picture": onControl(func(u *oddcamera.Unit) []byte {
		return rtcpOf(&rtcp.SenderReport{SSRC: oddcamera.SSRC(0) + 1, NTPTime: 1, RTPTime: u.Timestamp})
	}),
}

// again has a packet of a picture sent with another payload, under the number of the one before.
func again(p *oddcamera.Packet, payload []byte) []byte {
	h := p.Header
	h.SequenceNumber--
	b, err := (&rtp.Packet{Header: h, Payload: payload}).Marshal()
	if err != nil {
		panic(err)
	}
	return b
}

// shared has the packets of all tracks be numbered together.
func shared() oddcamera.Case {
	var mu sync.Mutex
	next := map[*oddcamera.Session]uint16{}
	return oddcamera.Case{Packet: func(s *oddcamera.Session, p *oddcamera.Packet) []*oddcamera.Packet {
		mu.Lock()
		defer mu.Unlock()
		p.SequenceNumber = next[s]
		next[s]++
		return []*oddcamera.Packet{p}
	}}
}

// damagedPackets are cameras of which packets are damaged: what is whole is recorded, and the log says that something is not.
var damagedPackets = map[string]oddcamera.Case{
	"padding longer than the packet": besides(func(p *oddcamera.Packet) []byte {
		b := again(p, []byte{1, 2, 200})
		b[0] |= 0x20
		return b
	}),
	"contributors beyond the packet": besides(func(p *oddcamera.Packet) []byte { b := again(p, nil); b[0] |= 15; return b }),
	"an extension beyond the packet": besides(func(p *oddcamera.Packet) []byte {
		b := append(again(p, nil), 0xbe, 0xde, 0xff, 0xff)
		b[0] |= 0x10
		return b
	}),
	"a header cut short":      besides(func(p *oddcamera.Packet) []byte { return again(p, nil)[:7] }),
	"packets of one byte":     besides(func(*oddcamera.Packet) []byte { return []byte{0x80} }),
	"RTCP of no length":       onControl(func(*oddcamera.Unit) []byte { return []byte{0x80, 200} }),
	"RTCP of a length beyond": onControl(func(*oddcamera.Unit) []byte { return []byte{0x80, 200, 0xff, 0xff, 0, 0, 0, 0} }),
	"RTCP that is none":       onControl(func(*oddcamera.Unit) []byte { return binary.BigEndian.AppendUint64(nil, 0x123456789abcdef) }),
}

// uncountedPackets are cameras whose sequence numbers do not count their packets. All is recorded once that is known.
var uncountedPackets = map[string]oddcamera.Case{
	"random sequence numbers":                eachPacket(func(p *oddcamera.Packet) { p.SequenceNumber = uint16(uint32(p.SequenceNumber) * 2654435761 >> 7) }),
	"sequence numbers all 0":                 eachPacket(func(p *oddcamera.Packet) { p.SequenceNumber = 0 }),
	"one sequence number a picture":          eachPacket(func(p *oddcamera.Packet) { p.SequenceNumber = uint16(p.Unit.N) }),
	"sequence numbers that go down":          eachPacket(func(p *oddcamera.Packet) { p.SequenceNumber = -p.SequenceNumber }),
	"sequence numbers in steps of two":       eachPacket(func(p *oddcamera.Packet) { p.SequenceNumber *= 2 }),
	"sequence numbers of the other byte":     eachPacket(func(p *oddcamera.Packet) { p.SequenceNumber = p.SequenceNumber<<8 | p.SequenceNumber>>8 }),
	"sequence numbers that all tracks share": shared(),
}

func TestOddPackets(t *testing.T) {
	for name, c := range oddPackets {
		for _, transport := range both {
			t.Run(name+" over "+string(transport), func(t *testing.T) {
				t.Parallel()
				testOdd(t, oddCase{Case: c, sound: true, recorded: 2}, transport)
			})
		}
	}
	for name, c := range uncountedPackets {
		for _, transport := range both {
			t.Run(name+" over "+string(transport), func(t *testing.T) {
				t.Parallel()
				testOdd(t, oddCase{Case: c, sound: true, recorded: 2, late: true}, transport)
			})
		}
	}
	for name, c := range damagedPackets {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			testOdd(t, oddCase{Case: c, sound: true, recorded: 2, log: lossLine}, TCP)
		})
	}
}
