package rtsp

import (
	"regexp"
	"strings"
	"testing"

	"nvrfs/codec/codectest"
	"nvrfs/integration/oddcamera"
)

// marks changes the marker bits of the packets of pictures.
func marks(mark func(p *oddcamera.Packet) bool) oddcamera.Case {
	return oddcamera.Case{Packet: func(_ *oddcamera.Session, p *oddcamera.Packet) []*oddcamera.Packet {
		p.Marker = mark(p)
		return []*oddcamera.Packet{p}
	}}
}

// parts changes the NAL units of pictures.
func parts(change func(s *oddcamera.Session, u *oddcamera.Unit) [][]byte) oddcamera.Case {
	return oddcamera.Case{Unit: func(s *oddcamera.Session, u *oddcamera.Unit) []*oddcamera.Unit {
		u.Parts = change(s, u)
		return []*oddcamera.Unit{u}
	}}
}

// userData is a NAL unit of unregistered user data.
var userData = []byte{6, 5, 17, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16, 9, 0x80}

// oddPictureCases are cameras whose pictures are packed, marked or described wrongly. Every picture is recorded of each.
var oddPictureCases = map[string]oddcamera.Case{
	"every packet marked":     marks(func(*oddcamera.Packet) bool { return true }),
	"no packet marked":        marks(func(*oddcamera.Packet) bool { return false }),
	"the first packet marked": marks(func(p *oddcamera.Packet) bool { return p.First }),
	"marks that lie after a while": marks(func(p *oddcamera.Packet) bool {
		return p.Last || p.Unit.N > 30
	}),
	"100 NAL units a picture": parts(func(_ *oddcamera.Session, u *oddcamera.Unit) [][]byte {
		var many [][]byte
		for range 99 {
			many = append(many, userData)
		}
		return append(many, u.Parts...)
	}),
	"sets of two ids, of which the first is used": parts(func(s *oddcamera.Session, u *oddcamera.Unit) [][]byte {
		if !u.Sync {
			return u.Parts
		}
		sets := append(append([][]byte{}, s.Camera.Tracks[0].Sets...), codectest.SPSOf(1, 31, 20, false), codectest.PPSOf(1, 1, false))
		return append(sets, u.Parts...)
	}),
	"a set that cannot be read": parts(func(s *oddcamera.Session, u *oddcamera.Unit) [][]byte {
		if !u.Sync {
			return u.Parts
		}
		sets := s.Camera.Tracks[0].Sets
		return append([][]byte{sets[0], sets[1], sets[0][:5], {0x68}}, u.Parts...)
	}),
	"H.265 in the description": {SDP: func(s string) string {
		return regexp.MustCompile(`a=fmtp:96.*\r\n`).ReplaceAllString(strings.Replace(s, "H264/90000", "H265/90000", 1), "")
	}, Unit: inBand},
}

// TestOddPictures records every picture of odd cameras.
func TestOddPictures(t *testing.T) {
	for name, c := range oddPictureCases {
		for _, transport := range both {
			t.Run(name+" over "+string(transport), func(t *testing.T) {
				if !strings.HasPrefix(name, "100 ") { // so many packets overflow the kernel's buffer beside other tests
					t.Parallel()
				}
				testOdd(t, oddCase{Case: c, recorded: 1}, transport)
			})
		}
	}
	for name, c := range moreOddPictures() {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			testOdd(t, oddCase{Case: c, recorded: 1}, TCP)
		})
	}
}
