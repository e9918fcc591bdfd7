package controller

import (
	"fmt"

	"github.com/barnabas-mq/barnabas/internal/meta"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"
)

// maxRecords bounds the records of one decision, as Kafka does: they are one
// atomic batch.
const maxRecords = 10_000

// Handles says whether Decide takes requests of this api key.
func Handles(key int16) bool {
	switch kmsg.Key(key) {
	case kmsg.CreateTopics, kmsg.DeleteTopics, kmsg.CreatePartitions,
		kmsg.AlterConfigs, kmsg.IncrementalAlterConfigs, kmsg.AllocateProducerIDs,
		kmsg.BrokerRegistration, kmsg.BrokerHeartbeat, kmsg.UnregisterBroker,
		kmsg.AlterPartition, kmsg.ElectLeaders, kmsg.UpdateFeatures, kmsg.AssignReplicasToDirs,
		kmsg.ControllerRegistration, kmsg.AlterPartitionAssignments, kmsg.ListPartitionReassignments:
		return true
	}
	return false
}

// Decide answers a request. The answer has the request's version and honours
// it. A request that Handles does not name is a bug and panics.
func Decide(s State, request kmsg.Request, env Env) Decision {
	d := newDecision(s, env)
	var response kmsg.Response
	switch r := request.(type) {
	case *kmsg.CreateTopicsRequest:
		response = d.createTopics(r)
	case *kmsg.DeleteTopicsRequest:
		response = d.deleteTopics(r)
	case *kmsg.CreatePartitionsRequest:
		response = d.createPartitions(r)
	case *kmsg.AlterConfigsRequest:
		response = d.alterConfigs(r)
	case *kmsg.IncrementalAlterConfigsRequest:
		response = d.incrementalAlterConfigs(r)
	case *kmsg.AllocateProducerIDsRequest:
		response = d.allocateProducerIDs(r)
	case *kmsg.BrokerRegistrationRequest:
		response = d.brokerRegistration(r)
	case *kmsg.BrokerHeartbeatRequest:
		response = d.brokerHeartbeat(r)
	case *kmsg.UnregisterBrokerRequest:
		response = d.unregisterBroker(r)
	case *kmsg.AlterPartitionRequest:
		response = d.alterPartition(r)
	case *kmsg.ElectLeadersRequest:
		response = d.electLeaders(r)
	case *kmsg.UpdateFeaturesRequest:
		response = d.updateFeatures(r)
	case *kmsg.AssignReplicasToDirsRequest:
		response = d.assignReplicasToDirs(r)
	case *kmsg.ControllerRegistrationRequest:
		response = d.controllerRegistration(r)
	case *kmsg.AlterPartitionAssignmentsRequest:
		response = d.alterPartitionReassignments(r)
	case *kmsg.ListPartitionReassignmentsRequest:
		response = d.listPartitionReassignments(r)
	default:
		panic(fmt.Sprintf("controller: a request of key %d", request.Key()))
	}
	return Decision{Records: d.records, Response: response, Soft: d.soft}
}

// decision is a decision in the making.
type decision struct {
	im      *meta.Image // as it was when the request came
	view    *meta.Image // as it is with the records added so far, see advance
	seen    int         // how many records view has
	soft    *Soft       // as it will be
	env     Env
	records []meta.Record
}

func newDecision(s State, env Env) *decision {
	soft := s.Soft
	if soft == nil {
		soft = &Soft{}
	}
	return &decision{im: s.Image, view: s.Image, soft: soft.since(env.Now), env: env}
}

// advance makes view show all records added so far. Decisions that have several
// steps, each building on the one before, look at view.
func (d *decision) advance() *meta.Image {
	if d.seen < len(d.records) {
		d.view = d.view.Replay(d.records[d.seen:]...)
		d.seen = len(d.records)
	}
	return d.view
}

// tooMany drops the records and says why when they are more than one batch may
// have.
func (d *decision) tooMany() error {
	if len(d.records) <= maxRecords {
		return nil
	}
	d.records = nil
	return refuse(kerr.PolicyViolation, "Unable to perform excessively large batch operation.")
}

func (d *decision) add(records ...meta.Record) { d.records = append(d.records, records...) }
