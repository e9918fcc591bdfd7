package api

import (
	"fmt"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"
)

// DescribeCluster (key 60) on a controller's listener lists the controllers, and says which is the active one: it is how a tool that
// was given --bootstrap-controller finds its way (KIP-919).
//
// Versions 0-2. 0 has no endpoint type, and means brokers, of which there are none here. 2: controllers are never fenced.
func (b *Broker) describeControllers(r *Request) Result {
	request := r.Body.(*kmsg.DescribeClusterRequest)
	response := request.ResponseKind().(*kmsg.DescribeClusterResponse)
	if request.Version == 0 {
		request.EndpointType = endpointBrokers
	}
	if request.EndpointType != endpointControllers {
		code, text := kerr.UnsupportedEndpointType.Code, fmt.Sprintf("endpoint type %d is unknown", request.EndpointType)
		if request.EndpointType == endpointBrokers {
			code, text = kerr.MismatchedEndpointType.Code, "this is a controller's listener, not a broker's"
		}
		response.ErrorCode, response.ErrorMessage = code, &text
		return respond(response)
	}
	response.EndpointType = endpointControllers
	response.ClusterID, response.ControllerID = b.Quorum()
	if request.IncludeClusterAuthorizedOperations {
		response.ClusterAuthorizedOperations = clusterOperations
	}
	for registered := range b.Image().Controllers() {
		for i := range registered.Listeners {
			if l := &registered.Listeners[i]; l.Name == r.Conn.Listener {
				controller := kmsg.NewDescribeClusterResponseBroker()
				controller.NodeID, controller.Host, controller.Port = registered.ID, l.Host, int32(l.Port)
				response.Brokers = append(response.Brokers, controller)
			}
		}
	}
	return respond(response)
}

// cluster is the cluster's id, empty while it is not known.
func (b *Broker) cluster() string {
	if b.Quorum == nil {
		return b.ClusterID
	}
	id, _ := b.Quorum()
	return id
}
