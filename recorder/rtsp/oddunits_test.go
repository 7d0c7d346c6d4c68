package rtsp

import (
	"bytes"

	"nvrfs/codec/codectest"
	"nvrfs/integration/oddcamera"
)

// before has something sent before a picture, of which it is a part.
func before(when func(u *oddcamera.Unit) bool, what func(s *oddcamera.Session, u *oddcamera.Unit) [][]byte) oddcamera.Case {
	return parts(func(s *oddcamera.Session, u *oddcamera.Unit) [][]byte {
		if !when(u) {
			return u.Parts
		}
		return append(append([][]byte{}, what(s, u)...), u.Parts...)
	})
}

func atSync(u *oddcamera.Unit) bool      { return u.Sync }
func always(*oddcamera.Unit) bool        { return true }
func sets(s *oddcamera.Session) [][]byte { return s.Camera.Tracks[0].Sets }

func unitsOf(u ...[]byte) func(*oddcamera.Session, *oddcamera.Unit) [][]byte {
	return func(*oddcamera.Session, *oddcamera.Unit) [][]byte { return u }
}

// sei is a message of so many bytes of user data (ITU-T H.264 D.2.6).
func sei(n int) []byte {
	m := []byte{6, 5}
	for size := n; ; size -= 255 {
		if size < 255 {
			m = append(m, byte(size))
			break
		}
		m = append(m, 255)
	}
	return append(append(m, bytes.Repeat([]byte{0x55}, n)...), 0x80)
}

// payloads changes how a picture is put into packets.
func payloads(how func(units [][]byte) [][]byte) oddcamera.Case {
	return oddcamera.Case{Unit: func(s *oddcamera.Session, u *oddcamera.Unit) []*oddcamera.Unit {
		s.Camera.Tracks[0].Payloads = how
		return []*oddcamera.Unit{u}
	}}
}

// fragments makes fragments of so many bytes of each NAL unit, however small it is.
func fragments(size int, heads func(first, last bool, fu byte) byte) func([][]byte) [][]byte {
	return func(units [][]byte) (out [][]byte) {
		for _, u := range units {
			rest := u[1:]
			for first := true; first || len(rest) > 0; first = false {
				n := min(size, len(rest))
				fu := u[0] & 0x1f
				last := n == len(rest)
				if first {
					fu |= 0x80
				}
				if last {
					fu |= 0x40
				}
				out = append(out, append([]byte{u[0]&0xe0 | 28, heads(first, last, fu)}, rest[:n]...))
				rest = rest[n:]
			}
		}
		return out
	}
}

func asIs(_, _ bool, fu byte) byte { return fu }

func aggregate(units ...[]byte) []byte {
	out := []byte{24}
	for _, u := range units {
		out = append(append(out, byte(len(u)>>8), byte(len(u))), u...)
	}
	return out
}

func moreOddPictures() map[string]oddcamera.Case {
	return map[string]oddcamera.Case{
		"a delimiter of every kind":           before(always, func(_ *oddcamera.Session, u *oddcamera.Unit) [][]byte { return [][]byte{{9, byte(u.N) << 5}} }),
		"two delimiters":                      before(always, unitsOf([]byte{9, 0xf0}, []byte{9, 0xf0})),
		"delimiters of sync samples alone":    before(atSync, unitsOf([]byte{9, 0x10})),
		"a message of 60 KB":                  before(atSync, unitsOf(sei(60000))),
		"50 messages a picture":               before(always, unitsOf(bytesOf(50, userData)...)),
		"a message cut short":                 before(always, unitsOf([]byte{6, 5, 255, 255, 255, 1})),
		"sets twice a picture":                before(always, func(s *oddcamera.Session, _ *oddcamera.Unit) [][]byte { return append(sets(s), sets(s)...) }),
		"sets in another order":               before(atSync, func(s *oddcamera.Session, _ *oddcamera.Unit) [][]byte { return [][]byte{sets(s)[1], sets(s)[0]} }),
		"a PPS of no SPS":                     before(atSync, unitsOf(codectest.PPSOf(9, 7, false))),
		"an SPS of a profile that nobody has": before(atSync, unitsOf([]byte{0x67, 0xff, 0xff, 0xff, 0x80})),
		"SPS extensions":                      before(atSync, unitsOf([]byte{13, 0x88, 0x80}, []byte{15, 0x64, 0, 31, 0xac})),
		"a filler in front":                   before(always, unitsOf(append(bytes.Repeat([]byte{0xff}, 900), 0x80))),
		"fillers":                             before(always, unitsOf(append(append([]byte{12}, bytes.Repeat([]byte{0xff}, 3000)...), 0x80))),
		"units of unknown types":              before(always, unitsOf([]byte{0x1f, 1, 2}, []byte{0x60, 1}, []byte{30, 1, 2})),
		"fillers behind": parts(func(_ *oddcamera.Session, u *oddcamera.Unit) [][]byte {
			return append(append([][]byte{}, u.Parts...), []byte{12, 0x80})
		}),
		"zeros behind": parts(func(_ *oddcamera.Session, u *oddcamera.Unit) [][]byte {
			return append(append([][]byte{}, u.Parts...), []byte{0, 0}, []byte{0})
		}),
		"units of one byte":               before(always, unitsOf([]byte{0x67}, []byte{0x68}, []byte{6}, []byte{9}, []byte{0x65}, []byte{0x41})),
		"fragments of one byte":           payloads(fragments(1, asIs)),
		"fragments of both start and end": payloads(fragments(1<<16-100, func(_, _ bool, fu byte) byte { return fu | 0xc0 })),
		"fragments with the reserved bit": payloads(fragments(1000, func(_, _ bool, fu byte) byte { return fu | 0x20 })),
		"fragments without an end":        payloads(fragments(1000, func(_, _ bool, fu byte) byte { return fu &^ 0x40 })),
		"empty fragments": payloads(func(units [][]byte) (out [][]byte) {
			for _, p := range fragments(1000, asIs)(units) {
				if p[1]&0xc0 == 0 {
					out = append(out, p[:2:2])
				}
				out = append(out, p)
			}
			return out
		}),
		"all in one aggregation": payloads(func(units [][]byte) [][]byte { return [][]byte{aggregate(units...)} }),
		"an aggregation of empty units": payloads(func(units [][]byte) (out [][]byte) {
			for _, u := range units {
				out = append(out, aggregate(nil, u, nil))
			}
			return out
		}),
		"an aggregation of nothing": payloads(func(units [][]byte) [][]byte {
			return append([][]byte{{24}, {24, 0, 0}}, oddcamera.H264Payloads(units)...)
		}),
		"an aggregation in an aggregation": payloads(func(units [][]byte) (out [][]byte) {
			for _, u := range units {
				out = append(out, aggregate([]byte{9, 0xf0}), aggregate(aggregate([]byte{9, 0xf0}), u))
			}
			return out
		}),
		"start codes in packets": payloads(func(units [][]byte) [][]byte {
			var all []byte
			for _, u := range units {
				all = append(append(all, 0, 0, 0, 1), u...)
			}
			return [][]byte{all}
		}),
		"start codes of three bytes before each": payloads(func(units [][]byte) (out [][]byte) {
			for _, u := range units {
				out = append(out, append([]byte{0, 0, 1}, u...))
			}
			return out
		}),
		"start codes in fragments": payloads(func(units [][]byte) [][]byte {
			u := append([]byte{}, units[0]...)
			for _, x := range units[1:] {
				u = append(append(u, 0, 0, 0, 1), x...)
			}
			return fragments(900, asIs)([][]byte{u})
		}),
		"an interleaved type": payloads(func(units [][]byte) (out [][]byte) {
			for _, u := range units {
				out = append(out, append([]byte{25, 0, 7, byte(len(u) >> 8), byte(len(u))}, u...))
			}
			return out
		}),
		"two pictures of one timestamp each GOP": {Unit: func(_ *oddcamera.Session, u *oddcamera.Unit) []*oddcamera.Unit {
			if u.N%25 == 1 {
				u.Timestamp -= 3600
			}
			return []*oddcamera.Unit{u}
		}},
	}
}

func bytesOf(n int, b []byte) (all [][]byte) {
	for range n {
		all = append(all, b)
	}
	return all
}
