package camera

import (
	"errors"
	"fmt"
	"log/slog"
	"strings"
)

// Auth says how a camera asks for its user and password.
type Auth int

// Digest is the one of RFC 2617, with MD5, as cameras have it.
const (
	AuthAny    Auth = iota // offers both, the reader chooses
	AuthBasic              // only Basic
	AuthDigest             // only Digest
)

// Options describe one camera.
type Options struct {
	// Clip is what the camera plays, at Path. Required.
	Clip *Clip
	// Path of the stream in the URL; "stream" if empty.
	Path string
	// Others are further streams of the same camera, such as a sub stream, by path.
	// All other options are for them as well.
	Others map[string]*Clip

	// Listen is the TCP address for RTSP. Port 0 takes a free port, which URL tells.
	// "127.0.0.1:0" if empty.
	Listen string
	// UDP offers RTP over UDP as well as within the RTSP connection, from a pair of
	// free ports at Listen's host.
	UDP bool
	// User and Password are asked for where User is not empty, in the way of Auth.
	// A colon in them takes AuthDigest.
	User, Password string
	Auth           Auth

	// Once ends each stream behind the last frame of its clip: its readers are told
	// (RTCP BYE) and disconnected, and the path is not found from then on.
	// Otherwise clips are played in a loop.
	Once bool
	// StartOnPlay holds the first frame of a stream back until its first reader
	// plays, who thus gets the whole clip. Otherwise streams play from Start on.
	StartOnPlay bool

	// Log hears of slow readers and unreadable samples (warnings), and of readers
	// that come and go (debug). Nothing is logged if nil.
	Log *slog.Logger
}

// complete fills in the defaults and refuses what cannot be.
func (o Options) complete() (Options, error) {
	if o.Listen == "" {
		o.Listen = "127.0.0.1:0"
	}
	if o.Path == "" {
		o.Path = "stream"
	}
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
	if o.User == "" && (o.Password != "" || o.Auth != AuthAny) {
		return o, errors.New("a password or a way to ask for it, but no user")
	}
	if o.Auth < AuthAny || o.Auth > AuthDigest {
		return o, fmt.Errorf("unknown Auth %d", o.Auth)
	}
	if strings.Contains(o.User+o.Password, ":") && o.Auth != AuthDigest {
		return o, errors.New("a colon in the user or the password: Basic has no room for it, choose AuthDigest")
	}
	_, err := o.clips()
	return o, err
}

// clips lists all streams by path, without slashes around it.
func (o Options) clips() (map[string]*Clip, error) {
	clips := map[string]*Clip{trimPath(o.Path): o.Clip}
	for path, clip := range o.Others {
		if _, taken := clips[trimPath(path)]; taken {
			return nil, fmt.Errorf("two streams at the path %q", path)
		}
		clips[trimPath(path)] = clip
	}
	for path, clip := range clips {
		if clip == nil {
			return nil, fmt.Errorf("no clip for the path %q", path)
		}
	}
	return clips, nil
}

func trimPath(path string) string { return strings.Trim(path, "/") }
