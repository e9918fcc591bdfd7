// Package admin is the door for operators' machinery: metrics for Prometheus, health, readiness, and Go's profiles.
//
// It knows how what the broker counts is named and written. It must not know how requests are served, and it changes
// nothing.
package admin

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"net/http/pprof"
	"time"

	"github.com/prometheus/client_golang/prometheus/promhttp"
)

// Options are what an admin server shows.
type Options struct {
	Address  string // host:port; port 0 is any free one
	Requests *Requests
	Broker   Broker
	Logger   *slog.Logger
	// Ready says why the node does not serve clients yet, or no longer; nil when it does.
	Ready func() error
}

// Server serves the admin pages from Start to Close.
type Server struct {
	http     *http.Server
	listener net.Listener
	done     chan struct{}
}

// readHeaderTimeout bounds what an idle stranger can hold.
const readHeaderTimeout = 10 * time.Second

// Start listens and serves.
func Start(o Options) (*Server, error) {
	listener, err := net.Listen("tcp", o.Address)
	if err != nil {
		return nil, fmt.Errorf("admin listener: %w", err)
	}
	s := &Server{listener: listener, done: make(chan struct{})}
	s.http = &http.Server{Handler: handler(o), ReadHeaderTimeout: readHeaderTimeout, ErrorLog: slog.NewLogLogger(o.Logger.Handler(), slog.LevelDebug)}
	go func() {
		defer close(s.done)
		if err := s.http.Serve(listener); !errors.Is(err, http.ErrServerClosed) {
			o.Logger.Error("admin pages are no longer served", "error", err)
		}
	}()
	return s, nil
}

// Address is where the server listens.
func (s *Server) Address() string { return s.listener.Addr().String() }

// Close ends the server, at once when ctx ends.
func (s *Server) Close(ctx context.Context) error {
	err := s.http.Shutdown(ctx)
	if err != nil {
		err = errors.Join(err, s.http.Close())
	}
	<-s.done
	return err
}

func handler(o Options) http.Handler {
	mux := http.NewServeMux()
	registered := promhttp.HandlerFor(o.Requests.registry, promhttp.HandlerOpts{ErrorLog: slog.NewLogLogger(o.Logger.Handler(), slog.LevelError)})
	mux.HandleFunc("GET /metrics", func(w http.ResponseWriter, r *http.Request) {
		// Both parts are written in the plain text format, so that they can follow each other.
		r.Header.Set("Accept", "text/plain")
		r.Header.Del("Accept-Encoding")
		registered.ServeHTTP(w, r)
		writeSeries(w, o.Broker)
	})
	mux.HandleFunc("GET /healthz", func(w http.ResponseWriter, _ *http.Request) { answer(w, nil) })
	mux.HandleFunc("GET /readyz", func(w http.ResponseWriter, _ *http.Request) { answer(w, o.Ready()) })
	mux.HandleFunc("GET /debug/pprof/", pprof.Index)
	mux.HandleFunc("GET /debug/pprof/profile", pprof.Profile)
	mux.HandleFunc("GET /debug/pprof/trace", pprof.Trace)
	mux.HandleFunc("GET /debug/pprof/symbol", pprof.Symbol)
	return mux
}

func answer(w http.ResponseWriter, err error) {
	if err != nil {
		http.Error(w, err.Error(), http.StatusServiceUnavailable)
		return
	}
	_, _ = w.Write([]byte("ok\n"))
}
