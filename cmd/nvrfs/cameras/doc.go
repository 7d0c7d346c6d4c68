// Package cameras has the commands of nvrfs that find, add and test cameras, and that play one.
//
//	scan.go      which cameras are on the local networks
//	add.go       a camera into the configuration file: asked and tried (ask.go), written, and taken in by the recorder (running.go)
//	measure.go   what a camera sends, and what to change
//	play.go      an .mp4 file as a camera
//	password.go  where a password comes from
//
// Tables, and texts that a program reads, go to standard output; questions, and what happens meanwhile, to standard error.
package cameras
