package api

import (
	"slices"
	"strconv"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/barnabas-mq/barnabas/internal/meta"
)

// ListConfigResources (key 74) lists what has settings: of groups and client metrics subscriptions those that something
// was set for, of topics and brokers all.
//
// Versions 0-1. 0: client metrics subscriptions only (KIP-1000). 1: all types (KIP-1142).
func (b *Broker) listConfigResources(r *Request) Result {
	request := r.Body.(*kmsg.ListConfigResourcesRequest)
	response := request.ResponseKind().(*kmsg.ListConfigResourcesResponse)
	supported := []meta.ResourceType{meta.ResourceClientMetrics}
	if request.Version >= 1 {
		supported = []meta.ResourceType{
			meta.ResourceGroup, meta.ResourceClientMetrics, meta.ResourceBrokerLogger, meta.ResourceBroker, meta.ResourceTopic,
		}
	}
	for _, wanted := range request.ResourceTypes {
		if !slices.Contains(supported, wanted) {
			response.ErrorCode = kerr.UnsupportedVersion.Code
			return respond(response)
		}
	}
	for _, kind := range supported {
		if len(request.ResourceTypes) > 0 && !slices.Contains(request.ResourceTypes, kind) {
			continue
		}
		for _, name := range b.resourcesOf(r.Conn, kind) {
			resource := kmsg.NewListConfigResourcesResponseConfigResource()
			resource.Type, resource.Name = kind, name
			response.ConfigResources = append(response.ConfigResources, resource)
		}
	}
	return respond(response)
}

func (b *Broker) resourcesOf(c *Conn, kind meta.ResourceType) []string {
	var names []string
	im := b.Image()
	switch kind {
	case meta.ResourceTopic:
		for topic := range im.Topics() {
			names = append(names, topic.Name)
		}
	case meta.ResourceBroker, meta.ResourceBrokerLogger:
		for broker := range im.Brokers() {
			if hasListener(broker, c.Listener) {
				names = append(names, strconv.Itoa(int(broker.ID)))
			}
		}
	default:
		for resource := range im.ConfigResources() {
			if resource.Type == kind {
				names = append(names, resource.Name)
			}
		}
	}
	return names
}
