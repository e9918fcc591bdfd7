package node

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"
)

// registerControllerWithin bounds how long the start waits for an active controller to write the registration down.
const registerControllerWithin = 5 * time.Second

// registerController has it written down where this controller listens, and what it supports, with each start. A node without
// a listener for controllers has nothing to say. Nothing but tools depends on it, so that it fails is said and no more.
func (n *Node) registerController(ctx context.Context) {
	if n.control == nil {
		return
	}
	ctx, cancel := context.WithTimeout(ctx, registerControllerWithin)
	defer cancel()
	err := n.tryRegisterController(ctx)
	for errors.Is(err, kerr.NotController) && pause(ctx, retryAfter) == nil { // a node that is alone leads in a moment
		err = n.tryRegisterController(ctx)
	}
	if err != nil {
		n.logger.Warn("tools that connect to controllers will not find this one", "error", err)
	}
}

func (n *Node) tryRegisterController(ctx context.Context) error {
	req := kmsg.NewPtrControllerRegistrationRequest()
	req.ControllerID, req.IncarnationID = n.nodeID, n.incarnation
	endpoints, err := n.endpointsOf(n.control)
	if err != nil {
		return err
	}
	for _, e := range endpoints {
		listener := kmsg.NewControllerRegistrationRequestListener()
		listener.Name, listener.Host, listener.Port = e.name, e.host, e.port
		req.Listeners = append(req.Listeners, listener)
	}
	for _, f := range append(supportedFeatures(), metadataVersions) {
		feature := kmsg.NewControllerRegistrationRequestFeature()
		feature.Name, feature.MinSupportedVersion, feature.MaxSupportedVersion = f.Name, f.Min, f.Max
		req.Features = append(req.Features, feature)
	}
	answer, err := n.controller.Do(ctx, req, "")
	if err != nil {
		return err
	}
	resp, ok := answer.(*kmsg.ControllerRegistrationResponse)
	if !ok {
		return fmt.Errorf("controller answered %T", answer)
	}
	return kerr.ErrorForCode(resp.ErrorCode)
}
