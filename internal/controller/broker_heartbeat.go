package controller

import (
	"math"
	"slices"

	"github.com/barnabas-mq/barnabas/internal/meta"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"
)

// BrokerHeartbeat (key 63, versions 0 to 2) keeps a broker's session, and moves
// it through its life: fenced until it has caught up, unfenced, in controlled
// shutdown while its leaders move, and gone.
//
// v1 adds directories that went offline (KIP-858), v2 cordoned ones (KIP-1066).

// brokerState is where a broker is in its life.
type brokerState int8

const (
	fenced brokerState = iota
	unfenced
	controlledShutdown
	shutdownNow
)

func (d *decision) brokerHeartbeat(request *kmsg.BrokerHeartbeatRequest) *kmsg.BrokerHeartbeatResponse {
	response := request.ResponseKind().(*kmsg.BrokerHeartbeatResponse)
	b, err := d.brokerOfEpoch(request.BrokerID, request.BrokerEpoch)
	if err != nil {
		response.ErrorCode, _ = told(err)
		return response
	}
	x, known := d.soft.find(b.ID, b.Epoch)
	if !known {
		x.knownOffset = d.env.NextOffset - 1
	}
	x.heard, x.metadataOffset = d.env.Now, request.CurrentMetadataOffset
	now := currentState(b, x)
	next := d.nextState(b, x, now, request)
	if next != now {
		d.enter(b, next)
	}
	switch {
	case next == controlledShutdown && x.shutdownOffset < 0:
		x.shutdownOffset = d.env.NextOffset + int64(len(d.records)) - 1
	case next != controlledShutdown:
		x.shutdownOffset = -1
	}
	d.soft = d.soft.with(x)
	if d.im.MetadataVersion() >= meta.Level37IV2 {
		d.directoriesOffline(b, request.OfflineLogDirs)
	}
	if d.im.MetadataVersion() >= meta.Level43IV0 {
		d.directoriesCordoned(b, request.CordonedLogDirs)
	}
	response.IsCaughtUp = request.CurrentMetadataOffset >= max(b.Epoch, x.knownOffset)
	response.IsFenced = next == fenced || next == shutdownNow
	response.ShouldShutdown = next == shutdownNow
	return response
}

// brokerOfEpoch is the registration of a broker that still is who it was.
func (d *decision) brokerOfEpoch(id int32, epoch int64) (*meta.Broker, error) {
	b, ok := d.im.Broker(id)
	switch {
	case !ok:
		return nil, refuse(kerr.StaleBrokerEpoch, "No broker registration found for broker id %d", id)
	case b.Epoch != epoch:
		return nil, refuse(kerr.StaleBrokerEpoch, "Expected broker epoch %d, but got broker epoch %d", b.Epoch, epoch)
	}
	return b, nil
}

// currentState knows of a controlled shutdown only from the session: a new
// controller lets the broker ask again.
func currentState(b *meta.Broker, x session) brokerState {
	switch {
	case x.shutdownOffset >= 0:
		return controlledShutdown
	case b.Fenced:
		return fenced
	}
	return unfenced
}

func (d *decision) nextState(b *meta.Broker, x session, now brokerState, request *kmsg.BrokerHeartbeatRequest) brokerState {
	switch now {
	case fenced:
		// A broker that has read its own registration, and what was decided while it
		// was silent, may lead. Kafka asks for the registration alone: a broker whose
		// machine stood still would be unfenced, and take itself for the leader of what
		// it led before.
		caughtUp := request.CurrentMetadataOffset >= max(b.Epoch, x.knownOffset)
		switch {
		case request.WantShutdown:
			return shutdownNow
		case !request.WantFence && caughtUp:
			return unfenced
		}
		return fenced
	case unfenced:
		switch {
		case request.WantFence && request.WantShutdown:
			return shutdownNow
		case request.WantFence:
			return fenced
		case request.WantShutdown && d.leadsSomething(b.ID):
			return controlledShutdown
		case request.WantShutdown:
			return shutdownNow
		}
		return unfenced
	default: // in controlled shutdown
		// The others have to know their leaders before this one stops answering.
		if d.leadsSomething(b.ID) || x.shutdownOffset > d.lowestActiveOffset() {
			return controlledShutdown
		}
		return shutdownNow
	}
}

func (d *decision) enter(b *meta.Broker, next brokerState) {
	switch next {
	case fenced, shutdownNow:
		if !b.Fenced || d.leadsSomething(b.ID) {
			d.fence(b.ID)
		}
	case unfenced:
		d.add(&meta.BrokerRegistrationChangeRecord{BrokerID: b.ID, BrokerEpoch: b.Epoch, Fenced: -1})
		d.updateLeaders(gone(), leaderless)
	case controlledShutdown:
		if !b.InControlledShutdown {
			d.add(&meta.BrokerRegistrationChangeRecord{BrokerID: b.ID, BrokerEpoch: b.Epoch, InControlledShutdown: 1})
		}
		d.updateLeaders(gone(b.ID), inISR(b.ID))
	}
}

func (d *decision) leadsSomething(id int32) bool {
	for t := range d.im.Topics() {
		for _, p := range t.Partitions {
			if p.Leader == id {
				return true
			}
		}
	}
	return false
}

// lowestActiveOffset is how far the slowest of the active brokers has read.
func (d *decision) lowestActiveOffset() int64 {
	lowest := int64(math.MaxInt64)
	for b := range d.im.Brokers() {
		if isActive(d.im, b.ID) {
			x, _ := d.soft.find(b.ID, b.Epoch)
			lowest = min(lowest, x.metadataOffset)
		}
	}
	return lowest
}

// directoriesOffline moves leaders off replicas whose directory has failed.
func (d *decision) directoriesOffline(b *meta.Broker, offline []meta.ID) {
	var lost, left []meta.ID
	for _, id := range b.LogDirs {
		if slices.Contains(offline, id) {
			lost = append(lost, id)
		} else {
			left = append(left, id)
		}
	}
	if len(lost) == 0 {
		return
	}
	d.updateLeaders(gone(b.ID), func(p *meta.Partition) bool {
		i := slices.Index(p.Replicas, b.ID)
		return i >= 0 && slices.Contains(lost, p.Directories[i])
	})
	d.add(&meta.BrokerRegistrationChangeRecord{BrokerID: b.ID, BrokerEpoch: b.Epoch, LogDirs: left})
}

// directoriesCordoned notes which directories take no new replicas. Brokers say
// null until they have caught up.
func (d *decision) directoriesCordoned(b *meta.Broker, cordoned []meta.ID) {
	if cordoned == nil {
		return
	}
	same := b.CordonedLogDirs != nil && len(cordoned) == len(b.CordonedLogDirs) &&
		!slices.ContainsFunc(cordoned, func(id meta.ID) bool { return !slices.Contains(b.CordonedLogDirs, id) })
	if !same {
		d.add(&meta.BrokerRegistrationChangeRecord{BrokerID: b.ID, BrokerEpoch: b.Epoch, CordonedLogDirs: cordoned})
	}
}
