package main

import (
	"fmt"
	"math"
	"runtime/debug"

	"nvrfs/recorder"
)

// smallestCache is enough to list and play, slowly.
const smallestCache = 4_000_000

// parseCache reads how much memory caches may take.
func parseCache(s string) (int64, error) {
	n, err := parseBytes(s)
	if err != nil || n < smallestCache {
		return 0, fmt.Errorf("%q; want a size of 4MB or more, such as 128MB", s)
	}
	return n, nil
}

func readCache(v yamlValue) (int64, error) {
	text, err := v.number("a size such as 128MB")
	if err != nil {
		return 0, err
	}
	n, err := parseCache(text)
	if err != nil {
		return 0, v.errorf("%w", err)
	}
	return n, nil
}

// memoryBesides is what a process takes beside its caches: for the requests of a few dozen readers, and to record dozens of
// streams.
const memoryBesides = 128 << 20

// limitMemory has the garbage collector work harder rather than let a process with full caches take twice what they hold,
// unless GOMEMLIMIT says otherwise. A limit that is reached costs half of the processor, and must not be when a disk stalls:
// so what may then wait for each of the disks that are recorded to counts, too.
func limitMemory(cache int64, disks int) {
	if debug.SetMemoryLimit(-1) == math.MaxInt64 {
		debug.SetMemoryLimit(cache + memoryBesides + int64(disks)*recorder.MaxBacklog)
	}
}
