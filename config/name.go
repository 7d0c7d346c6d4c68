package config

import (
	"errors"
	"fmt"
	"strings"
)

// CheckName reports why name cannot be a camera's. A name becomes a directory and a part of file names, on Linux
// as behind Samba; the dot is what tells a second stream, "front-door.sub".
func CheckName(name string) error { return checkName("camera", name) }

// CheckStreamName reports why name cannot be that of a camera's stream. It is formed as a camera's.
func CheckStreamName(name string) error { return checkName("stream", name) }

// checkName reports why name cannot be that of a camera or a stream, which whose says.
func checkName(whose, name string) error {
	const want = "letters, digits, - and _, at most 64, starting with a letter or digit"
	letterOrDigit := func(c byte) bool {
		return 'a' <= c && c <= 'z' || 'A' <= c && c <= 'Z' || '0' <= c && c <= '9'
	}
	if name == "" || len(name) > 64 || !letterOrDigit(name[0]) {
		return fmt.Errorf("not a %s's name; want %s", whose, want)
	}
	for _, c := range name {
		if c != '-' && c != '_' && (c > 0x7f || !letterOrDigit(byte(c))) {
			return fmt.Errorf("a %s's name cannot hold %q; want %s", whose, c, want)
		}
	}
	if isWindowsDevice(name) {
		return errors.New("this name is a device to Windows, so shares would not show it; want another name")
	}
	return nil
}

// isWindowsDevice reports whether name, which is ASCII, is one that Windows reserves in every directory.
func isWindowsDevice(name string) bool {
	name = strings.ToLower(name)
	switch name {
	case "con", "prn", "aux", "nul":
		return true
	}
	return len(name) == 4 && (name[:3] == "com" || name[:3] == "lpt") && '0' <= name[3] && name[3] <= '9'
}
