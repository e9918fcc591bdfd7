package api

import (
	"fmt"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"
)

// endpointBrokers is the endpoint type of brokers; 2 is that of controllers (KIP-919).
const (
	endpointBrokers     = 1
	endpointControllers = 2
)

// DescribeCluster (key 60) lists the brokers.
//
// Versions 0-2. 1: the endpoint type, of which this listener has brokers (KIP-919). 2: fenced brokers too, if they are
// asked for (KIP-1073).
func (b *Broker) describeCluster(r *Request) Result {
	request := r.Body.(*kmsg.DescribeClusterRequest)
	response := request.ResponseKind().(*kmsg.DescribeClusterResponse)
	if request.Version == 0 {
		request.EndpointType = endpointBrokers
	}
	if request.EndpointType != endpointBrokers {
		code, text := kerr.UnsupportedEndpointType.Code, fmt.Sprintf("endpoint type %d is unknown", request.EndpointType)
		if request.EndpointType == endpointControllers {
			code, text = kerr.MismatchedEndpointType.Code, "this is a broker's listener, not a controller's"
		}
		response.ErrorCode, response.ErrorMessage = code, &text
		return respond(response)
	}
	im := b.Image()
	response.EndpointType, response.ClusterID, response.ControllerID = endpointBrokers, b.ClusterID, -1
	if request.IncludeClusterAuthorizedOperations {
		response.ClusterAuthorizedOperations = clusterOperations
	}
	for registered := range im.Brokers() {
		host, port, rack, ok := b.endpointOf(r.Conn, registered)
		if !ok || registered.Fenced && !request.IncludeFencedBrokers {
			continue
		}
		broker := kmsg.NewDescribeClusterResponseBroker()
		broker.NodeID, broker.Host, broker.Port, broker.Rack, broker.IsFenced = registered.ID, host, port, rack, registered.Fenced
		response.Brokers = append(response.Brokers, broker)
		if registered.ID == b.aliveBroker(im) {
			response.ControllerID = registered.ID
		}
	}
	return respond(response)
}
