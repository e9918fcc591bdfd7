package api

import (
	"testing"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"
)

func TestWhatNoControllerDecidesIsAnsweredForEverythingThatWasAsked(t *testing.T) {
	w := newWorld(t, nil)
	late := kerr.RequestTimedOut.Code

	elect := kmsg.NewPtrElectLeadersRequest()
	elect.Topics = []kmsg.ElectLeadersRequestTopic{{Topic: "t", Partitions: []int32{0, 1}}}
	elected := w.ask(elect, 2).(*kmsg.ElectLeadersResponse)
	if elected.ErrorCode != late || len(elected.Topics) != 1 || len(elected.Topics[0].Partitions) != 2 ||
		elected.Topics[0].Partitions[1].ErrorCode != late || elected.Topics[0].Partitions[1].ErrorMessage == nil {
		t.Errorf("%+v", elected)
	}

	reassign := kmsg.NewPtrAlterPartitionAssignmentsRequest()
	reassign.Topics = []kmsg.AlterPartitionAssignmentsRequestTopic{{
		Topic: "t", Partitions: []kmsg.AlterPartitionAssignmentsRequestTopicPartition{{Partition: 3, Replicas: []int32{1}}},
	}}
	reassigned := w.ask(reassign, 1).(*kmsg.AlterPartitionAssignmentsResponse)
	if reassigned.ErrorCode != late || len(reassigned.Topics) != 1 || reassigned.Topics[0].Partitions[0].Partition != 3 ||
		reassigned.Topics[0].Partitions[0].ErrorCode != late {
		t.Errorf("%+v", reassigned)
	}

	if got := w.ask(kmsg.NewPtrListPartitionReassignmentsRequest(), 0).(*kmsg.ListPartitionReassignmentsResponse); got.ErrorCode != late {
		t.Errorf("%+v", got)
	}
	if got := w.ask(kmsg.NewPtrUnregisterBrokerRequest(), 0).(*kmsg.UnregisterBrokerResponse); got.ErrorCode != late {
		t.Errorf("%+v", got)
	}
	if got := w.ask(kmsg.NewPtrUpdateFeaturesRequest(), 2).(*kmsg.UpdateFeaturesResponse); got.ErrorCode != late {
		t.Errorf("%+v", got)
	}
}

func TestWhatTheControllerAnswersIsPassedOn(t *testing.T) {
	w := newWorld(t, nil)
	w.controller = func(r kmsg.Request) (kmsg.Response, error) {
		response := r.ResponseKind().(*kmsg.UnregisterBrokerResponse)
		response.ErrorCode = kerr.BrokerIDNotRegistered.Code
		return response, nil
	}
	if got := w.ask(kmsg.NewPtrUnregisterBrokerRequest(), 0).(*kmsg.UnregisterBrokerResponse); got.ErrorCode != kerr.BrokerIDNotRegistered.Code {
		t.Errorf("%+v", got)
	}
}
