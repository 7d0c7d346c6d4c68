// Package config reads the configuration file: YAML in, a checked value out. The first mistake is an Error, with file,
// line, what is wrong, and what would be right.
//
//	config.go   the value, and how it is read
//	camera.go   cameras and their streams
//	retain.go   how much footage is kept
//	cache.go    memory
//	secrets.go  URLs with passwords in them, which show themselves without
//	diff.go     what makes one configuration another
//	edit.go     edits of the text that keep all else of it, by way of cutter.go; file.go writes it
//	yaml.go     YAML read strictly, with the position of each value
//	words.go    "did you mean …?"
//
// A secret is in no error and in nothing that is printed, logged or marshalled: only URL.Reveal tells it.
//
// The package knows the file and nothing else: neither whether a directory is there nor what records into it.
package config
