package api

import (
	"context"
	"fmt"
	"sync"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"
)

// InitProducerID (key 22) gives an idempotent producer its id (KIP-98), unique in the cluster for all time.
//
// Versions 0–5. 3: the id and epoch that the producer had (KIP-360): for an idempotent producer a new id answers it, too.
// Transactions are not served yet: a request with a transactional id is answered TRANSACTIONAL_ID_AUTHORIZATION_FAILED,
// which every client takes as final.
func (b *Broker) initProducerID(r *Request) Result {
	req := r.Body.(*kmsg.InitProducerIDRequest)
	resp := req.ResponseKind().(*kmsg.InitProducerIDResponse)
	refuse := func(err error) Result {
		resp.ErrorCode, resp.ProducerID, resp.ProducerEpoch = b.code(err, kerr.CoordinatorNotAvailable, "init producer id"), -1, -1
		return respond(resp)
	}
	if req.Version >= 3 && (req.ProducerID == -1) != (req.ProducerEpoch == -1) {
		return refuse(fmt.Errorf("producer id %d with epoch %d: %w", req.ProducerID, req.ProducerEpoch, kerr.InvalidRequest))
	}
	if req.TransactionalID != nil {
		if *req.TransactionalID == "" {
			return refuse(fmt.Errorf("empty transactional id: %w", kerr.InvalidRequest))
		}
		return refuse(fmt.Errorf("transactional id %q: %w", *req.TransactionalID, kerr.TransactionalIDAuthorizationFailed))
	}
	if id, ok := b.ProducerIDs.take(); ok {
		resp.ProducerID, resp.ProducerEpoch = id, 0
		return respond(resp)
	}
	return later(func() Result {
		id, err := b.ProducerIDs.next(r.Ctx, r.Conn.Principal)
		if err != nil {
			return refuse(err)
		}
		resp.ProducerID, resp.ProducerEpoch = id, 0
		return respond(resp)
	})
}

// ProducerIDs gives out producer ids from blocks that the controller allocates.
type ProducerIDs struct {
	Controller Controller
	NodeID     int32
	Epoch      func() int64 // this broker's epoch

	refill sync.Mutex // held while a block is fetched, so that one is fetched at a time
	mu     sync.Mutex
	id     int64
	end    int64
}

func (p *ProducerIDs) take() (int64, bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.id == p.end {
		return 0, false
	}
	p.id++
	return p.id - 1, true
}

// next gives an id, fetching a block first if there is none.
func (p *ProducerIDs) next(ctx context.Context, principal string) (int64, error) {
	p.refill.Lock()
	defer p.refill.Unlock()
	if id, ok := p.take(); ok {
		return id, nil
	}
	req := kmsg.NewPtrAllocateProducerIDsRequest()
	req.BrokerID, req.BrokerEpoch = p.NodeID, p.Epoch()
	answer, err := p.Controller.Do(ctx, req, principal)
	if err != nil { // Whatever it is, it passes; and a producer that asks again is all that it takes.
		return -1, fmt.Errorf("producer id block: %w: %w", kerr.CoordinatorLoadInProgress, err)
	}
	resp, ok := answer.(*kmsg.AllocateProducerIDsResponse)
	if !ok {
		return -1, fmt.Errorf("controller answered %T", answer)
	}
	if err := kerr.ErrorForCode(resp.ErrorCode); err != nil {
		return -1, fmt.Errorf("producer id block: %w: %w", kerr.CoordinatorLoadInProgress, err)
	}
	if resp.ProducerIDLen <= 0 {
		return -1, fmt.Errorf("producer id block of %d: %w", resp.ProducerIDLen, kerr.CoordinatorLoadInProgress)
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	// The first one is ours before the others can be taken: a block may be used up as soon as it is seen.
	p.id, p.end = resp.ProducerIDStart+1, resp.ProducerIDStart+int64(resp.ProducerIDLen)
	return resp.ProducerIDStart, nil
}
