// Package cameras has the commands of nvrfs that find, add and test cameras, and that play one.
//
//	scan.go      who is on the local networks
//	add.go       a camera into the configuration file: asked (ask.go), tried, written (write.go), and taken in by what records (running.go)
//	test.go      what a camera sends, and what to change
//	play.go      an .mp4 file as a camera
//	password.go  where a password comes from
//
// Tables, and texts that a program reads, go to standard output; questions, and what happens meanwhile, to standard error.
package cameras
