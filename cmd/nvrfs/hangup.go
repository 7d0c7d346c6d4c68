package main

import (
	"sync"

	"github.com/spf13/cobra"
)

// reloadsAtHangup marks a command that reads its configuration again at SIGHUP. Any other is stopped by it: its terminal has gone.
const reloadsAtHangup = "reloads-at-hangup"

func reloads(cmd *cobra.Command) bool { return cmd.Annotations[reloadsAtHangup] != "" }

// stopAtHangup has the command stopped at the first SIGHUP, also one that came before, until the function that it returns is called.
func (env *environment) stopAtHangup() (release func()) {
	done := make(chan struct{})
	var wg sync.WaitGroup
	wg.Go(func() {
		select {
		case <-env.hangups:
			env.hangUp()
		case <-done:
		}
	})
	return func() {
		close(done)
		wg.Wait()
	}
}
