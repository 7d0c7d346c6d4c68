#!/bin/sh
# Makes the clips of the tests, each under a second, and beside each what
# ffprobe reads in it: pts,dts,size,position,flags of each packet.
#
#	aligned.mp4  H.264 without B-frames, AAC; both tracks last 0.64 s; no edit list
#	bframes.mp4  H.264 with B-frames at 30000/1001 frames/s, AAC that lasts longer; edit lists
#	hevc.mp4     H.265 with B-frames, no audio
#	fragments.mp4  bframes.mp4 in fragments of ffmpeg
#	hybrid.mp4     aligned.mp4: its first samples are in the moov, the others in fragments
#	gstreamer.mp4  the picture of aligned.mp4 in fragments of GStreamer
set -eu
cd "$(dirname "$0")"
picture="testsrc=size=160x90:rate"
tone="sine=frequency=440:sample_rate=48000,atrim=end_sample=29696" # 29 frames, and one of the encoder's delay
ff() { ffmpeg -hide_banner -loglevel error -nostdin -y "$@"; }
out="-map_metadata -1 -threads 1 -fflags +bitexact -flags:v +bitexact -flags:a +bitexact -pix_fmt yuv420p"

ff -f lavfi -i "$picture=25:duration=0.64" -f lavfi -i "$tone" $out \
	-c:v libx264 -bf 0 -g 8 -c:a aac -b:a 32k -bsf:a "setts=ts=N*1024" -use_editlist 0 aligned.mp4
ff -f lavfi -i "$picture=30000/1001:duration=0.5005" -f lavfi -i "$tone" $out \
	-c:v libx264 -bf 3 -b_strategy 0 -g 10 -flags:v +bitexact+cgop -c:a aac -b:a 32k bframes.mp4
ff -f lavfi -i "$picture=25:duration=0.48" $out \
	-c:v libx265 -x265-params "log-level=error:pools=none:frame-threads=1:keyint=6:open-gop=0:bframes=2" -tag:v hvc1 hevc.mp4
ff -i bframes.mp4 -c copy $out -movflags frag_keyframe+empty_moov+default_base_moof fragments.mp4
ff -i aligned.mp4 -c copy $out -movflags frag_keyframe hybrid.mp4
gst-launch-1.0 -q filesrc location=aligned.mp4 ! qtdemux ! h264parse ! mp4mux fragment-duration=300 ! filesink location=gstreamer.mp4

for clip in *.mp4; do
	for track in v a; do
		ffprobe -v error -select_streams $track -show_entries packet=pts,dts,size,pos,flags -of csv=p=0 "$clip" |
			sed "s/,*$//;/^$/d" >"${clip%.mp4}.$track.csv"
	done
done
find . -name '*.csv' -empty -delete
