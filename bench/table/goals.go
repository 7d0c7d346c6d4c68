package main

import "fmt"

// A goal is what a figure should be.
type goal struct {
	says  string // of the figure, for people
	bench string // name of the benchmark, without "Benchmark"
	unit  string
	kind  goalKind
	goal  float64
}

type goalKind uint8

const (
	atMost goalKind = iota
	atLeast
	noGoal // it explains the figures around it
)

func (g goal) String() string {
	switch g.kind {
	case atMost:
		return "at most " + number(g.goal)
	case atLeast:
		return "at least " + number(g.goal)
	}
	return "-"
}

// ratio says how a result stands to the goal: 1 and more keeps it.
func (g goal) ratio(result float64) string {
	better, worse := result, g.goal
	switch g.kind {
	case atMost:
		better, worse = g.goal, result
	case noGoal:
		return ""
	}
	word := "kept"
	if better < worse {
		word = "missed"
	}
	if worse == 0 {
		return word
	}
	return fmt.Sprintf("%.2f %s", better/worse, word)
}

// goals are all that make bench looks for, in the order of its table.
var goals = []goal{
	{"hot read, first time", "SequentialRead", "x-loopback", atLeast, 1.3},
	{"... beside a loopback with our options", "SequentialRead", "x-loopback-same-options", atLeast, 1},
	{"... server's CPU", "SequentialRead", "server-cpu-s/GB", atMost, 0.4},
	{"hot read, again", "Reread", "x-raw", atLeast, 0.7},
	{"... beside a file in pages of 4 KiB", "Reread", "x-raw-in-4KiB-pages", noGoal, 0},
	{"cold read", "ColdRead", "x-raw", noGoal, 0},
	{"random reads of 4 KiB, median", "RandomRead", "x-loopback", atMost, 0.9},
	{"16 readers at once", "ManyReaders", "x-one-reader", atLeast, 1},

	{"first open of 25 hours: first 4 KiB", "Open", "ms/first-4KiB", atMost, 5},
	{"... a byte in the middle", "Open", "ms/random-4KiB", atMost, 1},
	{"... the whole moov", "Open", "ns/sample", atMost, 25},
	{"... its size", "Open", "bytes/video-sample", atMost, 5},
	{"first open of a jittery day: first 16 KiB", "FirstOpenOfAJitteryDay", "ms/open", atMost, 5},
	{"... of one from before rows had runs", "FirstOpenOfAJitteryDay", "ms/open-without-runs", noGoal, 0},
	{"decoding an index", "DecodeIndex/video_with_sound", "ns/sample", atMost, 5},
	{"... of video alone", "DecodeIndex/video", "ns/sample", atMost, 5},
	{"its size: of a video frame", "IndexSize", "bytes/video-frame", atMost, 3.2},
	{"... of an audio sample", "IndexSize", "bytes/audio-sample", atMost, 2},

	{"start with 4.2 million recordings", "Start", "ms/start", atMost, 300},
	{"... beside one with 3,000", "Start", "x-two-days", atMost, 1.2},
	{"ls of a day", "ListDay", "ms/ls", atMost, 2},
	{"find over a camera's year, first time", "Find", "x-ext4-first", atMost, 8},
	{"... beside ext4 that knows the names", "Find", "first-x-ext4-again", noGoal, 0},
	{"... again", "Find", "x-ext4-again", atMost, 5},
	{"... over eight cameras' years", "Find", "x-camera", atMost, 8},
	{"... memory", "Find", "MB-resident", atMost, 150},
	{"ls -l of 10,000 entries, first time", "LargeDirectory", "x-ext4-first", atMost, 1.5},
	{"... beside ext4 that knows the names", "LargeDirectory", "first-x-ext4-again", noGoal, 0},
	{"... again", "LargeDirectory", "x-ext4-again", atMost, 1.5},

	{"recording 1 stream", "Record/streams=1", "cpu-s/stream-minute", atMost, 0.45},
	{"... bytes to disk", "Record/streams=1", "x-sample-bytes", atMost, 1.01},
	{"recording 16 streams", "Record/streams=16", "cpu-s/stream-minute", atMost, 0.45},
	{"... memory", "Record/streams=16", "MB/stream", atMost, 8},
	{"... bytes to disk", "Record/streams=16", "x-sample-bytes", atMost, 1.01},
	{"... system calls of each", "Record/streams=16,strace", "syscalls/minute", noGoal, 0},
	{"... syncs of each", "Record/streams=16,strace", "syncs/minute", noGoal, 0},
	{"recording 64 streams", "Record/streams=64", "cpu-s/stream-minute", atMost, 0.45},
	{"... memory", "Record/streams=64", "MB/stream", atMost, 8},
	{"... bytes to disk", "Record/streams=64", "x-sample-bytes", atMost, 1.01},
	{"... frames lost", "Record/streams=64", "frames-lost", atMost, 0},
	{"recording 16 streams beside a reader: frames lost", "Record/streams=16,reading", "frames-lost", atMost, 0},
	{"... what it read", "Record/streams=16,reading", "read-MB/s", noGoal, 0},
}
