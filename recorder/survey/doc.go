// Package survey watches for some seconds what a camera sends, measures it, and says what is better set at the camera.
//
//	media.Source ─samples─> Survey ─> Report ─> Text, or JSON
//
// A Survey is the Handler of a session that records nothing. It keeps no sample, only counts and times.
package survey
