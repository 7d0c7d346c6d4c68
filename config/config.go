package config

import (
	"fmt"
	"io"
	"io/fs"
	"net"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"
	_ "time/tzdata" // hosts and containers without a zone database know their time zone too
)

// Config is the content of the configuration file. All its paths are absolute.
type Config struct {
	Data      string         // directory of the database and of the sample files
	Mount     Mount          // Path is "" if the file has none
	Timezone  *time.Location // of the mount's days and hours; default: the host's
	HTTP      HTTP
	Cache     int64 // bytes of memory for what is shown; default DefaultCache
	Recording Recording
	Retain    Retain
	Cameras   []Camera // in the order of the file; at least one
}

// Mount says where the footage is mounted, and which owner and permissions its files have there.
type Mount struct {
	Path       string
	AllowOther bool        // users other than the one that runs nvrfs may read the mount
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

// Examples of good values, for messages.
const (
	dataExample    = "/var/lib/nvrfs"
	mountExample   = "/mnt/nvr"
	listenExample  = "127.0.0.1:8090"
	samplesExample = "/mnt/disk2/nvrfs"
	onvifExample   = "192.0.2.10, or http://192.0.2.10:8000/onvif/device_service"
	urlExample     = "rtsp://user:${FRONT_DOOR_PASSWORD}@192.0.2.10/stream1"
)

// Read reads the configuration file at path, as Parse does.
func Read(path string, env Lookup) (*Config, error) {
	text, err := ReadFile(path)
	if err != nil {
		return nil, err
	}
	return Parse(path, text, env)
}

// maxFile is more than a file of a thousand cameras has. YAML takes many times the memory of its text.
const maxFile = 1 << 20

// ReadFile returns the content of the configuration file at path, or as much of it as shows that it is too long.
func ReadFile(path string) ([]byte, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, &Error{File: path, Err: withoutPath(err)}
	}
	defer f.Close()
	text, err := io.ReadAll(io.LimitReader(f, maxFile+1)) // one byte too many is for Parse to refuse
	if err != nil {
		return nil, &Error{File: path, Err: withoutPath(err)}
	}
	return text, nil
}

// Lookup returns the value of an environment variable, and whether it is set, as os.LookupEnv does.
type Lookup func(name string) (string, bool)

// Parse returns the configuration in text, the content of the file at path. Relative paths in it start from the directory of the file.
//
// Secrets come from env and from files. If env is nil, Parse does not look for secrets, and URLs with secrets stay zero: that is for
// commands that do not record.
//
// A mistake is an Error.
func Parse(path string, text []byte, env Lookup) (*Config, error) {
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
	env       Lookup
}

func (r configReader) config(root yamlValue) (*Config, error) {
	c := &Config{
		Timezone: time.Local, Cache: DefaultCache, Recording: Recording{Length: time.Minute, Sync: 5 * time.Second},
		Retain: Retain{MinFree: MinFree{Part: 0.05}, AtLeast: defaultAtLeast},
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
		for k := range c.Cameras[i].Streams {
			limits := &c.Cameras[i].Streams[k].Retain
			*limits = withDefault(*limits, c.Retain.AtLeast)
		}
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
	loc, err := LoadTimezone(name)
	if err != nil {
		return nil, v.errorf("%w", err)
	}
	return loc, nil
}

// LoadTimezone returns the time zone that the IANA database calls name.
func LoadTimezone(name string) (*time.Location, error) {
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

// read returns r, with the values that v has in place of its own.
func (r Recording) read(v yamlValue) (Recording, error) {
	f := v.fields("length", "sync")
	optional(f, "length", &r.Length, durationWithin(time.Second, 10*time.Minute))
	optional(f, "sync", &r.Sync, durationWithin(100*time.Millisecond, time.Minute))
	return r, f.err
}
