package controller

import (
	"github.com/barnabas-mq/barnabas/internal/meta"
	"github.com/twmb/franz-go/pkg/kmsg"
)

// AlterConfigs (key 33, versions 0 to 2) replaces all configs of a resource: what
// a request does not name goes back to its default. Each resource is altered
// wholly or not at all. Loggers were never among the resources.

func (d *decision) alterConfigs(request *kmsg.AlterConfigsRequest) *kmsg.AlterConfigsResponse {
	response := request.ResponseKind().(*kmsg.AlterConfigsResponse)
	resources := make([]alteration, len(request.Resources))
	for i := range request.Resources {
		r := &request.Resources[i]
		resources[i].whole = true
		resources[i].resource = meta.ConfigResource{Type: int8(r.ResourceType), Name: r.ResourceName}
		for j := range r.Configs {
			c := &r.Configs[j]
			resources[i].changes = append(resources[i].changes, configChange{name: c.Name, op: opSet, value: c.Value})
		}
	}
	for i, err := range d.alterAll(resources, request.ValidateOnly, d.replace) {
		result := kmsg.NewAlterConfigsResponseResource()
		result.ResourceType, result.ResourceName = request.Resources[i].ResourceType, request.Resources[i].ResourceName
		result.ErrorCode, result.ErrorMessage = told(err)
		response.Resources = append(response.Resources, result)
	}
	return response
}

func (d *decision) replace(a alteration) ([]meta.Record, error) {
	values := make(map[string]string, len(a.changes))
	var names []string
	for _, c := range a.changes {
		names = append(names, c.name)
		values[c.name] = *c.value
	}
	return d.alter(a.resource, names, values)
}
