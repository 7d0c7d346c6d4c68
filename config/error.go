package config

import "fmt"

// An Error is a mistake in a configuration file: one line with its position, what is wrong, and what would be right. It
// quotes no secret. Line and Column start at 1; they are 0 if the mistake has no particular position.
type Error struct {
	File         string
	Line, Column int
	Err          error
}

func (e *Error) Error() string {
	if e.Line == 0 {
		return fmt.Sprintf("%s: %v", e.File, e.Err)
	}
	return fmt.Sprintf("%s:%d:%d: %v", e.File, e.Line, e.Column, e.Err)
}

func (e *Error) Unwrap() error { return e.Err }
