#!/usr/bin/python3
"""An RTSP camera made of GStreamer's own server: H.264 with B-frames, and sound.

Usage: camera.py USER PASSWORD PATH...

Each PATH is a stream of its own, for one reader: a second one would set back the
times of the first. The port is printed on standard output once it listens. It
ends with standard input.

The encoder looks no further ahead than its B-frames take it; that of a PATH that
begins with "ahead" looks 40 frames further. A sender report that comes before
such a delay has settled puts the picture too early, by as much. The sound is
AAC; that of a PATH that begins with "opus" is Opus.
"""

import sys

import gi

gi.require_version("Gst", "1.0")
gi.require_version("GstRtsp", "1.0")
gi.require_version("GstRtspServer", "1.0")
from gi.repository import GLib, Gst, GstRtsp, GstRtspServer  # noqa: E402

PIPELINE = """(
  videotestsrc is-live=true pattern=ball ! video/x-raw,format=I420,width=320,height=240,framerate=25/1
    ! x264enc speed-preset=veryfast bframes=2 b-adapt=false key-int-max=25 bitrate=300
      %s threads=1
    ! video/x-h264,profile=high ! rtph264pay name=pay0 pt=96 config-interval=-1
  audiotestsrc is-live=true wave=ticks ! audio/x-raw,rate=48000,channels=1
    ! %s name=pay1 pt=97
)"""

AT_ONCE = "rc-lookahead=0 sync-lookahead=0 mb-tree=false"
AHEAD = "rc-lookahead=40"

AAC = "avenc_aac bitrate=64000 ! aacparse ! rtpmp4gpay"
OPUS = "opusenc bitrate=48000 ! rtpopuspay"


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
        look = AHEAD if path.startswith("ahead") else AT_ONCE
        factory.set_launch(PIPELINE % (look, OPUS if path.startswith("opus") else AAC))
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
