package api

import (
	"log/slog"
	"strings"
	"testing"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/barnabas-mq/barnabas/internal/complaints"
	"github.com/barnabas-mq/barnabas/internal/meta"
)

func TestCreateTopicsAnswersWhenThisBrokerHasThem(t *testing.T) {
	w := newWorld(t, nil)
	w.controller = func(r kmsg.Request) (kmsg.Response, error) {
		response := r.ResponseKind().(*kmsg.CreateTopicsResponse)
		topic := kmsg.NewCreateTopicsResponseTopic()
		topic.Topic, topic.TopicID = "t", topicID(1)
		response.Topics = append(response.Topics, topic)
		go w.topic("t", 1, 1) // The image follows a moment later.
		return response, nil
	}
	request := kmsg.NewPtrCreateTopicsRequest()
	request.TimeoutMillis = 10_000
	request.Topics = append(request.Topics, kmsg.CreateTopicsRequestTopic{Topic: "t"})
	if got := w.ask(request, 7).(*kmsg.CreateTopicsResponse); got.Topics[0].ErrorCode != 0 {
		t.Errorf("%+v", got)
	}
	if _, there := w.now().Topic("t"); !there {
		t.Error("the answer came before the topic")
	}
}

func TestDeleteTopicsAnswersWhenThisBrokerNoLongerHasThem(t *testing.T) {
	w := newWorld(t, nil)
	w.topic("t", 1, 1)
	w.controller = func(r kmsg.Request) (kmsg.Response, error) {
		response := r.ResponseKind().(*kmsg.DeleteTopicsResponse)
		topic := kmsg.NewDeleteTopicsResponseTopic()
		topic.Topic = kmsg.StringPtr("t")
		response.Topics = append(response.Topics, topic)
		go w.replay(&meta.RemoveTopicRecord{TopicID: topicID(1)})
		return response, nil
	}
	request := kmsg.NewPtrDeleteTopicsRequest()
	request.TimeoutMillis = 10_000
	request.TopicNames = []string{"t"}
	w.ask(request, 1)
	if _, there := w.now().Topic("t"); there {
		t.Error("the answer came before the topic was gone")
	}
}

func TestDescribeClusterShowsFencedBrokersToWhoAsks(t *testing.T) {
	w := newWorld(t, nil)
	request := kmsg.NewPtrDescribeClusterRequest()
	request.EndpointType = endpointBrokers
	if got := w.ask(request, 2).(*kmsg.DescribeClusterResponse); len(got.Brokers) != 1 || got.ControllerID != 1 || got.ClusterID != "cluster" ||
		got.ClusterAuthorizedOperations != operationsNotAsked {
		t.Errorf("%+v", got)
	}
	request.IncludeFencedBrokers, request.IncludeClusterAuthorizedOperations = true, true
	if got := w.ask(request, 2).(*kmsg.DescribeClusterResponse); len(got.Brokers) != 2 || !got.Brokers[1].IsFenced ||
		got.ClusterAuthorizedOperations != 8096 {
		t.Errorf("%+v", got)
	}
	request.EndpointType = endpointControllers
	if got := w.ask(request, 1).(*kmsg.DescribeClusterResponse); got.ErrorCode != kerr.MismatchedEndpointType.Code {
		t.Errorf("%+v", got)
	}
}

// 300 requests for the metadata of a topic that cannot be created wrote 253 lines.
func TestATopicThatCannotBeCreatedIsSaidOnceAMinute(t *testing.T) {
	w := newWorld(t, nil)
	var log strings.Builder
	w.broker.Complaints = complaints.New(slog.New(slog.NewTextHandler(&log, nil)))
	for range 300 {
		w.broker.autoCreate([]string{"a_b"}, "User:ANONYMOUS")
		w.broker.creations.running.Wait()
	}
	if n := strings.Count(log.String(), "not created"); n != 1 {
		t.Errorf("%d lines", n)
	}
}
