package recorder

import (
	"errors"
	"strings"
	"testing"
	"time"

	"nvrfs/recorder/internal/bench"
)

// TestAtLeast has another program fill the disk.
func TestAtLeast(t *testing.T) {
	o := Options{Data: t.TempDir(), Streams: append(streamsOf(Limits{AtLeast: 95 * time.Second}, "a"), streamsOf(Limits{}, "b")...), MinFree: MinFree{Bytes: minFreeOfTest}}
	y := newYard(t, o)
	y.record(0, bench.Dawn, 20)()
	y.record(0, bench.Dawn.Add(time.Hour), 5)() // a gap does not count
	y.record(1, bench.Dawn, 5)()
	disk := newSmallDisk(y, 1<<30, minFreeOfTest)
	y.round()
	if got := len(y.numbers(0)); got != 25 {
		t.Fatalf("%d recordings are left before the disk is full", got)
	}
	disk.other += 2 * minFreeOfTest
	for range 50 {
		y.round()
		y.now = y.now.Add(5 * time.Second)
	}
	y.want(0, 16, 17, 18, 19, 20, 21, 22, 23, 24, 25)
	y.want(1)
	for i, s := range y.r.streams { // both are on that disk
		if err := s.mayRecord(); !errors.Is(err, errOnlyKept) {
			t.Errorf("stream %d: %v", i, err)
		}
	}
	if log := y.log.String(); strings.Count(log, "recording stops") != 2 || !strings.Contains(log, "at_least") || !strings.Contains(log, "see what else fills the disk") {
		t.Error(log)
	}
	disk.other -= 2 * minFreeOfTest
	y.round()
	for i, s := range y.r.streams {
		if err := s.mayRecord(); err != nil {
			t.Errorf("stream %d, when there is space again: %v", i, err)
		}
	}
	y.record(0, bench.Dawn.Add(2*time.Hour), 3)()
	disk.other += 2 * minFreeOfTest
	for range 30 {
		y.now = y.now.Add(5 * time.Second)
		y.round()
	}
	y.want(0, 19, 20, 21, 22, 23, 24, 25, 26, 27, 28)
	// What its own limits say is deleted nevertheless.
	y.r.streams[0].limits.Age = time.Hour
	y.now = bench.Dawn.Add(3*time.Hour + 5*time.Second)
	y.round()
	y.want(0, 26, 27, 28)
}

// TestAtLeastOfNewFootage has a disk that is full from the start: what is recorded first is kept, and then recording stops.
func TestAtLeastOfNewFootage(t *testing.T) {
	y := newYard(t, Options{Streams: streamsOf(Limits{AtLeast: time.Hour}, "a"), MinFree: MinFree{Bytes: minFreeOfTest}})
	newSmallDisk(y, 1<<30, 1<<20)
	y.round()
	if err := y.r.streams[0].mayRecord(); err != nil {
		t.Errorf("before anything is recorded: %v", err)
	}
	y.record(0, bench.Dawn, 3)()
	y.round()
	y.want(0, 1, 2, 3)
	if err := y.r.streams[0].mayRecord(); !errors.Is(err, errOnlyKept) {
		t.Errorf("then: %v", err)
	}
}
