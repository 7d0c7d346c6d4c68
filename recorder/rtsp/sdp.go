package rtsp

import (
	"slices"
	"strconv"
	"strings"

	"github.com/bluenviron/gortsplib/v5/pkg/base"

	"nvrfs/codec"
	"nvrfs/recorder/guard"
)

// Of a session description, RFC 8866, which nvrfs reads itself: no line of it can have the camera refused, because lines that
// make no sense, and those that nothing depends on, are not looked at. What gortsplib gets is written anew from what is known.
const (
	maxFormats    = 16 // of a track
	maxParameters = 64 // of a format
)

// A described is a track as the camera describes it.
type described struct {
	kind     string // "video", "audio", "application"
	profile  string // "RTP/AVP" or "RTP/SAVP"
	control  string
	sendonly bool
	keys     []string // attributes for SRTP, whole
	formats  []describedFormat

	listed  []string // payload types of its m= line
	rtpmaps [][2]string
	fmtps   [][2]string
}

// A describedFormat is one format of a track.
type describedFormat struct {
	payloadType string
	rtpmap      string
	parameters  []string // "name=value"
}

// name is what people call a track: its first format.
func (t *described) name() string {
	name := ""
	if len(t.formats) > 0 {
		name, _, _ = strings.Cut(t.formats[0].rtpmap, "/")
	}
	if name == "" {
		name = strings.TrimSpace(t.kind + " of RTP payload type " + strings.Join(t.listed[:min(len(t.listed), 1)], ""))
	}
	return guard.Shorten(name, maxCodecName)
}

// readSDP reads a session description: the attributes of the session that gortsplib needs, whole, and the tracks.
func readSDP(sdp []byte) (session []string, tracks []*described) {
	text := strings.ToValidUTF8(string(sdp), "?")
	text = strings.Map(func(r rune) rune {
		if r < ' ' && !strings.ContainsRune("\r\n\t", r) || r == '\ufeff' || r == 0x7f {
			return -1
		}
		return r
	}, text)
	for line := range strings.FieldsFuncSeq(text, func(r rune) bool { return r == '\r' || r == '\n' }) {
		key, value, ok := strings.Cut(line, "=")
		key, value = strings.ToLower(strings.TrimSpace(key)), strings.TrimSpace(value)
		switch {
		case !ok:
		case key == "m":
			if len(tracks) > maxTracks {
				return session, tracks
			}
			tracks = append(tracks, newDescribed(value))
		case key != "a":
		case len(tracks) > 0:
			tracks[len(tracks)-1].attribute(value)
		default:
			session = append(session, sessionAttribute(value)...)
		}
	}
	for _, t := range tracks {
		t.match()
	}
	return session, tracks
}

// newDescribed reads an m= line: "video 0 RTP/AVP 96 97".
func newDescribed(value string) *described {
	words := strings.Fields(value)
	t := &described{profile: "RTP/AVP"}
	if len(words) > 0 {
		t.kind, words = strings.ToLower(words[0]), words[1:]
	}
	types := 1 // in words, behind the port
	if i := slices.IndexFunc(words, func(w string) bool { return strings.Contains(w, "AVP") || strings.Contains(w, "RTP") }); i >= 0 {
		types = i + 1
		if slices.Contains(strings.Split(words[i], "/"), "SAVP") {
			t.profile = "RTP/SAVP"
		}
	}
	for _, w := range words[min(types, len(words)):] {
		if n, err := strconv.ParseUint(w, 10, 7); err == nil && !slices.Contains(t.listed, strconv.FormatUint(n, 10)) {
			t.listed = append(t.listed, strconv.FormatUint(n, 10))
		}
	}
	return t
}

// sessionAttribute keeps an attribute of the session that gortsplib reads.
func sessionAttribute(value string) []string {
	name, rest, _ := strings.Cut(value, ":")
	switch strings.ToLower(strings.TrimSpace(name)) {
	case "control":
		if u, err := base.ParseURL(strings.TrimSpace(rest)); err == nil && u.Host != "" {
			return []string{"a=control:" + u.CloneWithoutCredentials().String()}
		}
	case "key-mgmt":
		return []string{"a=" + value}
	}
	return nil
}

// attribute reads an attribute of a track.
func (t *described) attribute(value string) {
	name, rest, _ := strings.Cut(value, ":")
	rest = strings.TrimSpace(rest)
	switch name = strings.ToLower(strings.TrimSpace(name)); name {
	case "rtpmap", "fmtp":
		payloadType, what, _ := strings.Cut(strings.ReplaceAll(rest, "\t", " "), " ")
		n, err := strconv.ParseUint(payloadType, 10, 7)
		if err != nil {
			return
		}
		entry := [2]string{strconv.FormatUint(n, 10), strings.TrimSpace(what)}
		if to := map[string]*[][2]string{"rtpmap": &t.rtpmaps, "fmtp": &t.fmtps}[name]; len(*to) < maxFormats {
			*to = append(*to, entry)
		}
	case "control":
		if t.control == "" {
			t.control = strings.Trim(rest, `"`)
		}
	case "sendonly":
		t.sendonly = true
	case "key-mgmt", "crypto":
		t.keys = append(t.keys, "a="+name+":"+rest)
	}
}

// match finds which attributes are those of which format.
func (t *described) match() {
	types := t.listed[:min(len(t.listed), maxFormats)]
	named := func(pt string) bool {
		return slices.ContainsFunc(t.rtpmaps, func(r [2]string) bool { return r[0] == pt })
	}
	if !slices.ContainsFunc(types, named) { // the m= line lists none of them, or wrong ones
		var all []string
		for _, r := range t.rtpmaps {
			if !slices.Contains(all, r[0]) {
				all = append(all, r[0])
			}
		}
		types = append(all, types...)
	}
	for _, pt := range types {
		f := describedFormat{payloadType: pt}
		for _, p := range t.fmtps {
			if p[0] == pt || len(types) == 1 && len(t.fmtps) == 1 { // the only one can be of no other format
				f.parameters = parameters(p[1])
				break
			}
		}
		rtpmap := ""
		if i := slices.IndexFunc(t.rtpmaps, func(r [2]string) bool { return r[0] == pt }); i >= 0 {
			rtpmap = t.rtpmaps[i][1]
		}
		f.rtpmap = codec.RTPMap(t.kind == "video", rtpmap, f.has)
		t.formats = append(t.formats, f)
	}
}

func (f *describedFormat) has(parameter string) bool {
	return slices.ContainsFunc(f.parameters, func(p string) bool { return strings.HasPrefix(strings.ToLower(p), parameter+"=") })
}

// parameters reads "name=value; name=value".
func parameters(fmtp string) (out []string) {
	for p := range strings.SplitSeq(fmtp, ";") {
		name, value, ok := strings.Cut(strings.TrimSpace(p), "=")
		if !ok || len(out) == maxParameters {
			continue
		}
		name, value = strings.TrimSpace(name), strings.TrimSpace(value)
		if mended := codec.MendParameter(name, value); mended != "" || value == "" {
			out = append(out, name+"="+mended)
		}
	}
	return out
}

// without returns the format without a parameter, or without any where i is out of range.
func (f describedFormat) without(i int) describedFormat {
	if i >= len(f.parameters) {
		f.parameters = nil
		return f
	}
	f.parameters = slices.Delete(slices.Clone(f.parameters), i, i+1)
	return f
}

// writeSDP writes a session description that gortsplib reads.
func writeSDP(session []string, tracks ...*described) []byte {
	var b strings.Builder
	line := func(parts ...string) { b.WriteString(strings.Join(parts, "") + "\r\n") }
	line("v=0")
	line("o=- 0 0 IN IP4 127.0.0.1")
	line("s=-")
	line("t=0 0")
	for _, a := range session {
		line(a)
	}
	for _, t := range tracks {
		types := ""
		for _, f := range t.formats {
			types += " " + f.payloadType
		}
		line("m=", t.kind, " 0 ", t.profile, types)
		if t.control != "" {
			line("a=control:", t.control)
		}
		for _, k := range t.keys {
			line(k)
		}
		for _, f := range t.formats {
			switch {
			case f.rtpmap == "":
			case codec.ReadsDescription(f.rtpmap): // behind a second space, gortsplib does not know it, and leaves it as it is
				line("a=rtpmap:", f.payloadType, "  ", f.rtpmap)
			default:
				line("a=rtpmap:", f.payloadType, " ", f.rtpmap)
			}
			if len(f.parameters) > 0 {
				line("a=fmtp:", f.payloadType, " ", strings.Join(f.parameters, ";"))
			}
		}
	}
	return []byte(b.String())
}
