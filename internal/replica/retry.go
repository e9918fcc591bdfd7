package replica

import (
	"errors"
	"sync"
	"time"

	"github.com/barnabas-mq/barnabas/internal/logdir"
	"github.com/barnabas-mq/barnabas/internal/vfs"
)

// retryEvery is the pause before logs that could not be opened are tried again.
const retryEvery = time.Second

// retries are the replicas whose log could not be opened for a reason that passes, such as a full disk. A goroutine
// tries them as long as there are any.
type retries struct {
	mu      sync.Mutex // Guards the fields below.
	waiting []*Partition
	running bool
}

// passing says whether the same may succeed later.
func passing(err error) bool {
	return errors.Is(err, logdir.ErrDiskFull) || vfs.IsNoSpace(err) || vfs.IsTooManyFiles(err)
}

// retryLater has a log opened again in a while.
func (m *Manager) retryLater(p *Partition) {
	m.retries.mu.Lock()
	defer m.retries.mu.Unlock()
	m.retries.waiting = append(m.retries.waiting, p)
	if !m.retries.running && m.life.Err() == nil {
		m.retries.running = true
		m.background.Go(m.retry)
	}
}

func (m *Manager) retry() {
	tick := time.NewTicker(retryEvery)
	defer tick.Stop()
	for {
		select {
		case <-tick.C:
		case <-m.life.Done():
			return
		}
		m.retries.mu.Lock()
		waiting := m.retries.waiting
		m.retries.waiting, m.retries.running = nil, len(waiting) > 0
		m.retries.mu.Unlock()
		if len(waiting) == 0 {
			return
		}
		for _, p := range waiting {
			if m.life.Err() == nil {
				m.openOne(p)
			}
		}
	}
}
