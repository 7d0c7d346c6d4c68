// Command data makes the archives that the benchmarks measure with.
package main

import (
	"context"
	"flag"
	"fmt"
	"os"
	"os/signal"

	"nvrfs/bench"
)

func main() {
	dir := flag.String("dir", "", "directory of the data sets; takes up to 65 GB")
	binary := flag.String("nvrfs", "bin/nvrfs", "binary that imports them")
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	s := bench.Sets{Dir: *dir, Binary: *binary, Out: os.Stdout, Full: true}
	sets := flag.Args()
	if len(sets) == 0 {
		sets = []string{bench.Hour, bench.Day25, bench.Year8}
	}
	if err := s.Make(ctx, sets...); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}
