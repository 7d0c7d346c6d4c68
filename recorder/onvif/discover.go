package onvif

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"slices"
	"sync"
	"time"

	"golang.org/x/sys/unix"
)

// ProbePort is the UDP port at which devices listen for probes (WS-Discovery 1.0, 2.4).
const ProbePort = 3702

// multicastGroup is where they listen.
const multicastGroup = "239.255.255.250"

// What a discovery is bound to, whoever answers.
const (
	defaultWait  = 3 * time.Second
	probeEvery   = time.Second // datagrams are lost, so each probe is sent again
	maxProbes    = 3
	maxDevices   = 256
	maxDatagrams = 4096 // of each socket
	maxDatagram  = 64 << 10
)

// A Device is what an ONVIF device says about itself to everyone who asks. Nothing of it is proven.
type Device struct {
	Address  string // from which it answered
	Port     uint16 // of its device service
	URL      string // of its device service, at Address
	Endpoint string // the name that it announces itself by, "urn:uuid:…", which stays when its address changes
	Name     string
	Model    string
	Location string
	Serial   string // few devices tell it here
}

// Discovery says who is asked.
type Discovery struct {
	Targets []netip.AddrPort // devices that are asked one by one; where empty, every local network is asked by multicast
	Wait    time.Duration    // how long answers are waited for; 3 s where 0
}

// Discover asks who is there, and returns the devices that answer until the wait is over or ctx ends, in the order of their
// addresses. It fails only where nobody could be asked.
func Discover(ctx context.Context, d Discovery) ([]Device, error) {
	sockets, err := d.open()
	if err != nil {
		return nil, fmt.Errorf("look for cameras: %w", err)
	}
	ctx, cancel := context.WithTimeout(ctx, cmp.Or(d.Wait, defaultWait))
	defer cancel()
	found := finds{devices: map[string]Device{}}
	var wg sync.WaitGroup
	for _, s := range sockets {
		wg.Go(func() { s.run(ctx, &found) })
	}
	wg.Wait()
	return found.sorted(), found.failed(len(sockets))
}

// A socket sends probes to some addresses, and takes the answers to them.
type socket struct {
	conn    *net.UDPConn
	targets []netip.AddrPort
	probes  []probe
}

// open opens a socket for the targets or, where there are none, one on each local network.
func (d Discovery) open() (sockets []*socket, err error) {
	if len(d.Targets) > 0 {
		s, err := listen(netip.Addr{}, 0, d.Targets)
		if err != nil {
			return nil, err
		}
		return []*socket{s}, nil
	}
	group := []netip.AddrPort{netip.AddrPortFrom(netip.MustParseAddr(multicastGroup), ProbePort)}
	for _, n := range localNetworks() {
		s, errN := listen(n.addr, n.index, group)
		if errN != nil {
			err = errors.Join(err, errN)
			continue
		}
		sockets = append(sockets, s)
	}
	if len(sockets) == 0 {
		return nil, errors.Join(errors.New("no local network can be asked by multicast; name the cameras' addresses"), err)
	}
	return sockets, nil
}

// A network is one that the host has an address in.
type network struct {
	addr  netip.Addr
	index int // of the interface
}

// localNetworks returns the IPv4 networks of the interfaces that are up. Where a sandbox hides them, it is the one of the default route.
func localNetworks() (networks []network) {
	interfaces, err := net.Interfaces()
	if err != nil {
		return []network{{addr: netip.IPv4Unspecified()}}
	}
	for _, i := range interfaces {
		if i.Flags&net.FlagUp == 0 || i.Flags&net.FlagMulticast == 0 {
			continue
		}
		addresses, _ := i.Addrs() // none where it has just gone
		for _, a := range addresses {
			if prefix, err := netip.ParsePrefix(a.String()); err == nil && prefix.Addr().Is4() {
				networks = append(networks, network{prefix.Addr(), i.Index})
			}
		}
	}
	return networks
}

// listen opens a socket. With the index of an interface, its multicast leaves there.
func listen(addr netip.Addr, index int, targets []netip.AddrPort) (*socket, error) {
	family := "udp"
	if addr.Is4() {
		family = "udp4"
	}
	conn, err := net.ListenUDP(family, net.UDPAddrFromAddrPort(netip.AddrPortFrom(addr, 0)))
	if err != nil {
		return nil, err
	}
	if index != 0 {
		raw, err := conn.SyscallConn()
		if err == nil {
			err = errors.Join(raw.Control(func(fd uintptr) {
				err = unix.SetsockoptIPMreqn(int(fd), unix.IPPROTO_IP, unix.IP_MULTICAST_IF, &unix.IPMreqn{Ifindex: int32(index)})
			}), err)
		}
		if err != nil {
			return nil, errors.Join(fmt.Errorf("choose the network of %v for multicast: %w", addr, err), conn.Close())
		}
	}
	return &socket{conn: conn, targets: targets, probes: newProbes()}, nil
}

// run sends the probes a few times, and takes answers until ctx ends.
func (s *socket) run(ctx context.Context, found *finds) {
	stop := context.AfterFunc(ctx, func() { _ = s.conn.Close() })
	defer stop()
	var wg sync.WaitGroup
	defer wg.Wait()
	wg.Go(func() {
		sent, failed := false, error(nil)
		for range maxProbes {
			if err := s.send(); err == nil {
				sent, failed = true, nil
			} else if !sent {
				failed = err
			}
			select {
			case <-ctx.Done():
				found.fail(failed)
				return
			case <-time.After(probeEvery):
			}
		}
		found.fail(failed)
	})
	buf := make([]byte, maxDatagram)
	for range maxDatagrams {
		n, from, err := s.conn.ReadFromUDPAddrPort(buf)
		if err != nil && ctx.Err() != nil {
			return
		}
		if err != nil {
			// Where nobody listens, the network may say so for a probe, and the next read goes on.
			continue
		}
		for _, d := range parseProbeMatches(buf[:n], from.Addr().Unmap(), s.probes) {
			found.add(d)
		}
	}
	<-ctx.Done()
}

// send sends each probe to each target. It fails where none could be sent.
func (s *socket) send() (err error) {
	sent := false
	for _, t := range s.targets {
		for _, p := range s.probes {
			if _, errT := s.conn.WriteToUDPAddrPort(p.message, t); errT != nil {
				err = errT
				continue
			}
			sent = true
		}
	}
	if sent {
		return nil
	}
	return err
}

// finds collects the devices that answer.
type finds struct {
	mu      sync.Mutex
	devices map[string]Device
	errs    []error
}

func (f *finds) add(d Device) {
	f.mu.Lock()
	defer f.mu.Unlock()
	key := d.Address + " " + d.Endpoint
	if _, known := f.devices[key]; !known && len(f.devices) < maxDevices {
		f.devices[key] = d
	}
}

// fail notes why a socket could send nothing; nil where it could.
func (f *finds) fail(err error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if err != nil {
		f.errs = append(f.errs, err)
	}
}

// failed returns why none of the sockets could send anything.
func (f *finds) failed(sockets int) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	if len(f.errs) < sockets {
		return nil
	}
	return fmt.Errorf("look for cameras: %w", errors.Join(f.errs...))
}

func (f *finds) sorted() []Device {
	f.mu.Lock()
	defer f.mu.Unlock()
	devices := make([]Device, 0, len(f.devices))
	for _, d := range f.devices {
		devices = append(devices, d)
	}
	slices.SortFunc(devices, func(a, b Device) int {
		x, _ := netip.ParseAddr(a.Address)
		y, _ := netip.ParseAddr(b.Address)
		return cmp.Or(x.Compare(y), cmp.Compare(a.Port, b.Port), cmp.Compare(a.Endpoint, b.Endpoint))
	})
	return devices
}
