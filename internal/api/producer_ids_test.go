package api

import (
	"fmt"
	"sync"
	"testing"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"
)

func TestNoTwoProducersGetOneIDHoweverSmallTheBlocks(t *testing.T) {
	w := newWorld(t, nil)
	next := int64(1)
	w.controller = func(kmsg.Request) (kmsg.Response, error) { // One request at a time: the refill's lock.
		response := kmsg.NewPtrAllocateProducerIDsResponse()
		response.ProducerIDStart, response.ProducerIDLen = next, 1
		next++
		return response, nil
	}
	w.broker.ProducerIDs = &ProducerIDs{Controller: w, NodeID: 1, Epoch: func() int64 { return 1 }}
	const producers, each = 8, 500
	ids := make(chan int64, producers*each)
	var asking sync.WaitGroup
	for range producers {
		asking.Go(func() {
			for range each {
				id, ok := w.broker.ProducerIDs.take()
				if !ok {
					id, _ = w.broker.ProducerIDs.next(t.Context(), "")
				}
				ids <- id
			}
		})
	}
	asking.Wait()
	close(ids)
	seen := make(map[int64]bool)
	for id := range ids {
		if seen[id] || id < 1 {
			t.Fatalf("id %d was given out twice, or never allocated", id)
		}
		seen[id] = true
	}
}

func TestAProducerWaitsForAControllerThatIsNotThere(t *testing.T) {
	w := newWorld(t, nil)
	w.broker.ProducerIDs = &ProducerIDs{Controller: w, NodeID: 1, Epoch: func() int64 { return 1 }}
	for name, controller := range map[string]func(kmsg.Request) (kmsg.Response, error){
		"nobody leads": func(kmsg.Request) (kmsg.Response, error) { return nil, fmt.Errorf("no: %w", kerr.NotController) },
		"an old epoch": func(kmsg.Request) (kmsg.Response, error) {
			response := kmsg.NewPtrAllocateProducerIDsResponse()
			response.ErrorCode = kerr.StaleBrokerEpoch.Code
			return response, nil
		},
	} {
		w.controller = controller
		response := w.ask(kmsg.NewPtrInitProducerIDRequest(), 4).(*kmsg.InitProducerIDResponse)
		if response.ErrorCode != kerr.CoordinatorLoadInProgress.Code {
			t.Errorf("%s: error %d, which ends some clients", name, response.ErrorCode)
		}
	}
}
