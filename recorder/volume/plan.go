package volume

// MaxFragment90k is the longest that a fragment without a sync sample becomes: what a kill of the process may lose.
const MaxFragment90k = 2 * 90000

// Master is the track that leads: it decides where fragments and recordings end. It is video, or sound where there is no video.
const Master = 0

// Video is the track of video, where there is one.
const Video = Master

// Quarter90k is a quarter of an hour, with each of which recordings end.
const Quarter90k = 15 * 60 * 90000

// EndAfter returns the wall time at, or after, which the recording that starts at start90k is to end. Every quarter of an
// hour, on which the hours of all time zones begin, is such a time; those in between are length90k apart, shifted by
// stagger90k so that the files of many streams do not all change at once. No recording is planned shorter than half of
// length90k, unless a quarter ends sooner.
func EndAfter(start90k, length90k, stagger90k int64) int64 {
	quarter := start90k - mod(start90k, Quarter90k)
	next := quarter + Quarter90k
	end := start90k + length90k
	if start90k-quarter < length90k/2 {
		end += stagger90k
	}
	if end > next-length90k/2 {
		end = next
	}
	return end
}

func mod(a, b int64) int64 { return ((a % b) + b) % b }
