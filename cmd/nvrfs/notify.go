package main

import (
	"fmt"
	"net"
	"time"

	"golang.org/x/sys/unix"
)

// notifyDeadline bounds telling the service manager, which only has to take a datagram.
const notifyDeadline = time.Second

// What a service manager is told, as by sd_notify(3).
const stateReady = "READY=1"

// stateReloading says that a reload begins; stateReady says that it is over. systemd wants to know when it began.
func stateReloading() string {
	var now unix.Timespec
	_ = unix.ClockGettime(unix.CLOCK_MONOTONIC, &now) // every Linux has this clock
	return fmt.Sprintf("RELOADING=1\nMONOTONIC_USEC=%d", now.Nano()/1000)
}

// notify tells the service manager that has started this process, if one has, how it is getting on. That manager can do without
// knowing, so that an error is only logged.
func (env *environment) notify(state string) {
	address, ok := env.lookupEnv("NOTIFY_SOCKET")
	if !ok || address == "" {
		return
	}
	conn, err := net.Dial("unixgram", address)
	if err == nil {
		defer conn.Close()
		_ = conn.SetWriteDeadline(time.Now().Add(notifyDeadline)) // Write tells
		_, err = conn.Write([]byte(state))
	}
	if err != nil {
		env.log.Warn("the service manager could not be told that nvrfs has started or reloaded", "err", err)
	}
}
