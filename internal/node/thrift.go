package node

import (
	"runtime/debug"
	"time"

	"github.com/barnabas-mq/barnabas/internal/logdir"
	"github.com/barnabas-mq/barnabas/internal/meta"
)

const (
	// thriftAfter is how long it must have been quiet before memory is given back.
	thriftAfter = 2 * time.Second
	// manyPartitions is how many at once leave much garbage behind.
	manyPartitions = 1000
)

// thrift gives memory back to the system after the few moments in a broker's life that need much more than what comes after:
// its start, a recovery, the making of thousands of partitions. The runtime by itself keeps twice of what is live. Under load it
// is left alone: pages that come back are slower to touch.
type thrift struct{ timer *time.Timer }

func newThrift() *thrift { return &thrift{time.AfterFunc(thriftAfter, debug.FreeOSMemory)} }

// soon puts it off until it has been quiet again.
func (t *thrift) soon() { t.timer.Reset(thriftAfter) }

// afterRecovery waits for the directories, without keeping the caller. It ends when they are closed at the latest.
func (t *thrift) afterRecovery(dirs []*logdir.Dir) {
	t.soon()
	go func() {
		for _, dir := range dirs {
			<-dir.Recovered()
		}
		t.soon()
	}()
}

// acted is told what the broker has just acted on.
func (t *thrift) acted(d meta.Delta) {
	n := 0
	for _, topics := range [][]*meta.Topic{d.Created, d.Deleted} {
		for _, topic := range topics {
			n += len(topic.Partitions)
		}
	}
	for _, topic := range d.Changed {
		n += len(topic.Partitions)
	}
	if n >= manyPartitions {
		t.soon()
	}
}

func (t *thrift) stop() { t.timer.Stop() }
