// Package bits reads and writes fields that are not whole bytes, the highest bit first, as the standards of codecs have them.
//
// It knows no codec. NAL units have a reader of their own in package nal, since theirs has bytes between that do not count.
package bits
