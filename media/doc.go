// Package media has the words that every other package uses of what cameras send: samples and their times, what a decoder must
// know of a track, and where samples come from. Each is defined here once.
//
//	Source ─Start, Sample, Sample, …─> Handler
//
// A sample is the data of one timestamp of one track: a picture, or a frame of sound. To this package it is bytes with times;
// what the bytes are, package codec knows.
package media
