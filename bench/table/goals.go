package main

import "fmt"

// A goal is what a figure should be.
type goal struct {
	says  string // of the figure, for people
	bench string // name of the benchmark, without "Benchmark"
	unit  string
	most  bool // the goal is the most that it may be, and otherwise the least
	goal  float64
}

func (g goal) String() string {
	if g.most {
		return "at most " + number(g.goal)
	}
	return "at least " + number(g.goal)
}

// ratio says how a result stands to the goal: 1 and more keeps it.
func (g goal) ratio(result float64) string {
	better, worse := result, g.goal
	if g.most {
		better, worse = g.goal, result
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
	{"hot read, first time", "SequentialRead", "x-loopback", false, 1.3},
	{"... beside a loopback with our options", "SequentialRead", "x-loopback-same-options", false, 1},
	{"... server's CPU", "SequentialRead", "server-cpu-s/GB", true, 0.4},
	{"hot read, again", "Reread", "x-raw", false, 0.7},
	{"random reads of 4 KiB, median", "RandomRead", "x-loopback", true, 0.9},
	{"16 readers at once", "ManyReaders", "x-one-reader", false, 1},

	{"cold open of 25 hours: first 4 KiB", "Open", "ms/first-4KiB", true, 5},
	{"... a byte in the middle", "Open", "ms/random-4KiB", true, 1},
	{"... the whole moov", "Open", "ns/sample", true, 25},
	{"... its size", "Open", "bytes/video-sample", true, 5},
	{"decoding an index", "DecodeIndex/video_with_sound", "ns/sample", true, 5},
	{"... of video alone", "DecodeIndex/video", "ns/sample", true, 5},
	{"... its size", "DecodeIndex/video", "bytes/sample", true, 3.2},

	{"start with 4.2 million recordings", "Start", "ms/start", true, 300},
	{"... beside one with 3,000", "Start", "x-two-days", true, 1.2},
	{"ls of a day", "ListDay", "ms/ls", true, 2},
	{"find over a camera's year, first time", "Find", "x-ext4-first", true, 8},
	{"... again", "Find", "x-ext4-again", true, 5},
	{"... over eight cameras' years", "Find", "x-camera", true, 8},
	{"... memory", "Find", "MB-resident", true, 150},
	{"ls -l of 10,000 entries", "LargeDirectory", "x-ext4-first", true, 1.5},

	{"recording 1 stream", "Record/streams=1", "cpu-s/stream-minute", true, 0.45},
	{"recording 16 streams", "Record/streams=16", "cpu-s/stream-minute", true, 0.45},
	{"... memory", "Record/streams=16", "MB/stream", true, 8},
	{"... bytes to disk", "Record/streams=16", "x-sample-bytes", true, 1.01},
	{"recording 64 streams", "Record/streams=64", "cpu-s/stream-minute", true, 0.45},
	{"... memory", "Record/streams=64", "MB/stream", true, 8},
	{"... frames lost", "Record/streams=64", "frames-lost", true, 0},
	{"recording 16 streams beside a reader: frames lost", "Record/streams=16,reading", "frames-lost", true, 0},
}
