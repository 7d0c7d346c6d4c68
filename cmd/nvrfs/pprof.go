package main

import (
	"context"
	"encoding/json"
	"maps"
	"net"
	"net/http"
	"net/http/pprof"
	"runtime/metrics"
	"strings"
	"sync"
	"time"

	"github.com/spf13/cobra"
)

// pprofDeadline is how long a profile that is being taken may delay the end of a command.
const pprofDeadline = 2 * time.Second

// addPprof gives a service the flag --pprof. While the service runs, its profiles and counters are served there.
func (env *environment) addPprof(cmd *cobra.Command) {
	var address string
	cmd.Flags().StringVar(&address, "pprof", "", "serve Go profiles and counters at this loopback `ADDRESS`, HOST:PORT")
	runE := cmd.RunE
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		if address == "" {
			return runE(cmd, args)
		}
		stop, err := env.servePprof(address)
		if err != nil {
			return err
		}
		defer stop()
		return runE(cmd, args)
	}
}

// servePprof serves /debug/pprof/ and /debug/vars at a loopback address until stop is called, which waits for the end.
func (env *environment) servePprof(address string) (stop func(), err error) {
	l, err := listenLoopback(address)
	if err != nil {
		return nil, err
	}
	ctx, cancel := context.WithCancel(context.Background()) // which a profile that is being taken heeds
	srv := &http.Server{
		Handler:           env.pprofHandler(),
		ReadHeaderTimeout: 10 * time.Second,
		BaseContext:       func(net.Listener) context.Context { return ctx },
	}
	var wg sync.WaitGroup
	wg.Go(func() { _ = srv.Serve(l) }) // it ends with stop
	env.log.Info("serving profiles", "url", "http://"+l.Addr().String()+"/debug/pprof/")
	return func() {
		cancel()
		ending, cancel := context.WithTimeout(context.Background(), pprofDeadline)
		defer cancel()
		if srv.Shutdown(ending) != nil {
			_ = srv.Close()
		}
		wg.Wait()
	}, nil
}

// listenLoopback listens where only this host can connect: profiles tell a stranger too much, and cost time.
func listenLoopback(address string) (net.Listener, error) {
	a, err := net.ResolveTCPAddr("tcp", address)
	if err != nil {
		return nil, usageErrorf("--pprof %s: %w; want HOST:PORT, such as 127.0.0.1:6060", address, err)
	}
	if !a.IP.IsLoopback() {
		return nil, usageErrorf("--pprof %s: others could reach that address; choose a loopback one, such as 127.0.0.1:%d", address, a.Port)
	}
	l, err := net.ListenTCP("tcp", a)
	if err != nil {
		return nil, usageErrorf("--pprof %s: %w; choose another port, or stop what listens there", address, err)
	}
	return l, nil
}

func (env *environment) pprofHandler() http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("GET /debug/pprof/", pprof.Index)
	mux.HandleFunc("GET /debug/pprof/cmdline", pprof.Cmdline)
	mux.HandleFunc("GET /debug/pprof/profile", pprof.Profile)
	mux.HandleFunc("GET /debug/pprof/symbol", pprof.Symbol)
	mux.HandleFunc("GET /debug/pprof/trace", pprof.Trace)
	mux.HandleFunc("GET /debug/vars", func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		e := json.NewEncoder(w)
		e.SetIndent("", "  ")
		_ = e.Encode(env.counters.read()) // the client may have gone
	})
	return mux
}

// counters are what parts of a service count, for /debug/vars. The zero value has those of the Go runtime.
type counters struct {
	mu   sync.Mutex
	from map[string]func() any // guarded by mu
}

// add has the counters of a part shown under its name, until remove is called. read may be called at any time; what it
// returns is shown as JSON.
func (c *counters) add(name string, read func() any) (remove func()) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.from == nil {
		c.from = map[string]func() any{}
	}
	c.from[name] = read
	return func() {
		c.mu.Lock()
		defer c.mu.Unlock()
		delete(c.from, name)
	}
}

func (c *counters) read() map[string]any {
	c.mu.Lock()
	from := maps.Clone(c.from)
	c.mu.Unlock()
	out := map[string]any{"runtime": runtimeCounters()}
	for name, read := range from {
		out[name] = read()
	}
	return out
}

// runtimeCounters are all single values of runtime/metrics, by their names there.
func runtimeCounters() map[string]any {
	var samples []metrics.Sample
	for _, d := range metrics.All() {
		if d.Kind != metrics.KindFloat64Histogram && !strings.HasPrefix(d.Name, "/godebug/") {
			samples = append(samples, metrics.Sample{Name: d.Name})
		}
	}
	metrics.Read(samples)
	out := map[string]any{}
	for _, s := range samples {
		switch s.Value.Kind() {
		case metrics.KindUint64:
			out[s.Name] = s.Value.Uint64()
		case metrics.KindFloat64:
			out[s.Name] = s.Value.Float64()
		}
	}
	return out
}
