package main

import (
	"strings"
	"testing"
)

const printed = `goos: linux
BenchmarkRead/first-2   	       1	 123 ns/op	  1.50 x-loopback
BenchmarkRead/first-2   	       1	 125 ns/op	  1.10 x-loopback
BenchmarkRead/first-2   	       1	 125 ns/op	  1.20 x-loopback
BenchmarkOpen-2         	     100	 3.5 ms/open	 0 allocs/op
PASS
`

func TestTable(t *testing.T) {
	results, err := parse(strings.NewReader(printed))
	if err != nil {
		t.Fatal(err)
	}
	var out strings.Builder
	err = write(&out, []goal{
		{"read", "Read/first", "x-loopback", atLeast, 1.3},
		{"open", "Open", "ms/open", atMost, 5},
		{"allocations", "Open", "allocs/op", atMost, 0},
		{"list", "List", "x-ext4", atMost, 8},
		{"time", "Open", "ms/open", noGoal, 0},
	}, results)
	if err != nil {
		t.Fatal(err)
	}
	want := `| figure      | goal         | result         | ratio       |
| ---         | ---          | ---            | ---         |
| read        | at least 1.3 | 1.2 x-loopback | 0.92 missed |
| open        | at most 5    | 3.5 ms/open    | 1.43 kept   |
| allocations | at most 0    | 0 allocs/op    | kept        |
| list        | at most 8    | not measured   |             |
| time        | -            | 3.5 ms/open    |             |
`
	if out.String() != want {
		t.Errorf("got\n%s\nnot\n%s", out.String(), want)
	}
}
