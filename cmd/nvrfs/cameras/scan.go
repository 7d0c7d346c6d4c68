package cameras

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"net/url"
	"slices"
	"strings"
	"sync"
	"text/tabwriter"
	"time"

	"github.com/spf13/cobra"

	"nvrfs/config"
	"nvrfs/recorder/onvif"
)

const (
	askedAtOnce  = 16
	scanDeadline = 20 * time.Second // for all that devices are asked after they were found
)

// A scanned device is a camera that answered, one line of the table.
type scanned struct {
	Address    string `json:"address"`
	URL        string `json:"url"` // of its ONVIF service
	Name       string `json:"name"`
	Maker      string `json:"manufacturer,omitempty"`
	Model      string `json:"model"`
	Firmware   string `json:"firmware,omitempty"`
	Serial     string `json:"serial,omitempty"`
	Location   string `json:"location,omitempty"`
	Endpoint   string `json:"endpoint"`
	Configured string `json:"configured,omitempty"` // the name of the camera in the configuration
	By         string `json:"by,omitempty"`         // how that is known: "serial", "endpoint" or "address"
	Refused    string `json:"refused,omitempty"`    // why it did not tell more
}

func (env *Environment) scanCommand() *cobra.Command {
	var (
		file   string
		wait   time.Duration
		asJSON bool
		l      login
	)
	cmd := &cobra.Command{
		Use:   "scan [ADDRESS...]",
		Short: "List the ONVIF cameras of the local networks",
		Long: `Ask on all local networks, by ONVIF discovery (WS-Discovery), which cameras
there are, and say which of them the configuration has. Multicast does not leave
a network: cameras of others are asked by their ADDRESS.

With --user, each device that answers is also asked, as that user, for its
model, firmware and serial number. It gets a digest of the password, never the
password.`,
		Example: `  nvrfs camera scan
  nvrfs camera scan 192.0.2.10 192.0.2.11
  nvrfs camera scan --config /etc/nvrfs.yaml --json`,
		Args: env.WantArgs(0, -1, "ADDRESS..."),
	}
	addConfigFlag(cmd, &file)
	l.addFlags(cmd)
	cmd.Flags().DurationVar(&wait, "wait", 3*time.Second, "how `LONG` to wait for answers")
	cmd.Flags().BoolVar(&asJSON, "json", false, "print JSON")
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		if wait < 100*time.Millisecond || wait > time.Minute {
			return env.Usagef("--wait %v: want 100ms to 1m", wait)
		}
		cfg, err := config.Read(file, nil)
		if err != nil && cmd.Flags().Changed("config") {
			return err
		}
		if err := env.read(&l); err != nil {
			return err
		}
		targets, err := env.targets(cmd.Context(), args)
		if err != nil {
			return err
		}
		devices, err := onvif.Discover(cmd.Context(), onvif.Discovery{Targets: targets, Wait: wait})
		if err = errors.Join(err, cmd.Context().Err()); err != nil {
			return err
		}
		list := askMore(cmd.Context(), devices, l)
		if cfg != nil {
			mark(cmd.Context(), list, cfg.Cameras)
		}
		return env.printScan(list, asJSON, cfg != nil, len(args) > 0, l.user != "")
	}
	return cmd
}

// targets returns the addresses to be asked.
func (env *Environment) targets(ctx context.Context, args []string) (targets []netip.AddrPort, err error) {
	for _, arg := range args {
		host, port := arg, fmt.Sprint(onvif.ProbePort)
		if h, p, err := net.SplitHostPort(arg); err == nil {
			host, port = h, p
		}
		found, err := net.DefaultResolver.LookupNetIP(ctx, "ip", host)
		if err != nil {
			return nil, env.Usagef("%q: %w", arg, err)
		}
		target, err := netip.ParseAddrPort(net.JoinHostPort(found[0].Unmap().String(), port))
		if err != nil {
			return nil, env.Usagef("%q is no address; want one such as 192.0.2.10", arg)
		}
		targets = append(targets, target)
	}
	return targets, nil
}

// askMore asks each device what it is.
func askMore(ctx context.Context, devices []onvif.Device, l login) []scanned {
	ctx, cancel := context.WithTimeout(ctx, scanDeadline)
	defer cancel()
	list := make([]scanned, len(devices))
	free := make(chan struct{}, askedAtOnce)
	var wg sync.WaitGroup
	for i, d := range devices {
		s := &list[i]
		*s = scanned{
			Address: d.Address, URL: d.URL, Name: d.Name, Model: d.Model, Serial: d.Serial, Location: d.Location, Endpoint: d.Endpoint,
		}
		free <- struct{}{}
		wg.Go(func() {
			defer func() { <-free }()
			if err := s.ask(ctx, l); err != nil {
				s.Refused = err.Error()
			}
		})
	}
	wg.Wait()
	return list
}

func (s *scanned) ask(ctx context.Context, l login) error {
	c, err := onvif.Open(ctx, onvif.Options{Address: s.URL, User: l.user, Password: l.password})
	if err != nil {
		return err
	}
	defer c.Close()
	info, err := c.Information(ctx)
	if err != nil {
		return err
	}
	s.Maker, s.Firmware = info.Manufacturer, info.Firmware
	for to, value := range map[*string]string{&s.Model: info.Model, &s.Serial: info.Serial} {
		if value != "" {
			*to = value
		}
	}
	return nil
}

// mark notes which devices the configuration has, by serial number or endpoint, or else by address.
func mark(ctx context.Context, list []scanned, cameras []config.Camera) {
	ctx, cancel := context.WithTimeout(ctx, 2*time.Second) // for names of hosts
	defer cancel()
	addresses := map[string][]string{}
	for _, c := range cameras {
		for _, s := range c.Streams {
			host := s.URL.Host()
			if _, known := addresses[host]; known || host == "" {
				continue
			}
			addresses[host] = []string{host}
			if found, err := net.DefaultResolver.LookupHost(ctx, host); err == nil {
				addresses[host] = append(addresses[host], found...)
			}
		}
	}
	for i := range list {
		s := &list[i]
		for _, c := range cameras {
			d := c.Streams[0].Device
			switch {
			case d.Serial != "" && strings.EqualFold(d.Serial, s.Serial):
				s.Configured, s.By = c.Name, "serial"
			case d.Endpoint != "" && strings.EqualFold(d.Endpoint, s.Endpoint):
				s.Configured, s.By = c.Name, "endpoint"
			case s.Configured == "" && slices.ContainsFunc(c.Streams, func(x config.Stream) bool { return slices.Contains(addresses[x.URL.Host()], s.Address) }):
				s.Configured, s.By = c.Name, "address"
			}
		}
	}
}

func (env *Environment) printScan(list []scanned, asJSON, configured, named, asUser bool) error {
	if asJSON {
		out := json.NewEncoder(env.Stdout)
		out.SetIndent("", "  ")
		return out.Encode(list)
	}
	if len(list) == 0 {
		do := ", and ask cameras of other networks by their address: nvrfs camera scan ADDRESS"
		if named {
			do = "; a camera that has ONVIF and no discovery is added all the same: nvrfs camera add NAME ADDRESS"
		}
		env.tell("no camera answered; see whether ONVIF and its discovery are switched on at the camera%s", do)
		return nil
	}
	w := tabwriter.NewWriter(env.Stdout, 0, 8, 2, ' ', 0)
	fmt.Fprintln(w, "ADDRESS\tNAME\tMODEL\tSERIAL\tCONFIGURED")
	for _, s := range list {
		as := s.Configured
		switch {
		case !configured:
			as = "?"
		case as == "":
			as = "-"
		case s.By != "address":
			as += " (" + s.By + ")"
		}
		fmt.Fprintf(w, "%s\t%s\t%s\t%s\t%s\n", s.hostPort(), dash(s.Name), dash(s.Model), dash(s.Serial), as)
	}
	if err := w.Flush(); err != nil {
		return err
	}
	if !asUser && slices.ContainsFunc(list, func(s scanned) bool { return s.Serial == "" && s.Refused != "" }) {
		env.tell("a camera without a serial number tells it only to a user; name one with --user")
	}
	return nil
}

// hostPort is the address as nvrfs camera add takes it: with the port of ONVIF, where that is another than 80.
func (s scanned) hostPort() string {
	u, err := url.Parse(s.URL)
	if err != nil || u.Port() == "" || u.Port() == "80" || u.Hostname() != s.Address {
		return s.Address
	}
	return u.Host
}

func dash(s string) string {
	if s == "" {
		return "-"
	}
	return s
}
