#!/usr/bin/python3
"""An RTSP camera made of GStreamer's own server.

Usage: camera.py USER PASSWORD PATH...

Each PATH is a stream of its own, for one reader: a second one would set back the
times of the first. The port is printed on standard output once it listens. It
ends with standard input.

The words of a PATH, with - between them, say what it sends: one of VIDEO and one
of AUDIO. Where there is none, it is H.264 with B-frames, and AAC; "novideo" and
"mute" leave a track out.

The H.264 encoder looks no further ahead than its B-frames take it; that of
"ahead" looks 40 frames further. A sender report that comes before such a delay
has settled puts the picture too early, by as much.
"""

import os
import sys

import gi

gi.require_version("Gst", "1.0")
gi.require_version("GstRtsp", "1.0")
gi.require_version("GstRtspServer", "1.0")
from gi.repository import GLib, Gst, GstRtsp, GstRtspServer  # noqa: E402

PICTURES = "videotestsrc is-live=true pattern=%s ! video/x-raw,format=%s,width=%d,height=%d,framerate=25/1 ! %s name=pay0"
H264 = """x264enc speed-preset=veryfast bframes=2 b-adapt=false key-int-max=25 bitrate=300 %s threads=1
    ! video/x-h264,profile=high ! rtph264pay pt=96 config-interval=-1"""
# H.265 is of files that are encoded beforehand, CLIPS/WORD.mp4, since its encoder would fall behind on a busy machine.
H265 = "filesrc location=%s/%s.mp4 ! qtdemux ! h265parse ! identity sync=true ! rtph265pay pt=96 config-interval=-1 name=pay0"
VIDEO = {
    "h264": ("ball", "I420", 320, 240, H264 % "rc-lookahead=0 sync-lookahead=0 mb-tree=false"),
    "ahead": ("ball", "I420", 320, 240, H264 % "rc-lookahead=40"),
    # A picture of which ffmpeg does not wrongly say that its end is missing.
    "mjpeg": ("pinwheel", "I420", 320, 240, "jpegenc ! rtpjpegpay pt=26"),
}

FILES = ("h265", "main10", "opengop")

SOUND = "audiotestsrc is-live=true wave=ticks ! audioconvert ! audioresample ! audio/x-raw,rate=%d,channels=1 ! %s name=pay%d"
AUDIO = {
    "aac": (48000, "avenc_aac bitrate=64000 ! aacparse ! rtpmp4gpay pt=97"),
    "latm": (16000, "avenc_aac bitrate=32000 ! aacparse ! rtpmp4apay pt=97"),
    "opus": (48000, "opusenc bitrate=48000 ! rtpopuspay pt=97"),
    "pcma": (8000, "alawenc ! rtppcmapay pt=8"),
    "pcmu": (8000, "mulawenc ! rtppcmupay pt=0"),
    "l16": (16000, "audioconvert ! rtpL16pay pt=97"),
    "mp3": (44100, "lamemp3enc target=bitrate bitrate=64 cbr=true ! mpegaudioparse ! rtpmpapay pt=14"),
    "g722": (16000, "avenc_g722 ! rtpg722pay pt=9"),
}


def pipeline(path):
    words = path.split("-")
    tracks = []
    if "novideo" not in words:
        word = next((w for w in words if w in VIDEO or w in FILES), "h264")
        tracks.append(H265 % (os.environ["CLIPS"], word) if word in FILES else PICTURES % VIDEO[word])
    if "mute" not in words:
        word = next((w for w in words if w in AUDIO), "aac")
        tracks.append(SOUND % (*AUDIO[word], len(tracks)))
    return "( %s )" % "\n".join(tracks)


def main(user, password, *paths):
    Gst.init(None)
    server = GstRtspServer.RTSPServer()
    server.set_address("127.0.0.1")
    server.set_service("0")

    token = GstRtspServer.RTSPToken()
    token.set_string("media.factory.role", user)
    auth = GstRtspServer.RTSPAuth()
    auth.set_supported_methods(GstRtsp.RTSPAuthMethod.DIGEST)
    auth.add_digest(user, password, token)
    server.set_auth(auth)

    for path in paths:
        factory = GstRtspServer.RTSPMediaFactory()
        factory.set_launch(pipeline(path))
        factory.add_role_from_structure(allowed(user))
        server.get_mount_points().add_factory("/" + path, factory)

    server.attach(None)
    print(server.get_bound_port(), flush=True)
    loop = GLib.MainLoop()
    GLib.io_add_watch(0, GLib.IO_HUP | GLib.IO_IN, lambda *_: loop.quit())
    loop.run()


def allowed(role):
    structure = Gst.Structure.new_empty(role)
    structure.set_value("media.factory.access", True)
    structure.set_value("media.factory.construct", True)
    return structure


main(*sys.argv[1:])
