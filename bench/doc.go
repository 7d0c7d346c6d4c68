// Package bench measures nvrfs from outside, as its users meet it: the real binary in a process of its own, mounted, beside
// a peer that does the same work in the same run.
//
//	make bench-data   archives below BENCH_DATA, by nvrfs import: data/
//	make bench        every benchmark, here and in the other packages, then one table of goals and results: table/
//
// A benchmark reports its figures by testing.B.ReportMetric in units that name themselves ("x-loopback", "ns/sample").
// Without NVRFS_BENCH_DATA each runs on a minute of footage or less, so that the tests can tell that it still does.
package bench
