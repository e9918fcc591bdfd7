package controller

import (
	"maps"
	"slices"
	"strings"

	"github.com/barnabas-mq/barnabas/internal/meta"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"
)

// IncrementalAlterConfigs (key 44, versions 0 and 1) sets, deletes, appends to
// and subtracts from configs of topics, brokers, client metrics and groups
// (KIP-339). Each resource is altered wholly or not at all; what a request does
// not name stays.

func (d *decision) incrementalAlterConfigs(request *kmsg.IncrementalAlterConfigsRequest) *kmsg.IncrementalAlterConfigsResponse {
	response := request.ResponseKind().(*kmsg.IncrementalAlterConfigsResponse)
	resources := make([]alteration, len(request.Resources))
	for i := range request.Resources {
		r := &request.Resources[i]
		resources[i].resource = meta.ConfigResource{Type: int8(r.ResourceType), Name: r.ResourceName}
		for j := range r.Configs {
			c := &r.Configs[j]
			resources[i].changes = append(resources[i].changes, configChange{name: c.Name, op: int8(c.Op), value: c.Value})
		}
	}
	for i, err := range d.alterAll(resources, request.ValidateOnly, d.increment) {
		result := kmsg.NewIncrementalAlterConfigsResponseResource()
		result.ResourceType, result.ResourceName = request.Resources[i].ResourceType, request.Resources[i].ResourceName
		result.ErrorCode, result.ErrorMessage = told(err)
		response.Resources = append(response.Resources, result)
	}
	return response
}

// alteration is what a request does to one resource.
type alteration struct {
	resource meta.ConfigResource
	changes  []configChange
	whole    bool // the changes replace all that there is
}

// alterAll alters each resource by itself and says how each went.
func (d *decision) alterAll(all []alteration, validateOnly bool, alter func(alteration) ([]meta.Record, error)) []error {
	times := make(map[meta.ConfigResource]int, len(all))
	for _, a := range all {
		times[a.resource]++
	}
	errs := make([]error, len(all))
	for i, a := range all {
		if times[a.resource] > 1 {
			errs[i] = refuse(kerr.InvalidRequest, "Each resource must appear at most once.")
			continue
		}
		if errs[i] = d.checkResource(a); errs[i] != nil {
			continue
		}
		var records []meta.Record
		if records, errs[i] = alter(a); errs[i] == nil {
			d.add(records...)
		}
	}
	d.clearELR()
	if err := d.tooMany(); err != nil {
		for i := range errs {
			errs[i] = err
		}
	}
	if validateOnly {
		d.records = nil
	}
	return errs
}

func (d *decision) increment(a alteration) ([]meta.Record, error) {
	values := maps.Clone(d.im.Config(a.resource.Type, a.resource.Name))
	if values == nil {
		values = make(map[string]string)
	}
	var names []string
	for _, c := range a.changes {
		names = append(names, c.name)
		switch c.op {
		case opSet:
			values[c.name] = *c.value
		case opDelete:
			delete(values, c.name)
		case opAppend, opSubtract:
			changed, err := d.changeList(a.resource, c, values)
			if err != nil {
				return nil, err
			}
			values[c.name] = changed
		default:
			return nil, refuse(kerr.InvalidRequest, "Unknown operations type %d", c.op)
		}
	}
	return d.alter(a.resource, names, values)
}

// changeList appends to a list config or subtracts from it. What is not set
// begins from the default.
func (d *decision) changeList(resource meta.ConfigResource, c configChange, values map[string]string) (string, error) {
	op := "APPEND"
	if c.op == opSubtract {
		op = "SUBTRACT"
	}
	byDefault, isList := "", false
	if d.env.ListConfig != nil {
		byDefault, isList = d.env.ListConfig(resource.Type, c.name)
	}
	switch {
	case !isList && resource.Type == meta.ResourceBroker:
		return "", refuse(kerr.InvalidConfig, "Config value %s is not allowed for config key: %s", strings.ToLower(op), c.name)
	case !isList:
		return "", refuse(kerr.InvalidConfig, "Can't %s to key %s because its type is not LIST.", op, c.name)
	}
	text, set := values[c.name]
	if !set {
		text = byDefault
	}
	list := slices.DeleteFunc(strings.Split(text, ","), func(s string) bool { return s == "" })
	for _, item := range strings.Split(*c.value, ",") {
		at := slices.Index(list, item)
		switch {
		case c.op == opAppend && at < 0:
			list = append(list, item)
		case c.op == opSubtract && at >= 0:
			list = slices.Delete(list, at, at+1)
		}
	}
	return strings.Join(list, ","), nil
}
