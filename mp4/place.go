package mp4

import (
	"fmt"
	"math"

	"nvrfs/media"
)

// placer puts parts on the File's timeline, one after the other.
//
// Parts of one run share its clock: their samples stand as far apart in the File as they stood in the run. Where a part
// does not continue the one before it, the master track goes on where it ended, and the other tracks keep the distance to
// the master that they had in the recording. The last sample of a piece lasts until the track's next sample, wherever that
// is; so tracks never drift apart, and no tick is lost to rounding.
type placer struct {
	f      *File
	shift  int64   // master ticks from the current run's clock to the File's timeline
	end    int64   // of the master track so far
	placed []int   // per track, the last part with a piece; -1 before the first
	last   []int64 // per track, the DTS of its last sample so far
}

func (f *File) placeParts() error {
	pl := &placer{f: f, placed: make([]int, len(f.tracks)), last: make([]int64, len(f.tracks))}
	for k := range pl.placed {
		pl.placed[k] = -1
	}
	for i := range f.parts {
		if err := pl.place(i); err != nil {
			return err
		}
	}
	master := &f.tracks[0]
	lead, _ := f.parts[0].window()
	_, shown := f.parts[len(f.parts)-1].window()
	lastStart := pl.start(0, len(f.parts)-1)
	f.shownStart, f.shownEnd = lead*master.pieces[0].scale, lastStart+shown*master.pieces[len(f.parts)-1].scale
	f.dropUnseen()
	return nil
}

func (pl *placer) place(i int) error {
	f := pl.f
	p := &f.parts[i]
	if src := f.tracks[0].pieces[i].src; src != 0 {
		return fmt.Errorf("recording %s has no %s, which the file starts with; choose a range without it", p.Name, f.tracks[0].kind)
	}
	if i == 0 || !p.continues(&f.parts[i-1]) || pl.overlap(i) > 0 {
		pl.shift = pl.joint(i) - p.Tracks[0].Start*f.tracks[0].pieces[i].scale
		pl.shift += pl.overlap(i)
	}
	for k := range f.tracks {
		if f.tracks[k].pieces[i].src >= 0 {
			if err := pl.placePiece(k, i); err != nil {
				return err
			}
		}
	}
	return nil
}

// joint returns where the master track of part i starts that does not continue the part before it: where that one ends,
// both in order of decoding and of showing, since a run with B-frames shows each frame later than one without.
func (pl *placer) joint(i int) int64 {
	if i == 0 {
		return 0
	}
	scale := pl.f.tracks[0].pieces[i].scale
	prev := &pl.f.parts[i-1]
	_, end := prev.window()
	if prev.trimmed {
		end = prev.ledEnd
	}
	shownEnd := pl.start(0, i-1) + end*pl.f.tracks[0].pieces[i-1].scale
	return max(pl.end, shownEnd-int64(pl.f.parts[i].Tracks[0].FirstCTS)*scale)
}

func (p *Part) continues(prev *Part) bool {
	return p.Run == prev.Run && p.Sequence == prev.Sequence+1
}

// start returns the DTS on the File's timeline of a track's first sample in part i.
func (pl *placer) start(k, i int) int64 {
	t, master := &pl.f.tracks[k], &pl.f.tracks[0]
	q := &t.pieces[i]
	return pl.f.parts[i].Tracks[q.src].Start*q.scale + media.Rescale(pl.shift, master.timescale, t.timescale)
}

// overlap returns by how many master ticks part i starts too early for every track's DTS to rise.
func (pl *placer) overlap(i int) (ticks int64) {
	for k := range pl.f.tracks {
		t := &pl.f.tracks[k]
		if t.pieces[i].src < 0 || pl.placed[k] < 0 {
			continue
		}
		if early := pl.last[k] + 1 - pl.start(k, i); early > 0 {
			ticks = max(ticks, media.Rescale(early, t.timescale, pl.f.tracks[0].timescale)+1)
		}
	}
	return ticks
}

func (pl *placer) placePiece(k, i int) error {
	t := &pl.f.tracks[k]
	q := &t.pieces[i]
	x := &pl.f.parts[i].Tracks[q.src]
	start := pl.start(k, i)
	if prev := pl.placed[k]; prev < 0 {
		t.start = start
	} else {
		delta := start - pl.last[k]
		if delta > math.MaxUint32 {
			return fmt.Errorf("the %s of recording %s comes too long after the one before it for one file; choose a shorter range", t.kind, pl.f.parts[i].Name)
		}
		t.pieces[prev].lastDelta = uint32(delta)
	}
	q.lastDelta = uint32(int64(x.LastDuration) * q.scale)
	pl.placed[k], pl.last[k] = i, start+(x.Duration-int64(x.LastDuration))*q.scale
	end := start + x.Duration*q.scale
	t.duration = end - t.start
	if k == 0 {
		pl.end = end
	}
	return nil
}

// edit is what a track's edit list (ISO/IEC 14496-12 8.6.6) says: first nothing for a while, then the media from a time on.
type edit struct {
	empty90k    int64
	mediaTime   int64 // track's timescale
	duration90k int64
}

// edit aligns a track with the master's first shown frame. What a cut range takes in beyond it is hidden.
func (f *File) edit(k int) edit {
	t, master := &f.tracks[k], &f.tracks[0]
	if k == 0 {
		return edit{mediaTime: f.shownStart, duration90k: f.Duration90k()}
	}
	shown90k := media.Rescale(f.shownStart, master.timescale, movieTimescale)
	e := edit{empty90k: max(0, media.Rescale(t.start, t.timescale, movieTimescale)-shown90k)}
	if e.empty90k == 0 {
		e.mediaTime = max(0, media.Rescale(f.shownStart, master.timescale, t.timescale)-t.start)
	}
	e.duration90k = media.Rescale(t.duration-e.mediaTime, t.timescale, movieTimescale)
	if f.parts[len(f.parts)-1].trimmed {
		e.duration90k = min(e.duration90k, f.Duration90k()-e.empty90k)
	}
	return e
}

// dropUnseen leaves out the tracks of which a cut range shows less than a tick: an edit of no duration is not allowed.
func (f *File) dropUnseen() {
	kept := 1
	for k := 1; k < len(f.tracks); k++ {
		if f.edit(k).duration90k > 0 {
			f.tracks[kept], f.tracks[k] = f.tracks[k], f.tracks[kept] // no two keep the same memory for the next File
			kept++
		}
	}
	f.tracks = f.tracks[:kept]
}
