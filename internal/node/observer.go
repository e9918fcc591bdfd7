package node

import (
	"context"
	"errors"
	"fmt"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/barnabas-mq/barnabas/internal/batch"
	"github.com/barnabas-mq/barnabas/internal/client"
	"github.com/barnabas-mq/barnabas/internal/config"
	"github.com/barnabas-mq/barnabas/internal/members"
	"github.com/barnabas-mq/barnabas/internal/meta"
	"github.com/barnabas-mq/barnabas/internal/metalog"
	"github.com/barnabas-mq/barnabas/internal/peer"
	"github.com/barnabas-mq/barnabas/internal/quorum"
)

// observer follows the metadata without a part in the quorum, as a broker that is no controller does: it fetches what is committed,
// from the leader while there is one, else from whichever controller answers. What it has fetched is not undone by anybody, so it
// never cuts its log; and loses at most an unsynced end of it, which it fetches again.
type observer struct {
	metadata *metadata
	written  chan []byte // the reference of a checkpoint that was written
	building bool
	since    int64 // bytes applied since the last checkpoint was begun
}

// startObserver takes up the metadata where the last run of this node left it, and follows it from there.
func (n *Node) startObserver() error {
	m := n.metadata
	data, err := m.log.Resume()
	if err != nil {
		return err
	}
	if err := m.restore(quorum.Snapshot{Data: data}); err != nil {
		return fmt.Errorf("metadata: %w", err)
	}
	n.ensemble.met(contactsIn(m.current()))
	o := &observer{metadata: m, written: make(chan []byte, 1)}
	n.ensemble.start()
	n.ensemble.running.Go(func() { o.run(n.ensemble.lifetime()) })
	return nil
}

// contactsIn are the controllers that the metadata of an earlier run knows: those that are configured may all be gone since.
func contactsIn(image *meta.Image) []peer.Contact {
	var contacts []peer.Contact
	for c := range image.Controllers() {
		m := members.Member{NodeID: c.ID}
		for _, l := range c.Listeners {
			m.Endpoints = append(m.Endpoints, members.Endpoint{Name: l.Name, Host: l.Host, Port: l.Port})
		}
		contacts = append(contacts, peer.Contact{Member: m})
	}
	return contacts
}

// lifetime ends with the ensemble.
func (e *ensemble) lifetime() context.Context {
	e.mu.Lock()
	defer e.mu.Unlock()
	return e.life
}

func (o *observer) run(ctx context.Context) {
	e := o.metadata.node.ensemble
	for turn := 0; ctx.Err() == nil; turn++ {
		from := e.leader()
		if others := e.list(); from == nil && len(others) > 0 {
			from = others[turn%len(others)]
		}
		if from == nil {
			_ = pause(ctx, joinAgain)
			continue
		}
		err := o.follow(ctx, from)
		if ctx.Err() != nil {
			return
		}
		if fatal := new(applyError); errors.As(err, &fatal) {
			o.metadata.node.fail(fmt.Errorf("metadata from controller at %s: %w", from.address, err))
			return
		}
		e.doubt(from)
		o.metadata.node.logger.Debug("metadata is followed no more", "controller", from.address, "error", err)
		_ = pause(ctx, retryAfter)
	}
}

// applyError is about metadata that came whole and cannot be taken.
type applyError struct{ error }

func (e *applyError) Unwrap() error { return e.error }

var errFollowsAnother = errors.New("another controller leads")

// follow fetches from a controller until that fails, or another one leads.
func (o *observer) follow(ctx context.Context, from *other) error {
	m := o.metadata
	for {
		c, err := from.follow.Connect(ctx)
		if err != nil {
			return err
		}
		if leader := m.node.ensemble.leader(); leader != nil && leader != from {
			return errFollowsAnother
		}
		p, err := o.fetch(ctx, c)
		switch {
		case err != nil:
			return err
		case p.SnapshotID.EndOffset >= 0:
			err = o.install(ctx, from, metalog.Position{Offset: p.SnapshotID.EndOffset, Epoch: p.SnapshotID.Epoch})
		default:
			err = o.take(p.RecordBatches)
		}
		if err != nil {
			return err
		}
		o.checkpoint()
	}
}

// fetch asks for what comes next.
func (o *observer) fetch(ctx context.Context, c *client.Conn) (*kmsg.FetchResponseTopicPartition, error) {
	m := o.metadata
	n := m.node
	// Who waits longer for what a controller answers within its wait is at one that is frozen, or cut off.
	ctx, cancel := context.WithTimeout(ctx, metadataFetchWait+n.electionTimeout()*2)
	defer cancel()
	req := kmsg.NewPtrFetchRequest()
	req.Version = metadataFetchVersion
	req.ReplicaState.ID, req.ReplicaState.Epoch = n.nodeID, -1
	req.MaxWaitMillis, req.MinBytes, req.MaxBytes = int32(metadataFetchWait.Milliseconds()), 1, metadataFetchMax
	req.SessionEpoch = -1
	topic := kmsg.NewFetchRequestTopic()
	topic.TopicID = metadataTopicID
	p := kmsg.NewFetchRequestTopicPartition()
	at := m.log.Position()
	p.FetchOffset, p.LastFetchedEpoch, p.CurrentLeaderEpoch, p.PartitionMaxBytes = at.Offset, at.Epoch, -1, metadataFetchMax
	p.ReplicaDirectoryID = n.metadataOwner().Identity().DirectoryID
	topic.Partitions = append(topic.Partitions, p)
	req.Topics = append(req.Topics, topic)

	answer, err := wrapped(ctx, c, req, nodeName(n.nodeID), "")
	if err != nil {
		return nil, err
	}
	resp, ok := answer.(*kmsg.FetchResponse)
	if !ok || len(resp.Topics) != 1 || len(resp.Topics[0].Partitions) != 1 {
		return nil, fmt.Errorf("fetch of metadata was answered by %T with %d topics", answer, len(resp.Topics))
	}
	got := &resp.Topics[0].Partitions[0]
	return got, kerr.ErrorForCode(got.ErrorCode)
}

// take applies batches as they came.
func (o *observer) take(records []byte) error {
	for len(records) > 0 {
		h, whole, rest, err := batch.Next(records)
		if err != nil {
			return fmt.Errorf("fetched metadata: %w", err)
		}
		if err := o.metadata.apply(quorum.Entry{Term: uint64(h.LeaderEpoch), Payload: whole}); err != nil {
			return &applyError{err}
		}
		o.since += int64(len(whole))
		records = rest
	}
	return nil
}

// install begins anew from a controller's checkpoint.
func (o *observer) install(ctx context.Context, from *other, at metalog.Position) error {
	m := o.metadata
	ctx, cancel := context.WithTimeout(ctx, installTimeout)
	defer cancel()
	reference := m.log.CheckpointReference(at)
	if err := m.log.Install(reference, m.node.ensemble.pieces(ctx, from, reference)); err != nil {
		return err
	}
	m.node.logger.Info("metadata goes on from a controller's checkpoint", "controller", from.address, "offset", at.Offset)
	if err := m.restore(quorum.Snapshot{Data: m.log.CheckpointReference(at)}); err != nil {
		return &applyError{err}
	}
	return nil
}

// checkpoint writes one from time to time, so that a start need not read everything, and removes what older ones needed.
func (o *observer) checkpoint() {
	m := o.metadata
	select {
	case reference := <-o.written:
		o.building = false
		m.trim(quorum.Snapshot{Data: reference})
	default:
	}
	most := config.MetadataLogMaxRecordBytesBetweenSnapshots.Of(m.node.live.values())
	if o.building || o.since < most {
		return
	}
	write := m.snapshot(0, 0)
	if write == nil {
		return
	}
	o.building, o.since = true, 0
	m.node.ensemble.running.Go(func() {
		reference, err := write()
		if err != nil {
			m.node.logger.Error("metadata checkpoint could not be written", "error", err)
		}
		o.written <- reference
	})
}

// wrapped sends a request in an envelope, at its own version, and takes the answer out of it.
func wrapped(ctx context.Context, c *client.Conn, req kmsg.Request, name, principal string) (kmsg.Response, error) {
	out := kmsg.NewPtrEnvelopeRequest()
	format := kmsg.NewRequestFormatter(kmsg.FormatterClientID(name))
	out.RequestData = format.AppendRequest(nil, req, 0)[4:]
	if principal != "" {
		out.RequestPrincipal = []byte(principal)
	}
	answer, err := c.Do(ctx, out)
	if err != nil {
		return nil, err
	}
	body, err := opened(answer)
	if err != nil {
		return nil, err
	}
	resp := req.ResponseKind()
	resp.SetVersion(req.GetVersion())
	if resp.IsFlexible() {
		if len(body) == 0 {
			return nil, errors.New("answer in an envelope ends early")
		}
		body = body[1:] // our own header never has tags
	}
	if err := resp.ReadFrom(body); err != nil {
		return nil, fmt.Errorf("answer in an envelope: %w", err)
	}
	return resp, nil
}
