package media

import (
	"math"
	"math/rand/v2"
	"testing"
	"time"
)

func TestTicks(t *testing.T) {
	tests := []struct {
		name string
		t90k int64
		time string // RFC 3339, nearest nanosecond
	}{
		{"epoch", 0, "1970-01-01T00:00:00Z"},
		{"one tick", 1, "1970-01-01T00:00:00.000011111Z"},
		{"five ticks round up", 5, "1970-01-01T00:00:00.000055556Z"},
		{"nine ticks are whole microseconds", 9, "1970-01-01T00:00:00.0001Z"},
		{"last tick of a second", 89_999, "1970-01-01T00:00:00.999988889Z"},
		{"one second", 90_000, "1970-01-01T00:00:01Z"},
		{"one tick before the epoch", -1, "1969-12-31T23:59:59.999988889Z"},
		{"one second before the epoch", -90_000, "1969-12-31T23:59:59Z"},
		{"a recording", 161_566_517_700_000, "2026-11-20T14:05:30Z"},
		{"beyond 2038", 652_907_952_000_001, "2199-11-20T12:00:00.000011111Z"},
		{"last tick before 2200", 653_230_655_999_999, "2199-12-31T23:59:59.999988889Z"},
		{"beyond the range of UnixNano", 1_000_000_000_000_000, "2322-02-05T19:45:11.111111111Z"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			want, err := time.Parse(time.RFC3339Nano, tt.time)
			if err != nil {
				t.Fatal(err)
			}
			got := ToTime(tt.t90k)
			if !got.Equal(want) || got.Location() != time.UTC {
				t.Errorf("ToTime(%d) = %v, want %v", tt.t90k, got, want)
			}
			if got := FromTime(want); got != tt.t90k {
				t.Errorf("FromTime(%v) = %d, want %d", want, got, tt.t90k)
			}
		})
	}
}

func TestFromTimeRounds(t *testing.T) {
	tests := []struct {
		ns, t90k int64
	}{
		{0, 0},
		{5_555, 0},
		{5_556, 1},
		{16_666, 1},
		{16_667, 2},
		{50_000, 5}, // 4.5 ticks: halves go towards the future
		{-50_000, -4},
		{999_994_444, 89_999},
		{999_994_445, 90_000},
		{-1, 0},
		{-5_556, -1},
	}
	for _, tt := range tests {
		if got := FromTime(time.Unix(0, tt.ns)); got != tt.t90k {
			t.Errorf("FromTime(%d ns) = %d, want %d", tt.ns, got, tt.t90k)
		}
	}
}

func TestTicksRoundTrip(t *testing.T) {
	check := func(t90k int64) {
		t.Helper()
		if got := FromTime(ToTime(t90k)); got != t90k {
			t.Fatalf("FromTime(ToTime(%d)) = %d", t90k, got)
		}
	}
	for t90k := int64(-100_000); t90k <= 100_000; t90k++ {
		check(t90k)
	}
	random := rand.New(rand.NewPCG(1, 2))
	for range 100_000 {
		check(int64(random.Uint64()))
	}
	check(math.MaxInt64)
	check(math.MinInt64)
}

func TestFromTimeIgnoresTheZone(t *testing.T) {
	utc := time.Date(2026, 11, 20, 14, 5, 30, 0, time.UTC)
	if got, want := FromTime(utc.In(time.FixedZone("", 5*3600+1800))), FromTime(utc); got != want {
		t.Errorf("FromTime in another zone = %d, want %d", got, want)
	}
}

func TestRescale(t *testing.T) {
	for _, test := range []struct {
		ticks    int64
		to, from uint32
		want     int64
	}{
		{512, 90000, 12800, 3600},
		{1001, 90000, 30000, 3003},
		{1, 90000, 1000, 90},
		{1, 2, 3, 1}, // 0.67
		{-1, 2, 3, -1},
		{-1024, 48000, 48000, -1024},
		{1 << 40, 1e9, 90000, 12216795864177778}, // 1<<40 * 1e9 does not fit in 64 bits
	} {
		if got := Rescale(test.ticks, test.from, test.to); got != test.want {
			t.Errorf("Rescale(%d, %d, %d) = %d, want %d", test.ticks, test.from, test.to, got, test.want)
		}
	}
}
