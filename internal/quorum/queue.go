package quorum

import "sync"

// queue hands tasks from one goroutine to another. It has no limit of its own: what is in it is what Raft has in flight,
// which Options.MaxInFlightBytes and the library's flow control bound.
type queue[T any] struct {
	mu     sync.Mutex // guards what follows
	ready  sync.Cond
	tasks  []T
	closed bool
}

func (q *queue[T]) init() { q.ready.L = &q.mu }

func (q *queue[T]) put(t T) {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.tasks = append(q.tasks, t)
	q.ready.Signal()
}

// take waits for tasks and gives all there are; nothing once the queue is closed, even if there are some.
func (q *queue[T]) take() []T {
	q.mu.Lock()
	defer q.mu.Unlock()
	for len(q.tasks) == 0 && !q.closed {
		q.ready.Wait()
	}
	return q.all()
}

// takeNow gives what there is without waiting.
func (q *queue[T]) takeNow() []T {
	q.mu.Lock()
	defer q.mu.Unlock()
	return q.all()
}

func (q *queue[T]) waits() bool {
	q.mu.Lock()
	defer q.mu.Unlock()
	return len(q.tasks) > 0
}

func (q *queue[T]) all() []T {
	if q.closed {
		return nil
	}
	taken := q.tasks
	q.tasks = nil
	return taken
}

func (q *queue[T]) close() {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.closed = true
	q.ready.Broadcast()
}
