// Command table reads what go test -bench printed, and prints each figure that has a goal beside it.
package main

import (
	"bufio"
	"cmp"
	"fmt"
	"io"
	"os"
	"slices"
	"strconv"
	"strings"
)

func main() {
	in := io.Reader(os.Stdin)
	if len(os.Args) > 1 {
		f, err := os.Open(os.Args[1])
		if err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		defer f.Close()
		in = f
	}
	results, err := parse(in)
	if err == nil {
		err = write(os.Stdout, goals, results)
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

// A figure is one unit of one benchmark, without the suffix that says how many processors there were.
type figure struct{ bench, unit string }

// parse reads lines of Go's benchmark format. A benchmark that ran several times has several values.
func parse(in io.Reader) (map[figure][]float64, error) {
	results := map[figure][]float64{}
	lines := bufio.NewScanner(in)
	for lines.Scan() {
		fields := strings.Fields(lines.Text())
		if len(fields) < 4 || !strings.HasPrefix(fields[0], "Benchmark") {
			continue
		}
		name := strings.TrimPrefix(fields[0], "Benchmark")
		if i := strings.LastIndexByte(name, '-'); i > 0 {
			if _, err := strconv.Atoi(name[i+1:]); err == nil {
				name = name[:i]
			}
		}
		for i := 2; i+1 < len(fields); i += 2 {
			v, err := strconv.ParseFloat(fields[i], 64)
			if err != nil {
				return nil, fmt.Errorf("benchmark %s: %w", name, err)
			}
			f := figure{name, fields[i+1]}
			results[f] = append(results[f], v)
		}
	}
	return results, lines.Err()
}

// write prints a row for each goal, the median where a benchmark ran several times.
func write(out io.Writer, goals []goal, results map[figure][]float64) error {
	rows := [][4]string{{"figure", "goal", "result", "ratio"}, {"---", "---", "---", "---"}}
	for _, g := range goals {
		row := [4]string{g.says, g.String(), "not measured", ""}
		if v := results[figure{g.bench, g.unit}]; len(v) > 0 {
			m := median(v)
			row[2], row[3] = number(m)+" "+g.unit, g.ratio(m)
		}
		rows = append(rows, row)
	}
	width := [4]int{}
	for _, r := range rows {
		for i, c := range r {
			width[i] = max(width[i], len(c))
		}
	}
	w := bufio.NewWriter(out)
	for _, r := range rows {
		for i, c := range r {
			fmt.Fprintf(w, "| %-*s ", width[i], c)
		}
		fmt.Fprintln(w, "|")
	}
	return w.Flush()
}

func median(v []float64) float64 {
	s := slices.SortedFunc(slices.Values(v), cmp.Compare[float64])
	return (s[(len(s)-1)/2] + s[len(s)/2]) / 2
}

func number(v float64) string { return strconv.FormatFloat(v, 'g', 4, 64) }
