package main

import (
	"time"

	"github.com/schollz/progressbar/v3"
)

// A progress shows on a terminal how far a command has come. Elsewhere it is silent, so that logs and pipes stay clean.
// Its methods may be called from several goroutines.
type progress struct {
	bar *progressbar.ProgressBar // nil: silent
}

// newByteProgress shows a bar of total bytes; newCountProgress one of total things. What is being done, in a word or
// two, stands before the bar. A total below 0 is not known yet.
func (env *environment) newByteProgress(what string, total int64) *progress {
	return env.newProgress(what, total, progressbar.OptionShowBytes(true), progressbar.OptionUseIECUnits(true))
}

func (env *environment) newCountProgress(what string, total int64) *progress {
	return env.newProgress(what, total)
}

func (env *environment) newProgress(what string, total int64, options ...progressbar.Option) *progress {
	if !env.stderrTerminal {
		return &progress{}
	}
	options = append(
		options,
		progressbar.OptionShowCount(),
		progressbar.OptionUseANSICodes(true),
		progressbar.OptionSetWriter(env.stderr),
		progressbar.OptionSetDescription(what),
		progressbar.OptionSetWidth(30),
		progressbar.OptionThrottle(100*time.Millisecond),
		progressbar.OptionSetSpinnerChangeInterval(0), // or a goroutine would turn it
		progressbar.OptionClearOnFinish(),
	)
	return &progress{progressbar.NewOptions64(max(total, -1), options...)}
}

// Add says that n more bytes or things are done.
func (p *progress) Add(n int64) {
	if p.bar != nil {
		_ = p.bar.Add64(n) // a bar that cannot be drawn is no reason to fail
	}
}

// Write adds len(b), so that a progress can be one of the writers of an io.MultiWriter.
func (p *progress) Write(b []byte) (int, error) {
	p.Add(int64(len(b)))
	return len(b), nil
}

// Hide takes the bar off the screen until more is done, so that something else can be written there.
func (p *progress) Hide() {
	if p.bar != nil {
		_ = p.bar.Clear()
	}
}

// Close takes the bar off the screen, done or not.
func (p *progress) Close() {
	if p.bar != nil {
		_ = p.bar.Exit()
		_ = p.bar.Clear()
	}
}
