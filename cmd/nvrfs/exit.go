package main

import (
	"context"
	"errors"
	"fmt"

	"nvrfs/config"
)

// The exit codes of every command.
const (
	exitOK          = 0   // done, or a service that was told to stop and did
	exitFailure     = 1   // it was tried and failed, or footage is damaged
	exitBadSetup    = 2   // wrong command line, configuration or environment; nothing was created
	exitInterrupted = 130 // SIGINT or SIGTERM before a one-shot command was done
)

// A usageError is a mistake on the command line.
type usageError struct{ err error }

func usageErrorf(format string, args ...any) error {
	return &usageError{fmt.Errorf(format, args...)}
}

func (e *usageError) Error() string { return e.err.Error() }
func (e *usageError) Unwrap() error { return e.err }

// An environmentError is something about this host that must be put right before nvrfs can work.
type environmentError struct {
	what string // the thing that was looked at: "mount point /mnt/nvr"
	why  string // what is wrong with it: "is not empty"
	fix  string // what to do: "choose an empty directory"
}

func (e *environmentError) Error() string { return e.what + ": " + e.why + "; " + e.fix }

// exitCode returns the code with which the process ends after err. A command that ends with the cancellation of ctx
// was interrupted; a service that stops as it should returns nil.
func exitCode(ctx context.Context, err error) int {
	switch {
	case err == nil:
		return exitOK
	case interrupted(ctx, err):
		return exitInterrupted
	case isBadSetup(err):
		return exitBadSetup
	default:
		return exitFailure
	}
}

func interrupted(ctx context.Context, err error) bool {
	return ctx.Err() != nil && errors.Is(err, context.Canceled)
}

func isBadSetup(err error) bool {
	var (
		usage       *usageError
		mistake     *config.Error
		environment *environmentError
	)
	return errors.As(err, &usage) || errors.As(err, &mistake) || errors.As(err, &environment)
}
