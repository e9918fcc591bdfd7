package node

import (
	"context"
	"fmt"
	"sync"
	"time"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/barnabas-mq/barnabas/internal/config"
	"github.com/barnabas-mq/barnabas/internal/replica"
)

// proposals asks the controller for the in-sync sets that this broker's leaders propose, all that wait in one request, and one
// request at a time. It also looks which followers lag.
type proposals struct {
	node *Node
	wake chan struct{} // holds a token when something is pending
	stop context.CancelFunc
	done sync.WaitGroup

	mu      sync.Mutex // guards pending
	pending map[*replica.Partition]replica.Proposal
}

func newProposals(n *Node) *proposals {
	return &proposals{node: n, wake: make(chan struct{}, 1), pending: make(map[*replica.Partition]replica.Proposal)}
}

// add takes a proposal. It never waits.
func (a *proposals) add(p replica.Proposal) {
	a.mu.Lock()
	a.pending[p.Partition] = p
	a.mu.Unlock()
	select {
	case a.wake <- struct{}{}:
	default:
	}
}

func (a *proposals) start() {
	ctx, cancel := context.WithCancel(context.Background())
	a.stop = cancel
	a.done.Go(func() { a.propose(ctx) })
	a.done.Go(func() { a.look(ctx) })
}

func (a *proposals) close() {
	if a.stop != nil {
		a.stop()
		a.done.Wait()
	}
}

// look looks for followers that lag, twice in the time that they may.
func (a *proposals) look(ctx context.Context) {
	for {
		most := config.Millis(config.ReplicaLagTimeMaxMs, a.node.live.values())
		if pause(ctx, max(most/2, time.Millisecond)) != nil {
			return
		}
		if !a.node.isSoleBroker(a.node.publisher.current()) {
			a.node.replicas.CheckLag(most)
		}
	}
}

func (a *proposals) propose(ctx context.Context) {
	for {
		select {
		case <-ctx.Done():
			return
		case <-a.wake:
		}
		a.mu.Lock()
		batch := a.pending
		a.pending = make(map[*replica.Partition]replica.Proposal)
		a.mu.Unlock()
		if len(batch) == 0 {
			continue
		}
		if err := a.send(ctx, batch); err != nil && ctx.Err() == nil {
			a.node.logger.Warn("in-sync sets could not be proposed, and are again", "partitions", len(batch), "error", err)
			if pause(ctx, retryAfter) != nil {
				return
			}
			a.again(batch)
		}
	}
}

// again has proposals sent again for whose partitions there is no newer one.
func (a *proposals) again(batch map[*replica.Partition]replica.Proposal) {
	for p, proposal := range batch {
		a.mu.Lock()
		_, newer := a.pending[p]
		a.mu.Unlock()
		if !newer {
			a.add(proposal)
		}
	}
}

// send proposes, and ends those proposals that the controller refuses. What it confirms comes as metadata. After an error all are to
// be sent again: the controller may or may not have taken them.
func (a *proposals) send(ctx context.Context, batch map[*replica.Partition]replica.Proposal) error {
	type place struct {
		topic [16]byte
		index int32
	}
	req := kmsg.NewPtrAlterPartitionRequest()
	req.Version = req.MaxVersion()
	req.BrokerID, req.BrokerEpoch = a.node.nodeID, a.node.registration.epoch.Load()
	topics, places := map[[16]byte]*kmsg.AlterPartitionRequestTopic{}, map[place]replica.Proposal{}
	for _, p := range batch {
		id := p.Partition.Topic().ID
		t := topics[id]
		if t == nil {
			t = &kmsg.AlterPartitionRequestTopic{TopicID: id, Topic: p.Partition.Topic().Name}
			topics[id] = t
		}
		t.Partitions = append(t.Partitions, proposed(p))
		places[place{id, p.Partition.Index}] = p
	}
	for _, t := range topics {
		req.Topics = append(req.Topics, *t)
	}
	answer, err := a.node.controller.Do(ctx, req, "")
	if err != nil {
		return err
	}
	resp, ok := answer.(*kmsg.AlterPartitionResponse)
	if !ok {
		return fmt.Errorf("controller answered %T", answer)
	}
	if err := kerr.ErrorForCode(resp.ErrorCode); err != nil {
		return err
	}
	var failed error
	for i := range resp.Topics {
		for _, got := range resp.Topics[i].Partitions {
			p, ok := places[place{resp.Topics[i].TopidID, got.Partition}]
			err := kerr.ErrorForCode(got.ErrorCode)
			if ok && err != nil {
				a.node.logger.Info("the controller does not take an in-sync set", "partition", p.Partition.String(), "error", err)
			}
			if ok && p.Partition.Answered(p, err) {
				failed = err
			} else {
				delete(batch, p.Partition)
			}
		}
	}
	return failed
}

func proposed(p replica.Proposal) kmsg.AlterPartitionRequestTopicPartition {
	out := kmsg.NewAlterPartitionRequestTopicPartition()
	out.Partition, out.LeaderEpoch, out.PartitionEpoch = p.Partition.Index, p.LeaderEpoch, p.PartitionEpoch
	for _, m := range p.ISR {
		member := kmsg.NewAlterPartitionRequestTopicPartitionNewEpochISR()
		member.BrokerID, member.BrokerEpoch = m.ID, m.BrokerEpoch
		out.NewEpochISR = append(out.NewEpochISR, member)
	}
	return out
}
