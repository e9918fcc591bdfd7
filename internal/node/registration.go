package node

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync/atomic"
	"time"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/barnabas-mq/barnabas/internal/config"
)

// registration is this broker's membership: it registers with the controller, gets an epoch, and keeps itself unfenced
// by heartbeats.
type registration struct {
	node   *Node
	epoch  atomic.Int64 // -1 until registered
	stop   context.CancelFunc
	done   chan struct{}
	fenced atomic.Bool  // as of the last heartbeat
	heard  atomic.Int64 // when the controller last answered a heartbeat, in Unix nanoseconds
	// endpoints are those that the controller knows. Only who registers uses them: join, and then the heartbeats.
	endpoints []endpoint
	changed   chan struct{} // the endpoints may have changed
}

func newRegistration(n *Node) *registration {
	r := &registration{node: n, done: make(chan struct{}), changed: make(chan struct{}, 1)}
	r.epoch.Store(-1)
	return r
}

// join registers and waits until the broker is unfenced.
func (r *registration) join(ctx context.Context) error {
	if err := r.registerPatiently(ctx); err != nil {
		return fmt.Errorf("register with the controller: %w", err)
	}
	// The epoch is where in the metadata log the registration lies: what was committed before this start lies before it.
	if err := r.node.metadata.awaitApplied(ctx, r.epoch.Load()); err != nil {
		return fmt.Errorf("read metadata up to this broker's registration: %w", err)
	}
	r.node.publisher.release()
	for {
		r.node.publisher.await()
		answer, err := r.beat(ctx, false)
		if err != nil {
			return fmt.Errorf("first heartbeat: %w", err)
		}
		if !answer.IsFenced {
			return nil
		}
		if err := pause(ctx, retryAfter); err != nil {
			return err
		}
	}
}

// registerPatiently registers once the controller has let go of the process that had this id before: that may have died a
// moment ago, and its session lasts until it is fenced.
func (r *registration) registerPatiently(ctx context.Context) error {
	for said := false; ; said = true {
		err := r.register(ctx)
		if !errors.Is(err, kerr.DuplicateBrokerRegistration) || r.node.ensemble.alone() {
			return err
		}
		if !said {
			r.node.logger.Info("another process of this node.id is registered; waiting for the end of its session", "error", err)
		}
		if err := pause(ctx, registerAgain); err != nil {
			return err
		}
	}
}

// registerAgain is the pause before the controller is asked again whether the former process's session has ended.
const registerAgain = 100 * time.Millisecond

// retryAfter is the pause before a controller that did not answer, or did not agree yet, is asked again.
const retryAfter = 10 * time.Millisecond

func pause(ctx context.Context, d time.Duration) error {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

func (r *registration) register(ctx context.Context) error {
	req := kmsg.NewPtrBrokerRegistrationRequest()
	req.Version = req.MaxVersion()
	req.BrokerID, req.ClusterID, req.IncarnationID = r.node.nodeID, r.node.clusterID, r.node.incarnation
	req.PreviousBrokerEpoch = r.node.previousEpoch()
	endpoints, err := r.node.endpoints()
	if err != nil {
		return err
	}
	for _, e := range endpoints {
		listener := kmsg.NewBrokerRegistrationRequestListener()
		listener.Name, listener.Host, listener.Port = e.name, e.host, e.port
		req.Listeners = append(req.Listeners, listener)
	}
	for _, f := range append(supportedFeatures(), metadataVersions) {
		feature := kmsg.NewBrokerRegistrationRequestFeature()
		feature.Name, feature.MinSupportedVersion, feature.MaxSupportedVersion = f.Name, f.Min, f.Max
		req.Features = append(req.Features, feature)
	}
	if rack := config.BrokerRack; rack.IsSet(r.node.live.values()) {
		req.Rack = kmsg.StringPtr(rack.Of(r.node.live.values()))
	}
	for _, dir := range r.node.dirs {
		req.LogDirs = append(req.LogDirs, dir.Identity().DirectoryID)
	}
	answer, err := r.ask(ctx, req)
	if err != nil {
		return err
	}
	resp, ok := answer.(*kmsg.BrokerRegistrationResponse)
	if !ok {
		return fmt.Errorf("controller answered %T", answer)
	}
	if err := kerr.ErrorForCode(resp.ErrorCode); err != nil {
		return err
	}
	r.epoch.Store(resp.BrokerEpoch)
	r.endpoints = endpoints
	for _, dir := range r.node.dirs {
		dir.Registered(resp.BrokerEpoch)
	}
	return nil
}

// amendSoon has the heartbeats see to it that the endpoints are registered. It never waits.
func (r *registration) amendSoon() {
	select {
	case r.changed <- struct{}{}:
	default:
	}
}

// amend registers the endpoints if they have changed. The incarnation and the epoch stay.
func (r *registration) amend(ctx context.Context) error {
	endpoints, err := r.node.endpoints()
	if err != nil || slices.Equal(endpoints, r.endpoints) {
		return err
	}
	if err := r.register(ctx); err != nil {
		return fmt.Errorf("register listeners with the controller: %w", err)
	}
	return nil
}

// ask asks the controller until one answers.
func (r *registration) ask(ctx context.Context, req kmsg.Request) (kmsg.Response, error) {
	for {
		answer, err := r.node.controller.Do(ctx, req, "")
		if err == nil || !errors.Is(err, kerr.NotController) {
			return answer, err
		}
		if err := pause(ctx, retryAfter); err != nil {
			return nil, err
		}
	}
}

// isOver says that the last heartbeat was answered by that this broker is fenced, or so long ago that it is about to be: what is known
// here of who leads may be old, as after the process, or the machine, stood still.
func (r *registration) isOver() bool {
	session := config.Millis(config.BrokerSessionTimeoutMs, r.node.live.values())
	return r.fenced.Load() || time.Since(time.Unix(0, r.heard.Load())) > session
}

// beat sends one heartbeat. leaving asks for leave to stop.
func (r *registration) beat(ctx context.Context, leaving bool) (*kmsg.BrokerHeartbeatResponse, error) {
	req := kmsg.NewPtrBrokerHeartbeatRequest()
	req.Version = req.MaxVersion()
	req.BrokerID, req.BrokerEpoch = r.node.nodeID, r.epoch.Load()
	req.CurrentMetadataOffset = r.node.publisher.image.Load().end - 1
	req.WantShutdown = leaving
	answer, err := r.ask(ctx, req)
	if err != nil {
		return nil, err
	}
	resp, ok := answer.(*kmsg.BrokerHeartbeatResponse)
	if !ok {
		return nil, fmt.Errorf("controller answered %T", answer)
	}
	r.heard.Store(time.Now().UnixNano())
	r.fenced.Store(resp.IsFenced)
	return resp, kerr.ErrorForCode(resp.ErrorCode)
}

const (
	// leaveAgain is the pause before a leaving broker asks again whether it may go.
	leaveAgain = 20 * time.Millisecond
	// leaveWithin bounds the time in which others take over what it leads; without them it stops all the same.
	leaveWithin = 10 * time.Second
	// leaveAlone is how long a controller is looked for: where all nodes stop at once, the last ones find none.
	leaveAlone = 2 * time.Second
)

// leave has others take over what this broker leads, while it serves on, and returns when they have, or when ctx ends: its clients
// shall find the new leaders at once.
func (r *registration) leave(ctx context.Context) {
	ctx, cancel := context.WithTimeout(ctx, leaveWithin)
	defer cancel()
	for {
		within, done := context.WithTimeout(ctx, leaveAlone)
		answer, err := r.beat(within, true)
		done()
		if err == nil && answer.ShouldShutdown {
			return
		}
		if err == nil {
			err = pause(ctx, leaveAgain)
		}
		if err != nil {
			r.node.logger.Warn("stopping although others may not have taken over yet", "error", err)
			return
		}
	}
}

// start sends heartbeats, and registers endpoints that have changed, until close.
func (r *registration) start() {
	ctx, cancel := context.WithCancel(context.Background())
	r.stop = cancel
	go func() {
		defer close(r.done)
		timer := time.NewTimer(0)
		defer timer.Stop()
		for {
			timer.Reset(config.Millis(config.BrokerHeartbeatIntervalMs, r.node.live.values()))
			r.untilBeat(ctx, timer.C)
			if ctx.Err() != nil {
				return
			}
			_, err := r.beat(ctx, false)
			if errors.Is(err, kerr.StaleBrokerEpoch) {
				err = r.register(ctx) // the controller knows of no such registration any more
			}
			if err != nil && ctx.Err() == nil {
				r.node.logger.Warn("heartbeat failed", "error", err)
			}
		}
	}()
}

// untilBeat registers endpoints as they change, until a heartbeat is due or ctx ends. Listeners accept once they are registered.
func (r *registration) untilBeat(ctx context.Context, due <-chan time.Time) {
	for {
		if err := r.amend(ctx); err == nil {
			r.node.server.Serve()
		} else if ctx.Err() == nil {
			r.node.logger.Warn("new listeners do not serve yet", "error", err)
		}
		select {
		case <-ctx.Done():
			return
		case <-due:
			return
		case <-r.changed:
		}
	}
}

func (r *registration) close() {
	if r.stop != nil {
		r.stop()
		<-r.done
	}
}
