package node

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/barnabas-mq/barnabas/internal/meta"
	"github.com/barnabas-mq/barnabas/internal/replica"
)

const (
	maxAssignments      = 2250 // a request, as in Kafka
	firstAssignmentWait = 100 * time.Millisecond
	maxAssignmentWait   = 10 * time.Second
)

// assignments tells the controller in which data directories this broker's replicas lie (KIP-858), until it knows. By that the
// next start knows a log that is missing from one that has yet to be made.
type assignments struct {
	node *Node
	wake chan struct{}
	stop context.CancelFunc
	done chan struct{}

	mu      sync.Mutex // guards pending
	pending map[assigned]meta.ID
}

// assigned is a replica of this broker's; what is pending for it is its newest directory.
type assigned struct {
	topic     meta.ID
	partition int32
}

func newAssignments(n *Node) *assignments {
	return &assignments{node: n, wake: make(chan struct{}, 1), done: make(chan struct{}), pending: make(map[assigned]meta.ID)}
}

// add takes placements that the controller has yet to hear of. It never waits.
func (a *assignments) add(placements []replica.Placement) {
	if len(placements) == 0 {
		return
	}
	a.mu.Lock()
	for _, p := range placements {
		a.pending[assigned{p.Topic, p.Partition}] = p.Directory
	}
	a.mu.Unlock()
	select {
	case a.wake <- struct{}{}:
	default:
	}
}

// start reports until close.
func (a *assignments) start() {
	ctx, cancel := context.WithCancel(context.Background())
	a.stop = cancel
	go func() {
		defer close(a.done)
		for {
			select {
			case <-a.wake:
				a.drain(ctx)
			case <-ctx.Done():
				return
			}
		}
	}()
}

func (a *assignments) close() {
	if a.stop != nil {
		a.stop()
		<-a.done
	}
}

// drain reports all that is pending, and again what was not taken.
func (a *assignments) drain(ctx context.Context) {
	wait := firstAssignmentWait
	for {
		batch := a.take()
		if len(batch) == 0 {
			return
		}
		left, err := a.report(ctx, batch)
		if err == nil {
			wait = firstAssignmentWait
			continue
		}
		a.putBack(left)
		if ctx.Err() != nil {
			return
		}
		a.node.logger.Warn("the controller does not know yet in which directories replicas lie", "replicas", len(left), "error", err)
		if pause(ctx, wait) != nil {
			return
		}
		wait = min(2*wait, maxAssignmentWait)
	}
}

// take takes up to a request's worth of what is pending and still true.
func (a *assignments) take() map[assigned]meta.ID {
	image := a.node.imageForSettings()
	a.mu.Lock()
	defer a.mu.Unlock()
	batch := make(map[assigned]meta.ID)
	for at, directory := range a.pending {
		if len(batch) == maxAssignments {
			break
		}
		delete(a.pending, at)
		if a.wanted(image, at, directory) {
			batch[at] = directory
		}
	}
	return batch
}

// wanted says that the image has the replica, in another directory.
func (a *assignments) wanted(image *meta.Image, at assigned, directory meta.ID) bool {
	t, ok := image.TopicByID(at.topic)
	if !ok || image.MetadataVersion() < meta.Level37IV2 || int(at.partition) >= len(t.Partitions) {
		return false
	}
	p := t.Partitions[at.partition]
	for i, id := range p.Replicas {
		if id == a.node.nodeID {
			return i >= len(p.Directories) || p.Directories[i] != directory
		}
	}
	return false
}

// putBack keeps what was not taken, but for what has changed since.
func (a *assignments) putBack(batch map[assigned]meta.ID) {
	a.mu.Lock()
	defer a.mu.Unlock()
	for at, directory := range batch {
		if _, newer := a.pending[at]; !newer {
			a.pending[at] = directory
		}
	}
}

// report sends one request. The error says why some are left.
func (a *assignments) report(ctx context.Context, batch map[assigned]meta.ID) (left map[assigned]meta.ID, err error) {
	answer, err := a.node.controller.Do(ctx, a.request(batch), "")
	if err != nil {
		return batch, err
	}
	resp, ok := answer.(*kmsg.AssignReplicasToDirsResponse)
	if !ok {
		return batch, fmt.Errorf("controller answered %T", answer)
	}
	if err := kerr.ErrorForCode(resp.ErrorCode); err != nil {
		return batch, err
	}
	left = make(map[assigned]meta.ID)
	for _, directory := range resp.Directories {
		for _, topic := range directory.Topics {
			for _, p := range topic.Partitions {
				if refused := kerr.ErrorForCode(p.ErrorCode); refused != nil && !moot(refused) {
					err = refused
					left[assigned{topic.TopicID, p.Partition}] = directory.ID
				}
			}
		}
	}
	return left, err
}

// moot says that the replica is no more.
func moot(err error) bool {
	return errors.Is(err, kerr.UnknownTopicID) || errors.Is(err, kerr.UnknownTopicOrPartition) || errors.Is(err, kerr.NotLeaderForPartition)
}

// request names each directory and topic once.
func (a *assignments) request(batch map[assigned]meta.ID) *kmsg.AssignReplicasToDirsRequest {
	partitions := make(map[meta.ID]map[meta.ID][]int32)
	for at, directory := range batch {
		if partitions[directory] == nil {
			partitions[directory] = make(map[meta.ID][]int32)
		}
		partitions[directory][at.topic] = append(partitions[directory][at.topic], at.partition)
	}
	req := kmsg.NewPtrAssignReplicasToDirsRequest()
	req.BrokerID, req.BrokerEpoch = a.node.nodeID, a.node.registration.epoch.Load()
	for id, topics := range partitions {
		directory := kmsg.NewAssignReplicasToDirsRequestDirectory()
		directory.ID = id
		for id, indexes := range topics {
			topic := kmsg.NewAssignReplicasToDirsRequestDirectoryTopic()
			topic.TopicID = id
			for _, index := range indexes {
				p := kmsg.NewAssignReplicasToDirsRequestDirectoryTopicPartition()
				p.Partition = index
				topic.Partitions = append(topic.Partitions, p)
			}
			directory.Topics = append(directory.Topics, topic)
		}
		req.Directories = append(req.Directories, directory)
	}
	return req
}
