package node

import "sync"

// signal wakes all who wait for the next of something.
type signal struct {
	mu   sync.Mutex
	next chan struct{} // nil while nobody waits
}

// wait is closed with the next give.
func (s *signal) wait() <-chan struct{} {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.next == nil {
		s.next = make(chan struct{})
	}
	return s.next
}

func (s *signal) give() {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.next != nil {
		close(s.next)
		s.next = nil
	}
}
