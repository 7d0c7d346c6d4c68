// Command peer mounts a directory with go-fuse's own loopback filesystem: what nvrfs is measured against. Without flags, its
// options are those of go-fuse's example/loopback. It never uses passthrough, which example/loopback does as root: then no
// read reaches the server, and there is nothing to compare.
//
//	peer [-max-write BYTES -read-ahead KB] DIR MOUNTPOINT
package main

import (
	"flag"
	"fmt"
	"io"
	"log"
	"os"
	"os/signal"
	"strconv"
	"syscall"
	"time"

	fusefs "github.com/hanwen/go-fuse/v2/fs"
	"github.com/hanwen/go-fuse/v2/fuse"
	"golang.org/x/sys/unix"
)

func main() {
	maxWrite := flag.Int("max-write", 0, "most `BYTES` of a request; 0 means go-fuse's default")
	readAhead := flag.Int("read-ahead", 0, "read-ahead of the mount in `KB`; 0 means the kernel's default")
	maxBackground := flag.Int("max-background", 0, "most requests at once of the kernel's own accord; 0 means its default")
	flag.Parse()
	if flag.NArg() != 2 {
		flag.Usage()
		os.Exit(2)
	}
	if err := serve(flag.Arg(1), flag.Arg(0), *maxWrite, *readAhead, *maxBackground); err != nil {
		log.Fatal(err)
	}
}

// serve shows dir at point until SIGINT or SIGTERM.
func serve(point, dir string, maxWrite, readAheadKB, maxBackground int) error {
	root, err := fusefs.NewLoopbackRoot(dir)
	if err != nil {
		return fmt.Errorf("show %s: %w", dir, err)
	}
	second := time.Second
	server, err := fusefs.Mount(point, root, &fusefs.Options{
		AttrTimeout: &second, EntryTimeout: &second, NullPermissions: true,
		MountOptions: fuse.MountOptions{
			FsName: dir, Name: "loopback", DirectMount: true,
			MaxWrite: maxWrite, MaxBackground: maxBackground, DisabledCapabilities: fuse.CAP_PASSTHROUGH,
			Logger: log.New(io.Discard, "", 0), // a request of a whole MiB does not fit its pipe, which it logs each time
		},
	})
	if err != nil {
		return fmt.Errorf("mount %s on %s: %w", dir, point, err)
	}
	if readAheadKB > 0 {
		if err := setReadAhead(point, readAheadKB); err != nil {
			return err
		}
	}
	stop := make(chan os.Signal, 1)
	signal.Notify(stop, os.Interrupt, syscall.SIGTERM)
	go func() {
		<-stop
		unix.Unmount(point, unix.MNT_DETACH) //nolint:errcheck // nothing is left to do
	}()
	fmt.Fprintln(os.Stderr, "mounted")
	server.Wait()
	return nil
}

func setReadAhead(point string, kb int) error {
	var st unix.Stat_t
	if err := unix.Stat(point, &st); err != nil {
		return fmt.Errorf("look at %s: %w", point, err)
	}
	path := fmt.Sprintf("/sys/class/bdi/%d:%d/read_ahead_kb", unix.Major(st.Dev), unix.Minor(st.Dev))
	return os.WriteFile(path, []byte(strconv.Itoa(kb)), 0)
}
