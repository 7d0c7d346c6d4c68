package main

import (
	"errors"
	"fmt"
	"io/fs"
	"net"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"
	_ "time/tzdata" // hosts and containers without a zone database know their time zone too

	"github.com/spf13/cobra"

	"nvrfs/playback"
	"nvrfs/recorder"
)

// Config is the content of the configuration file. All its paths are absolute.
type Config struct {
	Data      string         // directory of the database and of the sample files
	Mount     Mount          // Path is "" if the file has none
	Timezone  *time.Location // of the mount's days and hours; default: the host's
	HTTP      HTTP
	Cache     int64 // bytes of memory for what is shown; default playback.DefaultCache
	Recording Recording
	Retain    Retain
	Cameras   []Camera // in the order of the file; at least one
}

// Mount says where the footage is mounted, and whose it seems to be there.
type Mount struct {
	Path       string
	AllowOther bool        // users other than the one that mounts may enter
	UID, GID   uint32      // owner of every entry; default: who runs nvrfs
	Umask      fs.FileMode // permission bits that entries lack; default 0022
}

// HTTP says where the footage is served over HTTP.
type HTTP struct {
	Listen string // host:port; "" if the file has none, and nothing is served
}

// Recording says how streams are cut into sample files.
type Recording struct {
	Length time.Duration // of a recording, up to its next sync sample: 1s to 10m, default 60s
	Sync   time.Duration // how much footage may be lost with the power: 100ms to 1m, default 5s
}

// Camera is one camera with one or two streams.
type Camera struct {
	Name      string // letters, digits, - and _; a directory name on any system
	URL       CameraURL
	Sub       CameraURL       // the second stream, zero if there is none
	Samples   string          // directory of its sample files; "" is the one in Data
	Retain    recorder.Limits // of each of its streams
	Transport string          // "tcp" (the default: nothing is lost on the way), "udp" or "auto"
}

// Values that would be right, for messages.
const (
	dataExample   = "/var/lib/nvrfs"
	mountExample  = "/mnt/nvr"
	listenExample = "127.0.0.1:8090"
	urlExample    = "rtsp://user:${FRONT_DOOR_PASSWORD}@192.0.2.10/stream1"
)

// addConfigFlag adds the flag that names the configuration file.
func addConfigFlag(cmd *cobra.Command, path *string) {
	cmd.Flags().StringVarP(path, "config", "c", "nvrfs.yaml", "the configuration `FILE`")
	_ = cmd.MarkFlagFilename("config", "yaml", "yml")
}

// LoadConfig reads the configuration file at path. Relative paths in it start from the directory that it is in.
//
// Secrets come from env and from files. If env is nil they are not looked for, and the URLs that hold some stay zero:
// that is for commands that only look at footage.
//
// A mistake is a configError: one line with its place, what is wrong, and what would be right.
func LoadConfig(path string, env func(string) (string, bool)) (*Config, error) {
	text, err := os.ReadFile(path)
	if err != nil {
		err = fmt.Errorf("%w; name a readable configuration file with --config", withoutPath(err))
		return nil, &configError{file: path, err: err}
	}
	absolute, err := filepath.Abs(path)
	if err != nil {
		return nil, fmt.Errorf("find the directory of %s: %w", path, err)
	}
	root, err := parseYAML(path, text)
	if err != nil {
		return nil, err
	}
	c, err := configReader{directory: filepath.Dir(absolute), env: env}.config(root)
	if err != nil {
		return nil, err
	}
	return c, nil
}

// A configReader makes a Config of YAML values.
type configReader struct {
	directory string // from which relative paths start
	env       func(string) (string, bool)
}

func (r configReader) config(root yamlValue) (*Config, error) {
	c := &Config{
		Timezone: time.Local, Cache: playback.DefaultCache, Recording: Recording{Length: time.Minute, Sync: 5 * time.Second},
		Retain: Retain{MinFree: recorder.MinFree{Part: 0.05}, AtLeast: defaultAtLeast},
	}
	f := root.fields("data", "mount", "timezone", "http", "cache", "recording", "retain", "cameras")
	required(f, "data", dataExample, &c.Data, r.path(dataExample))
	optional(f, "mount", &c.Mount, r.mount)
	optional(f, "timezone", &c.Timezone, readTimezone)
	optional(f, "http", &c.HTTP, HTTP{}.read)
	optional(f, "cache", &c.Cache, readCache)
	optional(f, "recording", &c.Recording, c.Recording.read)
	optional(f, "retain", &c.Retain, c.Retain.read)
	required(f, "cameras", "{ front-door: { url: rtsp://192.0.2.10/stream1 } }", &c.Cameras, r.cameras)
	for i := range c.Cameras {
		c.Cameras[i].Retain = withDefault(c.Cameras[i].Retain, c.Retain.AtLeast)
	}
	return c, f.err
}

// path reads a path and makes it absolute.
func (r configReader) path(example string) func(yamlValue) (string, error) {
	return func(v yamlValue) (string, error) {
		path, err := v.text(example)
		if err != nil {
			return "", err
		}
		if path == "~" || strings.HasPrefix(path, "~/") {
			return "", v.errorf("~ has no meaning here; want the path in full, such as %s", example)
		}
		return r.absolute(path), nil
	}
}

func (r configReader) absolute(path string) string {
	if filepath.IsAbs(path) {
		return filepath.Clean(path)
	}
	return filepath.Join(r.directory, path)
}

// mount reads a mapping, or just the path.
func (r configReader) mount(v yamlValue) (Mount, error) {
	m := Mount{UID: uint32(os.Getuid()), GID: uint32(os.Getgid()), Umask: 0o022}
	readPath := r.path(mountExample)
	if !v.isMapping() {
		var err error
		m.Path, err = readPath(v)
		return m, err
	}
	f := v.fields("path", "allow_other", "uid", "gid", "umask")
	required(f, "path", mountExample, &m.Path, readPath)
	optional(f, "allow_other", &m.AllowOther, yamlValue.boolean)
	optional(f, "uid", &m.UID, yamlValue.id)
	optional(f, "gid", &m.GID, yamlValue.id)
	optional(f, "umask", &m.Umask, readUmask)
	return m, f.err
}

// readUmask reads permission bits, always as octal: people write 0027, "0027" and 27.
func readUmask(v yamlValue) (fs.FileMode, error) {
	const want = `up to four octal digits such as "0027"`
	digits, err := v.digits(want)
	if err != nil {
		return 0, err
	}
	bits, err := strconv.ParseUint(strings.TrimPrefix(digits, "0o"), 8, 16)
	if err != nil || bits > 0o777 {
		return 0, v.errorf("%q; want %s", digits, want)
	}
	return fs.FileMode(bits), nil
}

func readTimezone(v yamlValue) (*time.Location, error) {
	name, err := v.text("Europe/Berlin")
	if err != nil {
		return nil, err
	}
	loc, err := loadTimezone(name)
	if err != nil {
		return nil, v.errorf("%w", err)
	}
	return loc, nil
}

// loadTimezone returns the time zone that the IANA database calls name.
func loadTimezone(name string) (*time.Location, error) {
	if name != "" && name != "Local" { // which time.LoadLocation takes for UTC and for the host's
		if loc, err := time.LoadLocation(name); err == nil {
			return loc, nil
		}
	}
	return nil, fmt.Errorf("unknown time zone %q; want a name of the IANA database such as Europe/Berlin or UTC", name)
}

func (h HTTP) read(v yamlValue) (HTTP, error) {
	f := v.fields("listen")
	required(f, "listen", listenExample, &h.Listen, readListen)
	return h, f.err
}

func readListen(v yamlValue) (string, error) {
	address, err := v.text(listenExample)
	if err != nil {
		return "", err
	}
	if _, port, err := net.SplitHostPort(address); err != nil || port == "" {
		return "", v.errorf("%q is no address to listen at; want host:port, such as %s", address, listenExample)
	}
	return address, nil
}

// read returns r with those values replaced that v has.
func (r Recording) read(v yamlValue) (Recording, error) {
	f := v.fields("length", "sync")
	optional(f, "length", &r.Length, durationWithin(time.Second, 10*time.Minute))
	optional(f, "sync", &r.Sync, durationWithin(100*time.Millisecond, time.Minute))
	return r, f.err
}

func (r configReader) cameras(v yamlValue) ([]Camera, error) {
	names, values, err := v.entries()
	if err != nil {
		return nil, err
	}
	if len(names) == 0 {
		return nil, v.errorf("names no camera; want at least one, such as front-door: { url: rtsp://192.0.2.10/stream1 }")
	}
	cameras := make([]Camera, 0, len(names))
	for i, name := range names {
		if err := checkCameraName(name); err != nil {
			return nil, values[i].atKey().errorf("%w", err)
		}
		alike := func(c Camera) bool { return strings.EqualFold(c.Name, name) }
		if at := slices.IndexFunc(cameras, alike); at >= 0 {
			return nil, values[i].atKey().errorf(
				"the same as %q but for capitals, which some systems do not tell apart; want another name", cameras[at].Name)
		}
		camera, err := r.camera(name, values[i])
		if err != nil {
			return nil, err
		}
		cameras = append(cameras, camera)
	}
	return cameras, nil
}

func (r configReader) camera(name string, v yamlValue) (Camera, error) {
	c := Camera{Name: name, Transport: "tcp", Retain: recorder.Limits{AtLeast: unsaid}}
	f := v.fields("url", "sub", "transport", "samples", "retain")
	required(f, "url", urlExample, &c.URL, r.url)
	optional(f, "sub", &c.Sub, r.url)
	optional(f, "transport", &c.Transport, oneOf("tcp", "udp", "auto"))
	optional(f, "samples", &c.Samples, r.path("/mnt/disk2/nvrfs"))
	optional(f, "retain", &c.Retain, readLimits)
	return c, f.err
}

func (r configReader) url(v yamlValue) (CameraURL, error) {
	template, err := v.text(urlExample)
	if err != nil {
		return CameraURL{}, err
	}
	if r.env == nil && strings.Contains(template, "${") {
		return CameraURL{}, nil
	}
	url, err := ParseCameraURL(template, r.secret)
	if err != nil {
		return CameraURL{}, v.errorf("%w", err)
	}
	return url, nil
}

// secret returns what ${name} stands for: the environment variable name or, of "file:PATH", the content of that file.
func (r configReader) secret(name string) (string, error) {
	if path, ok := strings.CutPrefix(name, "file:"); ok {
		return readSecretFile(r.absolute(path))
	}
	return environmentSecret(name, r.env)
}

// checkCameraName reports why name cannot be a camera's. A name becomes a directory and a part of file names, on Linux
// as behind Samba; the dot is what tells a second stream, "front-door.sub".
func checkCameraName(name string) error {
	const want = "letters, digits, - and _, at most 64, starting with a letter or digit"
	letterOrDigit := func(c byte) bool {
		return 'a' <= c && c <= 'z' || 'A' <= c && c <= 'Z' || '0' <= c && c <= '9'
	}
	if name == "" || len(name) > 64 || !letterOrDigit(name[0]) {
		return errors.New("not a camera's name; want " + want)
	}
	for _, c := range name {
		if c != '-' && c != '_' && (c > 0x7f || !letterOrDigit(byte(c))) {
			return fmt.Errorf("a camera's name cannot hold %q; want %s", c, want)
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
