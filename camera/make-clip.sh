#!/bin/sh
# Makes clip.mp4, the embedded demo clip: 16 s of 640x360 H.264 at 25 frames/s,
# one GOP a second, without B-frames, with a running clock and a beep each
# second in AAC.
#
# 16 s are exactly 400 video frames and 750 AAC frames of 1024 samples at
# 48 kHz, so that the clip can be played in a loop without a seam. The AAC
# encoder's first frame holds nothing but its delay; so the audio, which
# repeats each second, is encoded for longer and its frames 751 to 1500 are
# kept: frame 0 of the clip then decodes to the sound of its own time, and
# continues frame 749 of the lap before.
#
# The same ffmpeg makes the same bytes each time.
set -eu
cd "$(dirname "$0")"
tmp=$(mktemp -d)
trap 'rm -rf "$tmp"' EXIT
ff() { ffmpeg -hide_banner -loglevel error -nostdin -y "$@"; }

# Minutes, seconds and frames, all from the frame number n: exact, where t is rounded.
clock='%{eif\:trunc(n/1500)\:d\:2}\:%{eif\:mod(trunc(n/25),60)\:d\:2}.%{eif\:mod(n,25)\:d\:2}'
font=$(fc-match -f '%{file}' 'DejaVu Sans Mono:bold')

ff -f lavfi -i "aevalsrc='0.25*sin(880*2*PI*t)*lt(mod(t,1),0.1)':s=48000:d=34" \
	-c:a aac -b:a 48k -ac 1 -flags:a +bitexact -frames:a 1501 -f adts "$tmp/all.aac"
ff -f aac -i "$tmp/all.aac" -c copy -bsf:a "noise=amount=0:drop=lt(n\\,751)" -frames:a 750 -f adts "$tmp/audio.aac"

# Without SEI (filter_units): the encoder's version and settings are no part of the picture.
ff -f lavfi -i "testsrc=size=640x360:rate=25:duration=16,format=yuv420p,
	drawbox=x=40:y=120:w=560:h=120:color=black:t=fill,
	drawtext=fontfile='$font':text='$clock':fontsize=96:fontcolor=white:x=(w-text_w)/2:y=(h-text_h)/2" \
	-c:v libx264 -profile:v high -preset veryslow -crf 23 -threads 1 \
	-bf 0 -g 25 -keyint_min 25 -sc_threshold 0 -flags:v +bitexact+cgop -bsf:v filter_units=remove_types=6 \
	-f mp4 "$tmp/video.mp4"

# A copy forgets the encoder's name, which stands in the sample entry.
ff -i "$tmp/video.mp4" -f aac -i "$tmp/audio.aac" -map 0:v -map 1:a -c copy \
	-map_metadata -1 -video_track_timescale 90000 -use_editlist 0 -movflags +faststart \
	-fflags +bitexact -f mp4 clip.mp4
