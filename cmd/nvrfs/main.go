package main

import (
	"context"
	"os"
	"os/signal"
	"syscall"
	"time"
)

// patience is how long stopping may take before a second signal ends the process.
const patience = 3 * time.Second

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	// A later signal ends the process at once; one that comes with the first, as from a shell and its group, does not.
	context.AfterFunc(ctx, func() { time.AfterFunc(patience, stop) })
	hangups := make(chan os.Signal, 1) // has room for one: whatever it asks for, one that comes meanwhile asks for the same
	signal.Notify(hangups, syscall.SIGHUP)
	os.Exit(run(ctx, os.Args[1:], hangups, os.Stdin, os.Stdout, os.Stderr))
}
