#!/bin/sh
# Installs the Debian packages that a task needs and that are not there, or names the one command that does.
#
#   tools/deps.sh demo    what building and `nvrfs demo` need
#   tools/deps.sh test    what the tests need besides: players, and RTSP servers other than ours
#   tools/deps.sh bench   what the benchmarks need: a maker of footage, and a counter of system calls
set -eu

demo="gcc libc6-dev fuse3"
test="$demo ffmpeg mpv vlc-bin vlc-plugin-base fonts-dejavu-core rsync util-linux
  python3-gi gir1.2-gst-rtsp-server-1.0 glib-networking
  gstreamer1.0-tools gstreamer1.0-plugins-base gstreamer1.0-plugins-base-apps gstreamer1.0-plugins-good
  gstreamer1.0-plugins-bad gstreamer1.0-plugins-ugly gstreamer1.0-libav"

bench="$demo ffmpeg strace"

case "${1:-}" in
demo) wanted=$demo ;;
test) wanted=$test ;;
bench) wanted=$bench ;;
*) echo "usage: tools/deps.sh demo|test|bench" >&2; exit 2 ;;
esac

if ! command -v go >/dev/null; then
  echo "Go is missing; install Go 1.26 or newer, see https://go.dev/doc/install" >&2
  exit 1
fi
if ! command -v dpkg-query >/dev/null; then
  exit 0 # not Debian: the compiler and nvrfs itself say what they miss
fi
missing=
for p in $wanted; do
  dpkg-query -W -f '${db:Status-Status}' "$p" 2>/dev/null | grep -qx installed || missing="$missing $p"
done
[ -n "$missing" ] || exit 0
if [ "$(id -u)" -ne 0 ]; then
  # Without these, what there is can still be built and tried: the program names what it lacks.
  echo "Not installed:$missing" >&2
  echo "Install them with: sudo apt-get install --no-install-recommends$missing" >&2
  [ "$1" = demo ] && command -v gcc >/dev/null && exit 0
  exit 1
fi
echo "Installing from Debian:$missing" >&2
apt-get update -qq
DEBIAN_FRONTEND=noninteractive apt-get install -qq -y --no-install-recommends $missing >/dev/null
