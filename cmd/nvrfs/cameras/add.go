package cameras

import (
	"context"
	"errors"
	"fmt"
	"net/url"
	"path/filepath"
	"strings"

	"github.com/spf13/cobra"

	"nvrfs/config"
)

// An addition is a camera that is to be added.
type addition struct {
	env       *Environment
	config    string // the file
	name      string
	transport *string
	tls       fingerprintFlag
	source    int
	dryRun    bool
	login     login
}

func (env *Environment) addCommand() *cobra.Command {
	a := addition{env: env}
	cmd := &cobra.Command{
		Use:   "add NAME ADDRESS|URL",
		Short: "Try a camera, and write it into the configuration",
		Long: `Add a camera to the configuration file. With an ADDRESS (a host, host:port, or
the URL of its ONVIF service), the camera is asked by ONVIF for its main and its
sub stream, and nvrfs run asks it for its events, which nvrfs marks lists. With
an rtsp:// or rtsps:// URL, that one stream is added. Each stream is tried, and
is written into the file only when picture or sound comes.

The rest of the file stays as it is, comments included. The password is not
written into it. The file names another one that holds it: --password-file or,
without that flag, a new file NAME.password beside the configuration, which can
be read by nobody who cannot read the configuration.

A recorder that runs is told to read its configuration again.`,
		Example: `  nvrfs camera add front-door 192.0.2.10 --user admin
  nvrfs camera add barn 192.0.2.11:8000 --user admin --password-file barn.secret
  nvrfs camera add gate rtsp://192.0.2.12/live -c /etc/nvrfs.yaml --dry-run`,
		Args: env.WantArgs(2, 2, "NAME ADDRESS or NAME URL"),
		RunE: func(cmd *cobra.Command, args []string) error {
			a.name = args[0]
			return a.run(cmd.Context(), args[1])
		},
	}
	addConfigFlag(cmd, &a.config)
	a.login.addFlags(cmd)
	a.transport = env.transportFlag(cmd, "tcp", "how its packets are to come")
	a.tls.add(cmd)
	cmd.Flags().IntVar(&a.source, "source", 1, "which picture, the `N`th, of a device that has several channels or sensors")
	cmd.Flags().BoolVar(&a.dryRun, "dry-run", false, "show what would be written, and write nothing")
	return cmd
}

func (a *addition) run(ctx context.Context, where string) error {
	if err := config.CheckName(a.name); err != nil {
		return a.env.Usagef("%q: %w", a.name, err)
	}
	if a.source < 1 {
		return a.env.Usagef("--source %d: want 1 or more", a.source)
	}
	if err := a.tls.check(a.env); err != nil {
		return err
	}
	before, err := config.ReadFile(a.config)
	if err != nil {
		return fmt.Errorf("%w; name the configuration file with --config; README.md has one to start from", err)
	}
	// A name that is taken, or a file with a mistake, is refused before the camera is asked.
	if _, err := config.Apply(a.config, before, nil, config.Add("cameras."+a.name, "{ url: 'rtsp://192.0.2.1/' }")); err != nil {
		return err
	}
	found, err := a.find(ctx, where)
	if err != nil {
		return err
	}
	secret, file := a.secret()
	if err := a.tryAll(ctx, &found); err != nil {
		return err
	}
	value := a.value(found, secret)
	a.tellTwins(before, found)
	after, err := config.Apply(a.config, before, nil, config.Add("cameras."+a.name, value))
	if err != nil {
		return err
	}
	if a.dryRun {
		a.env.tell("this would be added to cameras in %s; nothing was written", a.config)
	} else if err := a.write(before, after, file); err != nil {
		return err
	}
	fmt.Fprintf(a.env.Stdout, "%s: %s\n", a.name, value)
	if a.dryRun {
		return nil
	}
	cfg, err := config.Parse(a.config, after, nil)
	if err != nil {
		return err
	}
	a.env.tell("%s was added to %s; %s", a.name, a.config, takeIn(cfg.Data, a.config))
	return nil
}

// tellTwins says which cameras of the configuration record the same stream already: two names for one camera record it twice.
func (a *addition) tellTwins(before []byte, found candidate) {
	cfg, err := config.Parse(a.config, before, a.env.LookupEnv)
	if err != nil {
		return // a secret is not to be had here; the note is only a help
	}
	for _, c := range cfg.Cameras {
		for _, s := range c.Streams {
			if u, err := url.Parse(s.URL.Reveal()); err == nil {
				if u.User = nil; u.String() == found.main {
					a.env.tell("%s records this stream already; with both, it is recorded twice", c.Name)
				}
			}
		}
	}
}

// find returns the streams at an address, or the one at a URL, with the login that they take.
func (a *addition) find(ctx context.Context, where string) (candidate, error) {
	if !strings.HasPrefix(where, "rtsp://") && !strings.HasPrefix(where, "rtsps://") {
		if err := a.env.read(&a.login); err != nil {
			return candidate{}, err
		}
		return a.env.ask(ctx, where, a.source, &a.login)
	}
	if strings.Contains(where, "${") {
		return candidate{}, a.env.Usagef("a URL with ${…} is for the configuration file: use nvrfs config set, or give --user and --password-file")
	}
	if _, err := config.ParseURL(where, nil); err != nil {
		return candidate{}, a.env.Usagef("%w", err)
	}
	u, err := url.Parse(where)
	if err != nil {
		return candidate{}, a.env.Usagef("the URL cannot be read") // not quoted, since it may hold a password
	}
	if u.User != nil {
		if a.login.user != "" {
			return candidate{}, a.env.Usagef("the URL has a user, and --user names one; leave one of them out")
		}
		a.login.user = u.User.Username()
		a.login.password, a.login.known = u.User.Password()
		u.User = nil
	}
	return candidate{main: u.String()}, a.env.read(&a.login)
}

// secret returns how the configuration names the password, and the file that is to be made for it, if one is.
func (a *addition) secret() (reference string, file *secretFile) {
	switch {
	case a.login.user == "", a.login.password == "":
		return "", nil
	case a.login.file != "":
		return "${file:" + a.login.file + "}", nil
	}
	name := a.name + ".password"
	return "${file:" + name + "}", &secretFile{path: filepath.Join(filepath.Dir(a.config), name), password: a.login.password}
}

// tryAll tries the streams. A sub stream that does not come is left out.
func (a *addition) tryAll(ctx context.Context, found *candidate) error {
	stream := func(plain string) (config.Stream, error) {
		template := withUser(plain, a.login.user, "${PASSWORD}")
		u, err := config.ParseURL(template, func(string) (string, error) { return a.login.password, nil })
		return config.Stream{URL: u, Transport: *a.transport, Fingerprint: a.tls.sum}, err
	}
	main, err := stream(found.main)
	if err != nil {
		return fmt.Errorf("the address of the camera's stream: %w", err)
	}
	if err := a.env.try(ctx, "main", main); err != nil {
		if found.named != "" && ctx.Err() == nil {
			err = fmt.Errorf("%w (the camera names the host %s for it; if that is right, give nvrfs camera add that URL)", err, found.named)
		}
		return err
	}
	if found.sub == "" {
		return nil
	}
	sub, err := stream(found.sub)
	if err == nil {
		err = a.env.try(ctx, "sub", sub)
	}
	if errors.Is(err, context.Canceled) {
		return err
	}
	if err != nil {
		a.env.tell("the sub stream is left out: %v", err)
		found.sub = ""
	}
	return nil
}

// value is the camera, as YAML of one line.
func (a *addition) value(found candidate, secret string) string {
	var fields []string
	add := func(name, value string) {
		if value != "" {
			fields = append(fields, name+": '"+strings.ReplaceAll(value, "'", "''")+"'")
		}
	}
	add("url", withUser(found.main, a.login.user, secret))
	if found.sub != "" {
		add("sub", withUser(found.sub, a.login.user, secret))
	}
	if *a.transport != "tcp" {
		fields = append(fields, "transport: "+*a.transport)
	}
	if a.tls.sum != "" {
		fields = append(fields, "tls: { fingerprint: '"+a.tls.sum+"' }")
	}
	add("serial", found.device.Serial)
	add("endpoint", found.device.Endpoint)
	add("onvif", found.onvif)
	return "{ " + strings.Join(fields, ", ") + " }"
}

// write writes the password first, so that the configuration never names a file that is not there.
func (a *addition) write(before, after []byte, file *secretFile) error {
	undo := func() {}
	if file != nil {
		var err error
		if undo, err = file.write(a.config); err != nil {
			return err
		}
	}
	if err := config.WriteFile(a.config, before, after); err != nil {
		undo()
		return err
	}
	return nil
}
