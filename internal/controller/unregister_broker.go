package controller

import (
	"github.com/barnabas-mq/barnabas/internal/meta"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"
)

// UnregisterBroker (key 64, version 0) takes a broker out of the cluster. Its
// replicas stay assigned to it; it is in sync with nothing, and eligible for
// nothing, for what would come back under its id is another broker.

func (d *decision) unregisterBroker(request *kmsg.UnregisterBrokerRequest) *kmsg.UnregisterBrokerResponse {
	response := request.ResponseKind().(*kmsg.UnregisterBrokerResponse)
	b, ok := d.im.Broker(request.BrokerID)
	if !ok {
		response.ErrorCode, response.ErrorMessage = told(
			refuse(kerr.BrokerIDNotRegistered, "Broker ID %d is not currently registered", request.BrokerID))
		return response
	}
	d.updateLeaders(leaderUpdate{remove: []int32{b.ID}, unclean: b.ID}, inISROrELR(b.ID))
	d.add(&meta.UnregisterBrokerRecord{BrokerID: b.ID, BrokerEpoch: b.Epoch})
	d.soft = d.soft.without(b.ID)
	return response
}
