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
	{"read, x go-fuse's loopback", "SequentialRead", "x-loopback", false, 1.3},
}
