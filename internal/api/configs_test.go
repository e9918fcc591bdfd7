package api

import (
	"log/slog"
	"testing"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/barnabas-mq/barnabas/internal/meta"
)

func (w *world) describe(kind kmsg.ConfigResourceType, name string, version int16, keys ...string) kmsg.DescribeConfigsResponseResource {
	w.t.Helper()
	request := kmsg.NewPtrDescribeConfigsRequest()
	request.IncludeSynonyms, request.IncludeDocumentation = true, true
	resource := kmsg.NewDescribeConfigsRequestResource()
	resource.ResourceType, resource.ResourceName, resource.ConfigNames = kind, name, keys
	request.Resources = append(request.Resources, resource)
	return w.ask(request, version).(*kmsg.DescribeConfigsResponse).Resources[0]
}

func TestATopicsSettingsAreDescribedWithTheirSources(t *testing.T) {
	w := newWorld(t, map[string]string{"log.retention.hours": "2"})
	w.topic("t", 1, 1)
	w.replay(&meta.ConfigRecord{ResourceType: meta.ResourceTopic, ResourceName: "t", Name: "cleanup.policy", Value: kmsg.StringPtr("compact")})
	described := w.describe(kmsg.ConfigResourceTypeTopic, "t", 4, "cleanup.policy", "retention.ms")
	if described.ErrorCode != 0 || len(described.Configs) != 2 {
		t.Fatalf("%+v", described)
	}
	policy, retention := described.Configs[0], described.Configs[1]
	if textOf(policy.Value) != "compact" || policy.Source != kmsg.ConfigSourceDynamicTopicConfig || len(policy.ConfigSynonyms) != 2 ||
		policy.Documentation == nil || policy.ConfigType != kmsg.ConfigTypeList {
		t.Errorf("%+v", policy)
	}
	if textOf(retention.Value) != "7200000" {
		t.Errorf("%+v", retention)
	}
	if all := w.describe(kmsg.ConfigResourceTypeTopic, "t", 0); len(all.Configs) < 30 || all.Configs[0].IsDefault {
		t.Errorf("version 0: %+v", all)
	}
}

func TestEachKindOfResourceIsDescribedOrRefused(t *testing.T) {
	w := newWorld(t, nil)
	for _, c := range []struct {
		kind kmsg.ConfigResourceType
		name string
		want int16
		some bool
	}{
		{kmsg.ConfigResourceTypeTopic, "missing", kerr.UnknownTopicOrPartition.Code, false},
		{kmsg.ConfigResourceTypeTopic, "in valid", kerr.InvalidTopicException.Code, false},
		{kmsg.ConfigResourceTypeBroker, "1", 0, true},
		{kmsg.ConfigResourceTypeBroker, "", 0, false},
		{kmsg.ConfigResourceTypeBroker, "2", kerr.InvalidRequest.Code, false},
		{kmsg.ConfigResourceTypeBroker, "x", kerr.InvalidRequest.Code, false},
		{kmsg.ConfigResourceTypeBrokerLogger, "1", 0, true},
		{kmsg.ConfigResourceTypeBrokerLogger, "", kerr.InvalidRequest.Code, false},
		{kmsg.ConfigResourceTypeGroupConfig, "g", 0, true},
		{kmsg.ConfigResourceTypeGroupConfig, "", kerr.InvalidRequest.Code, false},
		{kmsg.ConfigResourceTypeClientMetrics, "m", 0, true},
		{77, "x", kerr.InvalidRequest.Code, false},
	} {
		got := w.describe(c.kind, c.name, 4)
		if got.ErrorCode != c.want || (len(got.Configs) > 0) != c.some {
			t.Errorf("type %d %q: error %d, %d settings", c.kind, c.name, got.ErrorCode, len(got.Configs))
		}
	}
}

func increment(kind kmsg.ConfigResourceType, name, key string, op kmsg.IncrementalAlterConfigOp, value *string) kmsg.IncrementalAlterConfigsRequestResource {
	resource := kmsg.NewIncrementalAlterConfigsRequestResource()
	resource.ResourceType, resource.ResourceName = kind, name
	change := kmsg.NewIncrementalAlterConfigsRequestResourceConfig()
	change.Name, change.Op, change.Value = key, op, value
	resource.Configs = append(resource.Configs, change)
	return resource
}

func TestAlterationsAreSettledHereOrByTheController(t *testing.T) {
	w := newWorld(t, nil)
	var forwarded *kmsg.IncrementalAlterConfigsRequest
	w.controller = func(r kmsg.Request) (kmsg.Response, error) {
		forwarded = r.(*kmsg.IncrementalAlterConfigsRequest)
		response := r.ResponseKind().(*kmsg.IncrementalAlterConfigsResponse)
		for i := range forwarded.Resources {
			resource := kmsg.NewIncrementalAlterConfigsResponseResource()
			resource.ResourceType, resource.ResourceName = forwarded.Resources[i].ResourceType, forwarded.Resources[i].ResourceName
			resource.ErrorCode = int16(40 + i)
			response.Resources = append(response.Resources, resource)
		}
		return response, nil
	}
	value, debug := "1", "DEBUG"
	request := kmsg.NewPtrIncrementalAlterConfigsRequest()
	request.Resources = []kmsg.IncrementalAlterConfigsRequestResource{
		increment(kmsg.ConfigResourceTypeTopic, "t", "retention.ms", kmsg.IncrementalAlterConfigOpSet, &value),
		increment(kmsg.ConfigResourceTypeBroker, "2", "x", kmsg.IncrementalAlterConfigOpSet, &value),
		increment(kmsg.ConfigResourceTypeTopic, "null", "retention.ms", kmsg.IncrementalAlterConfigOpSet, nil),
		increment(kmsg.ConfigResourceTypeTopic, "operation", "retention.ms", 9, &value),
		increment(kmsg.ConfigResourceTypeBrokerLogger, "1", "root", kmsg.IncrementalAlterConfigOpSet, &debug),
		increment(kmsg.ConfigResourceTypeGroupConfig, "g", "x", kmsg.IncrementalAlterConfigOpDelete, nil),
		increment(kmsg.ConfigResourceTypeTopic, "twice", "x", kmsg.IncrementalAlterConfigOpDelete, nil),
		increment(kmsg.ConfigResourceTypeTopic, "twice", "x", kmsg.IncrementalAlterConfigOpDelete, nil),
	}
	invalid := kerr.InvalidRequest.Code
	want := []int16{40, invalid, invalid, invalid, 0, 41, invalid, invalid}
	for i, got := range w.ask(request, 1).(*kmsg.IncrementalAlterConfigsResponse).Resources {
		if got.ErrorCode != want[i] || got.ResourceName != request.Resources[i].ResourceName {
			t.Errorf("resource %d: %+v, not %d", i, got, want[i])
		}
	}
	if len(forwarded.Resources) != 2 || forwarded.Version != 1 {
		t.Errorf("forwarded: %+v", forwarded)
	}
	if w.broker.LogLevel.Level() != slog.LevelDebug {
		t.Error("the log level did not change")
	}
}

func TestAControllerThatDoesNotAnswerTimesOut(t *testing.T) {
	w := newWorld(t, nil)
	value := "1"
	request := kmsg.NewPtrAlterConfigsRequest()
	resource := kmsg.NewAlterConfigsRequestResource()
	resource.ResourceType, resource.ResourceName = kmsg.ConfigResourceTypeTopic, "t"
	resource.Configs = append(resource.Configs, kmsg.AlterConfigsRequestResourceConfig{Name: "retention.ms", Value: &value})
	request.Resources = append(request.Resources, resource)
	if got := w.ask(request, 0).(*kmsg.AlterConfigsResponse).Resources[0].ErrorCode; got != kerr.RequestTimedOut.Code {
		t.Errorf("error %d", got)
	}
	create := kmsg.NewPtrCreateTopicsRequest()
	create.Topics = append(create.Topics, kmsg.CreateTopicsRequestTopic{Topic: "t"})
	if got := w.ask(create, 7).(*kmsg.CreateTopicsResponse).Topics[0].ErrorCode; got != kerr.RequestTimedOut.Code {
		t.Errorf("error %d", got)
	}
}

func TestResourcesAreListedByType(t *testing.T) {
	w := newWorld(t, nil)
	w.topic("t", 1, 1)
	w.replay(&meta.ConfigRecord{ResourceType: meta.ResourceGroup, ResourceName: "g", Name: "x", Value: kmsg.StringPtr("1")},
		&meta.ConfigRecord{ResourceType: meta.ResourceClientMetrics, ResourceName: "m", Name: "x", Value: kmsg.StringPtr("1")})
	list := func(version int16, types ...int8) *kmsg.ListConfigResourcesResponse {
		request := kmsg.NewPtrListConfigResourcesRequest()
		request.ResourceTypes = types
		return w.ask(request, version).(*kmsg.ListConfigResourcesResponse)
	}
	if got := list(0); len(got.ConfigResources) != 1 || got.ConfigResources[0].Name != "m" {
		t.Errorf("version 0: %+v", got)
	}
	// A group, a subscription, a topic, and brokers 1 and 2 twice, as they have the client's listener.
	if got := list(1); len(got.ConfigResources) != 7 {
		t.Errorf("version 1: %+v", got)
	}
	if got := list(1, meta.ResourceTopic); len(got.ConfigResources) != 1 || got.ConfigResources[0].Name != "t" {
		t.Errorf("topics: %+v", got)
	}
	if got := list(1, 77); got.ErrorCode != kerr.UnsupportedVersion.Code {
		t.Errorf("an unknown type: %+v", got)
	}
}

func TestALogLevelIsDescribedByTheNameThatItWasSetBy(t *testing.T) {
	w := newWorld(t, nil)
	for _, name := range []string{"TRACE", "DEBUG", "INFO", "WARN", "ERROR", "FATAL"} {
		request := kmsg.NewPtrIncrementalAlterConfigsRequest()
		request.Resources = append(request.Resources, increment(kmsg.ConfigResourceTypeBrokerLogger, "1", "root", kmsg.IncrementalAlterConfigOpSet, &name))
		if got := w.ask(request, 1).(*kmsg.IncrementalAlterConfigsResponse).Resources[0]; got.ErrorCode != 0 {
			t.Fatalf("%s: %+v", name, got)
		}
		described := w.describe(kmsg.ConfigResourceTypeBrokerLogger, "1", 4, "root")
		if len(described.Configs) != 1 || textOf(described.Configs[0].Value) != name {
			t.Errorf("%s: %+v", name, described)
		}
	}
}

func TestOfAnUnknownTopicAndALoggersUseKafkasTextsAreEmpty(t *testing.T) {
	w := newWorld(t, nil)
	if got := w.describe(kmsg.ConfigResourceTypeTopic, "missing", 4); got.ErrorMessage == nil || *got.ErrorMessage != "" {
		t.Errorf("an unknown topic: %q", textOf(got.ErrorMessage))
	}
	logger := w.describe(kmsg.ConfigResourceTypeBrokerLogger, "1", 4).Configs[0]
	if logger.Documentation == nil || *logger.Documentation != "" {
		t.Errorf("a logger's documentation: %q", textOf(logger.Documentation))
	}
}
