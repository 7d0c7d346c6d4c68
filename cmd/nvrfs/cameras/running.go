package cameras

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"

	"nvrfs/store"
	"nvrfs/store/dir"
)

// takeIn has the recorder of a data directory read its configuration again, and says, for people, whether that was possible.
func takeIn(data, configFile string) string {
	if err := dir.CheckUnlocked(data); !errors.Is(err, store.ErrLocked) {
		return "nothing records now; the camera is recorded from the next start on: nvrfs run --config " + configFile
	}
	const byHand = "systemctl reload nvrfs, or send SIGHUP to its process"
	pid, ok := dir.Holder(data)
	if !ok || !isRun(pid) {
		return "a process records into " + data + ", and it cannot be seen from here which; have it read the configuration: " + byHand
	}
	if err := unix.Kill(pid, unix.SIGHUP); err != nil {
		return fmt.Sprintf("process %d records, and could not be told to read the configuration (%v); tell it: %s", pid, err, byHand)
	}
	return fmt.Sprintf("process %d, which records, was told to read the configuration; its log says that the camera was added", pid)
}

// isRun reports whether a process is nvrfs run. SIGHUP stops every other command.
func isRun(pid int) bool {
	text, err := os.ReadFile(filepath.Join("/proc", strconv.Itoa(pid), "cmdline"))
	if err != nil {
		return false
	}
	args := bytes.Split(text, []byte{0})
	for i := 1; i < len(args); i++ {
		switch arg := string(args[i]); {
		case arg == "--log-format", arg == "--log-level":
			i++ // its value
		case strings.HasPrefix(arg, "-"):
		default:
			return arg == "run"
		}
	}
	return false
}
