package api

import (
	"context"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/barnabas-mq/barnabas/internal/coordinator"
	"github.com/barnabas-mq/barnabas/internal/meta"
)

// FindCoordinator (key 10) says which broker coordinates a group. The first one creates the topic in which groups are
// kept, and waits for it.
//
// Versions 0–6. 0: groups only. 1: a key type, 0 for groups, 1 for transactions (KIP-98). 4: several keys at once
// (KIP-699). 6: key type 2, a partition of a share group (KIP-932).
//
// Transactions are not served yet: their keys are answered TRANSACTIONAL_ID_AUTHORIZATION_FAILED, which every client
// takes as final; librdkafka would ask again for ever after any other error. See docs/decisions.
func (b *Broker) findCoordinator(r *Request) Result {
	req := r.Body.(*kmsg.FindCoordinatorRequest)
	if req.Version == 0 {
		req.CoordinatorType = groupCoordinator
	}
	if req.CoordinatorType != groupCoordinator || b.groupsExist() {
		return respond(b.coordinators(r.Conn, req))
	}
	return later(func() Result {
		ctx, cancel := context.WithTimeout(r.Ctx, groupsTopicWait)
		defer cancel()
		if err := b.Groups.EnsureTopic(ctx); err != nil {
			b.Logger.Debug("groups cannot be coordinated", "client", r.Client(), "error", err) // the node tells why
		}
		return respond(b.coordinators(r.Conn, req))
	})
}

// What a key of FindCoordinator may name.
const (
	groupCoordinator       = 0
	transactionCoordinator = 1
	shareCoordinator       = 2

	manyKeysVersion = 4
	shareKeyVersion = 6

	// groupsTopicWait bounds how long a client waits for the groups' topic. It asks again.
	groupsTopicWait = 15 * time.Second
)

func (b *Broker) groupsExist() bool {
	_, ok := b.Image().Topic(coordinator.Topic)
	return ok
}

func (b *Broker) coordinators(conn *Conn, req *kmsg.FindCoordinatorRequest) kmsg.Response {
	resp := req.ResponseKind().(*kmsg.FindCoordinatorResponse)
	if req.Version < manyKeysVersion {
		found, err := b.coordinatorOf(conn, req, req.CoordinatorKey)
		resp.ErrorCode, resp.NodeID, resp.Host, resp.Port = found.ErrorCode, found.NodeID, found.Host, found.Port
		text := "NONE" // as Kafka
		if err != nil {
			text = err.Description
		}
		resp.ErrorMessage = &text
		return resp
	}
	for _, key := range req.CoordinatorKeys {
		found, err := b.coordinatorOf(conn, req, key)
		if err != nil && (req.CoordinatorType < groupCoordinator || req.CoordinatorType > shareCoordinator) {
			found.ErrorMessage = &err.Description // Kafka has words for a type that there is not, and for nothing else
		}
		resp.Coordinators = append(resp.Coordinators, found)
	}
	return resp
}

func (b *Broker) coordinatorOf(
	conn *Conn, req *kmsg.FindCoordinatorRequest, key string,
) (kmsg.FindCoordinatorResponseCoordinator, *kerr.Error) {
	none := ""
	found := kmsg.FindCoordinatorResponseCoordinator{Key: key, NodeID: -1, Port: -1, ErrorMessage: &none}
	node, err := b.coordinatorNode(req, key)
	if err == nil {
		host, port, _, ok := b.endpoint(conn, node)
		if ok {
			found.NodeID, found.Host, found.Port = node, host, port
			return found, nil
		}
		err = kerr.CoordinatorNotAvailable
	}
	found.ErrorCode = err.Code
	return found, err
}

// coordinatorNode is the broker that leads the partition of a key.
func (b *Broker) coordinatorNode(req *kmsg.FindCoordinatorRequest, key string) (int32, *kerr.Error) {
	switch req.CoordinatorType {
	case groupCoordinator:
	case transactionCoordinator:
		return -1, kerr.TransactionalIDAuthorizationFailed
	case shareCoordinator:
		if req.Version < shareKeyVersion || checkShareKey(key) != nil {
			return -1, kerr.InvalidRequest
		}
		return -1, kerr.UnsupportedVersion // share groups are not served yet
	default:
		return -1, kerr.InvalidRequest
	}
	topic, ok := b.Image().Topic(coordinator.Topic)
	if !ok || len(topic.Partitions) == 0 {
		return -1, kerr.CoordinatorNotAvailable
	}
	leader := topic.Partitions[coordinator.PartitionFor(key, int32(len(topic.Partitions)))].Leader
	if broker, ok := b.Image().Broker(leader); !ok || broker.Fenced {
		return -1, kerr.CoordinatorNotAvailable
	}
	return leader, nil
}

// checkShareKey checks a key of type 2: group:topicId:partition, where the group may have colons of its own.
func checkShareKey(key string) error {
	parts := strings.Split(key, ":")
	if len(parts) < 3 || strings.TrimSpace(strings.Join(parts[:len(parts)-2], ":")) == "" {
		return fmt.Errorf("share key %q: %w", key, kerr.InvalidRequest)
	}
	if _, err := meta.ParseID(parts[len(parts)-2]); err != nil {
		return fmt.Errorf("share key %q: topic id: %w", key, kerr.InvalidRequest)
	}
	if _, err := strconv.ParseInt(parts[len(parts)-1], 10, 32); err != nil {
		return fmt.Errorf("share key %q: partition: %w", key, kerr.InvalidRequest)
	}
	return nil
}
