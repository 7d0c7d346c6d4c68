#!/bin/sh
# Makes clips of half a second, of what the clips of package demux do not have.
#
#	mjpeg.mp4  Motion JPEG alone, with the Huffman tables of ITU-T T.81 Annex K, which RTP takes for granted
#	huffman.mp4  the same with tables of its own, which RTP cannot carry
#	mulaw.mov  H.264, and G.711 mu-law by the byte
#	sound.mp4  AAC alone
set -eu
cd "$(dirname "$0")"
ff() { ffmpeg -hide_banner -loglevel error -nostdin -y "$@"; }
picture="testsrc=size=64x48:rate=10:duration=0.5"
tone="sine=frequency=440:sample_rate=8000:duration=0.5"
out="-map_metadata -1 -threads 1 -fflags +bitexact -flags:v +bitexact -flags:a +bitexact"

ff -f lavfi -i "$picture" $out -c:v mjpeg -huffman default -pix_fmt yuvj420p mjpeg.mp4
ff -f lavfi -i "$picture" $out -c:v mjpeg -huffman optimal -pix_fmt yuvj420p huffman.mp4
ff -f lavfi -i "$picture" -f lavfi -i "$tone" $out -c:v libx264 -bf 0 -pix_fmt yuv420p -c:a pcm_mulaw mulaw.mov
ff -f lavfi -i "$tone" $out -c:a aac sound.mp4
