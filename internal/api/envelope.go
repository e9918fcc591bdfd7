package api

import (
	"encoding/binary"
	"errors"
	"fmt"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/barnabas-mq/barnabas/internal/peer"
	"github.com/barnabas-mq/barnabas/internal/wire"
)

// Envelope (key 58, version 0, KIP-590) is how nodes talk to the controller: a broker forwards in it what a client asked of it,
// and asks in it what it needs itself. Inside is a whole request, header and body without the length; the answer likewise.
// Keys of our own (package peer) go to the node.
//
// NOT_CONTROLLER says that whoever sent it must look for the active controller: a request is forwarded once. Our principals
// are text.
func (b *Broker) envelope(r *Request) Result {
	req := r.Body.(*kmsg.EnvelopeRequest)
	return later(func() Result {
		resp := req.ResponseKind().(*kmsg.EnvelopeResponse)
		data, err := b.open(r, req)
		resp.ResponseData = data
		resp.ErrorCode = b.code(err, kerr.NotController, "envelope")
		return respond(resp)
	})
}

func (b *Broker) open(r *Request, req *kmsg.EnvelopeRequest) ([]byte, error) {
	header, body, err := wire.ParseHeader(req.RequestData)
	if err != nil {
		return nil, fmt.Errorf("request in an envelope: %w: %w", err, kerr.InvalidRequest)
	}
	if header.Key >= peer.FirstKey {
		answer, err := b.Peer(r.Ctx, header.Key, header.Version, body)
		if errors.Is(err, peer.ErrUnknown) || errors.Is(err, peer.ErrMalformed) {
			err = fmt.Errorf("%w: %w", err, kerr.InvalidRequest)
		}
		return append(binary.BigEndian.AppendUint32(nil, uint32(header.CorrelationID)), answer...), err
	}
	inner, err := decodeInner(header, body)
	if err != nil {
		return nil, err
	}
	response, err := b.Forwarded(r.Ctx, inner, string(req.RequestPrincipal))
	if err != nil {
		return nil, err
	}
	out := binary.BigEndian.AppendUint32(nil, uint32(header.CorrelationID))
	if wire.Flexible(header.Key, header.Version) {
		out = append(out, 0) // no tags
	}
	return response.AppendTo(out), nil
}

func decodeInner(header wire.Header, body []byte) (kmsg.Request, error) {
	inner := kmsg.RequestForKey(header.Key)
	if inner == nil || header.Version < 0 || header.Version > inner.MaxVersion() {
		return nil, fmt.Errorf("request in an envelope: api key %d version %d: %w", header.Key, header.Version, kerr.InvalidRequest)
	}
	shape, err := wire.Verify(header.Key, header.Version, body)
	if err != nil {
		return nil, fmt.Errorf("request in an envelope: %w: %w", err, kerr.InvalidRequest)
	}
	inner.SetVersion(header.Version)
	if err := inner.ReadFrom(append([]byte(nil), body[:shape.Size]...)); err != nil {
		return nil, fmt.Errorf("request in an envelope: %w: %w", err, kerr.InvalidRequest)
	}
	return inner, nil
}
