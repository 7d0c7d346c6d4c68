// Package redact keeps secrets out of errors and logs.
//
// There are two ways, and both are used. Who knows a camera's URL takes exactly its secrets out, in whatever encoding they come
// back from the camera ([Secrets]). What is written at last, wherever it comes from, is searched for what looks like a password
// ([Text]).
package redact

// Hidden stands where a secret does.
const Hidden = "xxxxx"
