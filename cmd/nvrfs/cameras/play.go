package cameras

import (
	"fmt"
	"os"

	"github.com/spf13/cobra"

	"nvrfs/camera"
	"nvrfs/codec"
	"nvrfs/media"
	"nvrfs/store/dir"
)

func (env *Environment) playCommand() *cobra.Command {
	var o camera.Options
	cmd := &cobra.Command{
		Use:   "play [FILE]",
		Short: "Play an .mp4 file as an RTSP camera, to try things",
		Long: `Serve FILE, an .mp4, as an RTSP camera that plays it in real time, in a loop;
without FILE, a built-in clip with a running clock. The camera's URL is printed
on standard output. A password comes from the environment variable
NVRFS_CAMERA_PASSWORD.

  video: ` + codec.Sent("or", media.Video) + `
  sound: ` + codec.Sent("or", media.Audio) + `

A FILE of sound alone is played too, and one without sound.`,
		Example: `  nvrfs camera play
  nvrfs camera play --listen 127.0.0.1:8554 garden.mp4
  NVRFS_CAMERA_PASSWORD=secret nvrfs camera play --user admin --udp`,
		Args: env.WantArgs(0, 1, "FILE"),
		RunE: func(cmd *cobra.Command, args []string) error {
			o.Log = env.Log()
			if o.User != "" {
				if o.Password, _ = env.LookupEnv(passwordVariable); o.Password == "" {
					return env.Usagef("--user asks for a password; set it in %s", passwordVariable)
				}
			}
			o.Clip = camera.DemoClip()
			if len(args) > 0 {
				f, err := dir.OpenRegular(args[0], os.O_RDONLY)
				if err != nil {
					return env.Usagef("%w", err)
				}
				defer f.Close()
				if o.Clip, err = camera.OpenClip(f); err != nil {
					return env.Usagef("%s: %w", args[0], err)
				}
				for _, why := range o.Clip.LeftOut {
					env.tell("%s: left out: %s", args[0], why)
				}
			}
			s, err := camera.Start(o)
			if err != nil {
				return err
			}
			fmt.Fprintln(env.Stdout, s.URL())
			select {
			case <-cmd.Context().Done():
			case <-s.Done():
			}
			return s.Close()
		},
	}
	flags := cmd.Flags()
	flags.StringVar(&o.Listen, "listen", "127.0.0.1:8554", "the `ADDRESS` to listen at; port 0 takes a free one")
	flags.StringVar(&o.Path, "path", "stream", "the `PATH` of the URL")
	flags.StringVar(&o.User, "user", "", "ask for this `USER` and the password")
	flags.BoolVar(&o.UDP, "udp", false, "offer UDP too")
	flags.BoolVar(&o.Once, "once", false, "play once, from the first frame when the first reader comes, then stop")
	cmd.PreRun = func(*cobra.Command, []string) { o.StartOnPlay = o.Once }
	return cmd
}
