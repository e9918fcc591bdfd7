package server

import (
	"context"
	"errors"
	"fmt"
	"net"
	"slices"
)

// Bound is a listener and where it is bound: with port 0 at the port that was given.
type Bound struct {
	Listener
	At net.Addr
}

// Listen binds every listener, and none if one cannot be bound. Connections that arrive before Serve wait in the
// system's queue.
func (s *Server) Listen() error {
	err := s.SetListeners(s.options.Listeners)
	if err != nil {
		_ = s.SetListeners(nil)
	}
	return err
}

// SetListeners makes these the listeners, which are known by their names: one whose name is gone is closed, and its
// connections finish what they have received whole; a new one is bound, and accepts from the next Serve on; one that is
// there already keeps its address. The error names those that could not be bound; the others are not affected. One call
// at a time; a server that stops ignores it.
func (s *Server) SetListeners(listeners []Listener) error {
	for _, l := range s.bound() {
		if !named(listeners, l.config.Name) {
			s.remove(l)
		}
	}
	var errs []error
	for _, l := range listeners {
		if !slices.ContainsFunc(s.bound(), func(b *listening) bool { return b.config.Name == l.Name }) {
			errs = append(errs, s.listen(l))
		}
	}
	return errors.Join(errs...)
}

// CanListen tries whether the new ones among these listeners could be bound now. A port that a listener would give up is
// taken for free.
func (s *Server) CanListen(listeners []Listener) error {
	var kept []string
	given := map[string]bool{}
	for _, l := range s.bound() {
		if named(listeners, l.config.Name) {
			kept = append(kept, l.config.Name)
		} else if _, port, err := net.SplitHostPort(l.bound.Addr().String()); err == nil {
			given[port] = true
		}
	}
	for _, l := range listeners {
		if _, port, err := net.SplitHostPort(l.Address); slices.Contains(kept, l.Name) || err == nil && given[port] {
			continue
		}
		tried, err := bind(s.life, l)
		if err != nil {
			return err
		}
		_ = tried.Close()
	}
	return nil
}

// Serve starts accepting on all listeners that do not yet, and returns.
func (s *Server) Serve() {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.stopping {
		return
	}
	for _, l := range s.listening {
		if !l.served {
			l.served = true
			l.loop.Add(1)
			s.wait.Go(l.accept)
		}
	}
}

// Bound returns the listeners, in the order in which they were bound.
func (s *Server) Bound() []Bound {
	var all []Bound
	for _, l := range s.bound() {
		all = append(all, Bound{l.config, l.bound.Addr()})
	}
	return all
}

// Addresses returns where the listeners are bound, in that order.
func (s *Server) Addresses() []net.Addr {
	var addresses []net.Addr
	for _, l := range s.bound() {
		addresses = append(addresses, l.bound.Addr())
	}
	return addresses
}

func named(listeners []Listener, name string) bool {
	return slices.ContainsFunc(listeners, func(l Listener) bool { return l.Name == name })
}

func (s *Server) bound() []*listening {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Clone(s.listening)
}

func bind(ctx context.Context, l Listener) (net.Listener, error) {
	bound, err := (&net.ListenConfig{}).Listen(ctx, "tcp", l.Address)
	if err != nil {
		return nil, fmt.Errorf("listener %s on %q: %w", l.Name, l.Address, err)
	}
	return bound, nil
}

func (s *Server) listen(l Listener) error {
	bound, err := bind(s.life, l)
	if err != nil {
		return err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.stopping {
		return bound.Close()
	}
	s.listening = append(s.listening, newListening(s, l, bound))
	return nil
}

// remove closes a listener, and then its connections: once its loop has ended there come no more.
func (s *Server) remove(l *listening) {
	s.mu.Lock()
	if s.stopping {
		s.mu.Unlock()
		return
	}
	s.listening = slices.DeleteFunc(s.listening, func(other *listening) bool { return other == l })
	l.removed = true
	s.room.Broadcast()
	s.mu.Unlock()
	l.close()
	l.loop.Wait()
	s.mu.Lock()
	var open []*conn
	for c := range s.connections {
		if c.about.Listener == l.config.Name {
			open = append(open, c)
		}
	}
	s.mu.Unlock()
	for _, c := range open {
		c.drain()
	}
}
