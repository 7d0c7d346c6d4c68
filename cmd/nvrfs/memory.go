package main

import (
	"math"
	"runtime/debug"

	"nvrfs/recorder/volume"
)

// memoryBesides is what a process takes beside its caches: for the requests of a few dozen readers, and to record dozens of
// streams.
const memoryBesides = 128 << 20

// limitMemory has the garbage collector work harder rather than let a process with full caches take twice what they hold,
// unless GOMEMLIMIT says otherwise. A limit that is reached costs half of the processor, and must not be when a disk stalls:
// so what may then wait for each of the disks that are recorded to counts, too.
func limitMemory(cache int64, disks int) {
	if debug.SetMemoryLimit(-1) == math.MaxInt64 {
		debug.SetMemoryLimit(cache + memoryBesides + int64(disks)*volume.MaxBacklog)
	}
}
