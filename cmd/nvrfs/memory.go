package main

import (
	"os"
	"runtime/debug"

	"nvrfs/recorder/volume"
)

// memoryBesides is what a process takes beside its caches: for the requests of a few dozen readers, and to record dozens of
// streams.
const memoryBesides = 128 << 20

// limitMemory has the garbage collector work harder rather than let a process with full caches take twice what they hold,
// unless GOMEMLIMIT says otherwise. A limit that is reached costs half of the processor, and must not be when a disk stalls:
// so what may then wait for each of the disks that are recorded to counts, too. It may be called again when these have changed.
func limitMemory(cache int64, disks int) {
	if os.Getenv("GOMEMLIMIT") == "" {
		debug.SetMemoryLimit(cache + memoryBesides + int64(disks)*volume.MaxBacklog)
	}
}
