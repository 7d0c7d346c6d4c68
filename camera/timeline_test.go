package camera

import (
	"testing"
	"time"

	"nvrfs/media"
	"nvrfs/mp4/demux"
)

// take walks n events, and returns those of one track.
func take(line *timeline, n int, track *demux.Track) (events []event) {
	for range n {
		e, more := line.next()
		if !more {
			break
		}
		if e.track == track {
			events = append(events, e)
		}
	}
	return events
}

func TestTimelineOrder(t *testing.T) {
	for _, name := range []string{"aligned.mp4", "bframes.mp4", "hevc.mp4"} {
		line := newTimeline(loadClip(t, name), false)
		last := time.Duration(-1 << 63)
		for range 500 {
			e, more := line.next()
			if !more {
				t.Fatalf("%s: a loop ended", name)
			}
			if e.due < last {
				t.Fatalf("%s: due at %v, behind %v", name, e.due, last)
			}
			last = e.due
		}
	}
}

func TestTimelineOnce(t *testing.T) {
	clip := loadClip(t, "bframes.mp4")
	for _, track := range clip.Tracks() {
		for i, e := range take(newTimeline(clip, true), 1000, track) {
			if e.index != i || e.rtp != RTPTime(track, i) {
				t.Errorf("%s: event %d is sample %d at %d", track.Entry.Codec, i, e.index, e.rtp)
			}
		}
		if n := len(take(newTimeline(clip, true), 1000, track)); n != track.Len() {
			t.Errorf("%s: %d events for %d samples", track.Entry.Codec, n, track.Len())
		}
	}
}

// Where both tracks last equally long, a loop has no seam at all.
func TestTimelineLoopWithoutSeam(t *testing.T) {
	clip := loadClip(t, "aligned.mp4")
	for track, step := range map[*demux.Track]int64{clip.Video: 3600, clip.Audio: 1024} {
		for i, e := range take(newTimeline(clip, false), 1000, track) {
			if e.rtp != int64(i)*step {
				t.Fatalf("%s: event %d at %d, want %d", track.Entry.Codec, i, e.rtp, int64(i)*step)
			}
		}
	}
}

// Where the audio lasts longer, the video waits for it at the end of each lap.
func TestTimelineLoopKeepsInStep(t *testing.T) {
	clip := loadClip(t, "bframes.mp4")
	lap := clip.Audio.Duration() // 1/48000 s
	if clip.Duration() != time.Duration(media.Rescale(lap, 48000, 1e9)) {
		t.Fatalf("a lap lasts %v, want the audio's %d/48000 s", clip.Duration(), lap)
	}
	for _, track := range clip.Tracks() {
		n := track.Len()
		for i, e := range take(newTimeline(clip, false), 3000, track) {
			want := RTPTime(track, i%n) + media.Rescale(int64(i/n)*lap, 48000, track.Entry.Timescale)
			if e.index != i%n || e.rtp != want {
				t.Fatalf("%s: event %d is sample %d at %d, want sample %d at %d", track.Entry.Codec, i, e.index, e.rtp, i%n, want)
			}
		}
	}
}
