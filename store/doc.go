// Package store has the words for where sample files lie, whatever keeps them: what names a sample file, what is asked of a
// store, what its errors mean, and how to ask disks that may hang. It moves no byte itself: package dir, below it, is a store in
// a local directory.
package store
