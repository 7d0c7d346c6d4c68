// Package trees imports whole trees of files of other recorders.
//
//	trees.go   paths ─> files ─> streams ─> recorder/importer
//	names.go   of which camera a file is and when it begins, by its name, by a layout, or asked
//	open.go    a file as recorder/importer reads it
//	report.go  what became of the files
//
// Each file is taken or not by itself. What is there already is known by its time, so that an import that was stopped is run again
// as it was.
package trees
