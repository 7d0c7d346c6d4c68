// Package bench is for the tests of the recorder's packages: a simulated camera, a disk that fails, and a bench, which is the core
// of a recorder without its goroutines.
//
//	Camera ─samples─> session.Session ─> volume.Writer ─> FaultStore ─> Dir
//	                                          └─────────> rows
//
// What a test gives a bench to do, it does at once. Each commit is followed by a check of everything that must hold.
package bench
