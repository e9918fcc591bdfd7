package controller

import (
	"math"

	"github.com/barnabas-mq/barnabas/internal/meta"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"
)

// AllocateProducerIds (key 67, version 0) gives a broker a block of producer ids
// that nobody else was or will be given.

// producerIDBlock is the length of a block, as in Kafka.
const producerIDBlock = 1000

func (d *decision) allocateProducerIDs(request *kmsg.AllocateProducerIDsRequest) *kmsg.AllocateProducerIDsResponse {
	response := request.ResponseKind().(*kmsg.AllocateProducerIDsResponse)
	b, err := d.brokerOfEpoch(request.BrokerID, request.BrokerEpoch)
	first := d.im.NextProducerID()
	if err == nil && first > math.MaxInt64-producerIDBlock {
		err = refuseBare(kerr.UnknownServerError) // 2^63 producers have been
	}
	if err != nil {
		response.ErrorCode, _ = told(err)
		return response
	}
	d.add(&meta.ProducerIDsRecord{BrokerID: b.ID, BrokerEpoch: b.Epoch, NextProducerID: first + producerIDBlock})
	response.ProducerIDStart, response.ProducerIDLen = first, producerIDBlock
	return response
}
