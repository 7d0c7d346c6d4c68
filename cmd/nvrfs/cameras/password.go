package cameras

import (
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"

	"github.com/spf13/cobra"

	"nvrfs/config"
)

// passwordVariable is the environment variable in which a password may be handed over.
const passwordVariable = "NVRFS_CAMERA_PASSWORD"

// A login is the user and the password with which a camera is asked.
type login struct {
	user     string
	file     string // of --password-file
	password string
	known    bool // the password is known; it may be empty
}

func (l *login) addFlags(cmd *cobra.Command) {
	cmd.Flags().StringVar(&l.user, "user", "", "the `USER` of the camera; the password is asked for, or comes from "+passwordVariable)
	cmd.Flags().StringVar(&l.file, "password-file", "", "the `FILE` that holds the password and nothing else")
	_ = cmd.MarkFlagFilename("password-file")
}

// read gets the password of the user: from the file, the environment or the terminal, in this order.
func (env *Environment) read(l *login) error {
	switch fromEnv, ok := env.LookupEnv(passwordVariable); {
	case l.user == "" && l.file != "":
		return env.Usagef("--password-file needs --user")
	case l.user == "" || l.known:
		return nil
	case l.file != "":
		path, err := filepath.Abs(l.file)
		if err != nil {
			return fmt.Errorf("find %s: %w", l.file, err)
		}
		l.file = path
		if l.password, err = config.ReadSecret(path); err != nil {
			return env.Usagef("--password-file: %w", err)
		}
		return nil
	case ok && fromEnv != "":
		l.password = fromEnv
		return nil
	case env.ReadPassword == nil:
		return env.Usagef("there is no terminal to ask for the password of %s; name a file by --password-file, or set %s", l.user, passwordVariable)
	}
	fmt.Fprintf(env.Stderr, "Password of %s: ", l.user)
	password, err := env.ReadPassword()
	fmt.Fprintln(env.Stderr)
	if err != nil {
		return fmt.Errorf("read the password: %w", err)
	}
	if password == "" || strings.ContainsAny(password, "\r\n") {
		return env.Usagef("no password was given")
	}
	l.password = password
	return nil
}

// askUser asks for the user name and the password, where there is a terminal.
func (env *Environment) askUser(l *login) (asked bool, err error) {
	if env.ReadPassword == nil {
		return false, nil
	}
	fmt.Fprint(env.Stderr, "The camera asks who you are. User: ")
	line, err := readLine(env.Stdin)
	if err != nil {
		return false, fmt.Errorf("read the user name: %w", err)
	}
	if l.user = strings.TrimSpace(line); l.user == "" {
		return false, nil
	}
	return true, env.read(l)
}

// readLine reads a line and nothing of the next one, which is the password.
func readLine(r io.Reader) (string, error) {
	const most = 1024 // bytes
	var line []byte
	for b := make([]byte, 1); len(line) < most; {
		switch n, err := r.Read(b); {
		case n == 1 && b[0] == '\n', errors.Is(err, io.EOF):
			return string(line), nil
		case err != nil:
			return "", err
		case n == 1:
			line = append(line, b[0])
		}
	}
	return "", fmt.Errorf("it is longer than %d bytes", most)
}

// A secretFile is a file that is to be made for a password.
type secretFile struct{ path, password string }

// write makes the file, for those who may read the configuration file. It refuses to replace one that holds something else.
func (s secretFile) write(configFile string) (undo func(), err error) {
	if there, err := config.ReadSecret(s.path); err == nil && there == s.password {
		return func() {}, nil
	}
	info, err := os.Stat(configFile)
	if err != nil {
		return nil, err
	}
	mode := os.FileMode(0o600)
	if info.Mode().Perm()&0o044 == 0o040 { // its group reads the configuration, and others do not
		mode = 0o640
	}
	f, err := os.OpenFile(s.path, os.O_WRONLY|os.O_CREATE|os.O_EXCL, mode)
	if errors.Is(err, os.ErrExist) {
		return nil, fmt.Errorf("the file for the password, %s, is there already and holds something else; move it away, or name one by --password-file", s.path)
	}
	if err != nil {
		return nil, fmt.Errorf("make a file for the password: %w", err)
	}
	undo = func() { _ = os.Remove(s.path) }
	err = errors.Join(config.Own(f, info), f.Chmod(mode))
	if _, errW := f.WriteString(s.password + "\n"); errW != nil {
		err = errors.Join(err, errW)
	}
	if err = errors.Join(err, f.Sync(), f.Close()); err != nil {
		undo()
		return nil, fmt.Errorf("write the password to %s: %w", s.path, err)
	}
	return undo, nil
}
