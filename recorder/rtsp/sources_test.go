package rtsp

import (
	"math/rand/v2"
	"net"
	"slices"
	"testing"
	"time"

	"github.com/pion/rtp"
)

// TestSources has sources of packets take turns. Each step is packets of a source that come every 10 ms, and what becomes of them.
func TestSources(t *testing.T) {
	type step struct {
		ssrc  uint32
		stamp uint32
		n     int
		wait  time.Duration // before the first of them
	}
	for name, c := range map[string]struct {
		steps []step
		want  []int // of each step, how many packets are used
	}{
		"one":                             {[]step{{1, 0, 100, 0}}, []int{100}},
		"a stranger":                      {[]step{{1, 0, 10, 0}, {2, 1 << 30, 3, 0}, {1, 0, 10, 0}}, []int{10, 0, 10}},
		"a stranger of like timestamps":   {[]step{{1, 0, 10, 0}, {2, 100, 5, 0}, {1, 0, 10, 0}}, []int{10, 0, 10}},
		"another that goes on":            {[]step{{1, 0, 10, 0}, {2, 100, 40, 0}}, []int{10, 40}},
		"another that goes on, seldom":    {[]step{{1, 0, 10, 0}, {2, 100, 12, time.Second}}, []int{10, 12}},
		"a stranger after a pause":        {[]step{{1, 0, 10, 0}, {2, 100, 2, time.Second}, {3, 1 << 30, 2, time.Second}, {1, 0, 10, 0}}, []int{10, 0, 0, 10}},
		"others, in turns":                {[]step{{1, 0, 10, 0}, {2, 100, 9, 0}, {3, 200, 9, 0}, {4, 300, 40, 0}}, []int{10, 9, 9, 40}},
		"another that starts anew":        {[]step{{1, 0, 10, 0}, {2, 1 << 30, 60, 0}}, []int{10, 60}},
		"one that comes back":             {[]step{{1, 0, 10, 0}, {2, 1 << 30, 60, 0}, {1, 0, 60, 0}}, []int{10, 60, 60}},
		"three":                           {[]step{{1, 0, 10, 0}, {2, 1 << 30, 5, 0}, {3, 1 << 29, 60, 0}}, []int{10, 0, 60}},
		"a stranger while the other naps": {[]step{{1, 0, 10, 0}, {1, 0, 1, 2 * time.Second}, {2, 1 << 30, 50, time.Second}, {1, 0, 1, 0}}, []int{10, 1, 0, 1}},
	} {
		t.Run(name, func(t *testing.T) {
			var s sources[int]
			now, used := time.Now(), make([]int, len(c.steps))
			for i, x := range c.steps {
				now = now.Add(x.wait)
				for range x.n {
					now = now.Add(10 * time.Millisecond)
					for _, from := range s.add(x.ssrc, x.stamp, 0, 1000, i, now) {
						used[from]++
					}
				}
			}
			if !slices.Equal(used, c.want) {
				t.Errorf("%v are used, want %v", used, c.want)
			}
		})
	}
}

// TestSourcesAreBounded has a stranger send more than may wait.
func TestSourcesAreBounded(t *testing.T) {
	var s sources[int]
	now := time.Now()
	s.add(1, 0, 0, 1000, 0, now)
	for i := range 3 * mostWaiting {
		s.add(2, 1<<30, 0, 60_000, i, now)
		if len(s.waiting) > mostWaiting || s.bytes > mostWaitingBytes+60_000 {
			t.Fatalf("%d packets of %d bytes wait", len(s.waiting), s.bytes)
		}
	}
	if s.foreign == 0 {
		t.Error("none is taken for foreign")
	}
}

// TestSequence has packets come in another order, twice, and not at all.
func TestSequence(t *testing.T) {
	gaps := func(numbers ...int) (came []int) {
		var q sequence
		now := time.Now()
		take := func(packets []packet) {
			for _, p := range packets {
				for range p.lost {
					came = append(came, -1)
				}
				came = append(came, int(p.SequenceNumber))
			}
		}
		for _, n := range numbers {
			take(q.add(packet{Packet: &rtp.Packet{Header: rtp.Header{SequenceNumber: uint16(n)}}, received: now}))
		}
		take(q.overdue(now.Add(time.Hour)))
		return came
	}
	for name, c := range map[string]struct{ sent, want []int }{
		"in order":         {[]int{1, 2, 3}, []int{1, 2, 3}},
		"wraps":            {[]int{65534, 65535, 0, 1}, []int{65534, 65535, 0, 1}},
		"swapped":          {[]int{65534, 0, 65535, 2, 1}, []int{65534, 65535, 0, 1, 2}},
		"reversed":         {[]int{1, 5, 4, 3, 2}, []int{1, 2, 3, 4, 5}},
		"twice":            {[]int{1, 1, 2, 4, 4, 3, 2, 3, 5}, []int{1, 2, 3, 4, 5}},
		"lost":             {[]int{1, 4, 5}, []int{1, -1, -1, 4, 5}},
		"lost twice":       {[]int{1, 3, 5}, []int{1, -1, 3, -1, 5}},
		"begins anew":      {[]int{40000, 40001, 7, 8}, []int{40000, 40001, -1, 7, 8}},
		"goes on far back": {[]int{40000, 40001, 30000, 30001}, []int{40000, 40001, 30000, 30001}},
		"one far away":     {[]int{40000, 40001, 7, 40002, 9}, []int{40000, 40001, 40002}},
		"a late one":       {[]int{1000, 1001, 990, 1002}, []int{1000, 1001, 1002}},
	} {
		t.Run(name, func(t *testing.T) {
			if came := gaps(c.sent...); !slices.Equal(came, c.want) {
				t.Errorf("%.200v, want %v", came[:min(20, len(came))], c.want)
			}
		})
	}
}

// TestSequenceOfAnyOrder has packets come in any order that a network makes: each comes once, in order, or is counted as lost.
func TestSequenceOfAnyOrder(t *testing.T) {
	seed := rand.Uint64()
	rnd := rand.New(rand.NewPCG(seed, 1))
	var q sequence
	next, got, lost := uint16(0), 0, 0
	take := func(packets []packet) {
		for _, p := range packets {
			if next += uint16(p.lost); p.SequenceNumber != next && got > 0 {
				t.Fatalf("seed %d: packet %d, want %d", seed, p.SequenceNumber, next)
			}
			next, got, lost = p.SequenceNumber+1, got+1, lost+p.lost
		}
	}
	now, window := time.Now(), []int{}
	const n = 200_000
	for i := range n {
		window = append(window, i)
		if len(window) < 20 {
			continue
		}
		k := 0
		if i > 40 {
			k = rnd.IntN(len(window))
		}
		x := window[k]
		window = slices.Delete(window, k, k+1)
		now = now.Add(time.Millisecond)
		for range 1 + rnd.IntN(20)/19 {
			take(q.add(packet{Packet: &rtp.Packet{Header: rtp.Header{SequenceNumber: uint16(x)}}, received: now}))
		}
	}
	if got+lost < n-100 || got < n*9/10 {
		t.Errorf("seed %d: %d came, and %d are lost, of %d", seed, got, lost, n)
	}
}

// TestUDPConn has a camera over UDP change its source, with numbers that go back, while a stranger sends too: all packets of the camera
// come, with numbers that go on.
func TestUDPConn(t *testing.T) {
	conn, err := net.ListenUDP("udp", &net.UDPAddr{IP: net.IPv4(127, 0, 0, 1)})
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	strangers := 0
	c := &udpConn{UDPConn: conn, camera: net.IPv4(127, 0, 0, 1), onForeign: func() { strangers++ }}
	camera, err := net.DialUDP("udp", nil, conn.LocalAddr().(*net.UDPAddr))
	if err != nil {
		t.Fatal(err)
	}
	defer camera.Close()
	send := func(ssrc uint32, number uint16, n int) {
		b, err := (&rtp.Packet{Header: rtp.Header{Version: 2, PayloadType: 96, SSRC: ssrc, SequenceNumber: number, Timestamp: uint32(n) * 300}, Payload: []byte{byte(n)}}).Marshal()
		if err == nil {
			_, err = camera.Write(b)
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	buf := make([]byte, 2000)
	next := 0
	receive := func(until int) {
		for ; next < until; next++ {
			_ = c.SetReadDeadline(time.Now().Add(testTimeout))
			n, _, err := c.ReadFrom(buf)
			var p rtp.Packet
			if err == nil {
				err = p.Unmarshal(buf[:n])
			}
			if err != nil || p.SequenceNumber != uint16(65500+next) || p.Payload[0] != byte(next) {
				t.Fatalf("packet %d is %v, %v", next, p, err)
			}
		}
	}
	for i := range 100 {
		send(1, uint16(65500+i), i)
		if i%10 == 5 {
			send(9, 5, 1<<20)
		}
	}
	receive(100)
	for i := 100; i < 200; i++ {
		send(2, uint16(i), i)
	}
	receive(200)
	if strangers < 9 {
		t.Errorf("%d strangers", strangers)
	}
}
