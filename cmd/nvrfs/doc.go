// Command nvrfs records RTSP cameras and shows the footage as a filesystem of .mp4 files.
//
//	main.go       signals, exit code
//	root.go       the tree of commands, the global flags, the one line an error becomes
//	exit.go       exit codes and the kinds of error that choose them
//	log.go        slog to stderr
//	preflight.go  what must be right on this host before anything is created
//	run.go, …     one file a subcommand
//
// Footage and tables that a program reads go to stdout; logs, progress and errors go to stderr. A password never goes
// to either: URLs are held as config.URL, which shows itself without one.
package main
