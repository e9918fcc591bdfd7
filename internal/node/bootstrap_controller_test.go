package node_test

import (
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"
)

// controller is a connection to the listener of a node's controller, as tools make it with --bootstrap-controller.
func (e *ensemble) controller(i int) *client {
	e.t.Helper()
	c, err := dial(fmt.Sprintf("127.0.0.1:%d", e.ports[i]))
	must(e.t, err)
	e.t.Cleanup(c.close)
	return c
}

func (c *client) describeControllers(endpointType int8) (*kmsg.DescribeClusterResponse, error) {
	req := kmsg.NewPtrDescribeClusterRequest()
	req.EndpointType = endpointType
	return call[*kmsg.DescribeClusterResponse](c, req)
}

const endpointBrokers, endpointControllers = 1, 2

func TestToolsThatConnectToAnyControllerFindAllOfThemAndTheActiveOne(t *testing.T) {
	e := newEnsemble(t, nil)
	e.start(0, 1, 2)
	for i := range 3 {
		c := e.controller(i)
		var d *kmsg.DescribeClusterResponse
		for deadline := time.Now().Add(patience); ; { // its image may be a moment behind
			var err error
			d, err = c.describeControllers(endpointControllers)
			must(t, err)
			must(t, kerr.ErrorForCode(d.ErrorCode))
			if len(d.Brokers) == 3 && d.ControllerID >= 0 || c.giveUp(deadline) {
				break
			}
		}
		var ports []int
		for _, b := range d.Brokers {
			ports = append(ports, int(b.Port))
		}
		if !slices.Equal(ports, e.ports) {
			t.Errorf("controller %d tells ports %v, they listen at %v", i+1, ports, e.ports)
		}
		if d.ControllerID < 1 || d.ControllerID > 3 {
			t.Errorf("controller %d takes %d for the active one", i+1, d.ControllerID)
		}
		if d.ClusterID != e.nodes[i].node.ClusterID() || d.EndpointType != endpointControllers {
			t.Errorf("controller %d tells of cluster %q, endpoints of type %d", i+1, d.ClusterID, d.EndpointType)
		}
	}
	d, err := e.controller(0).describeControllers(endpointBrokers)
	must(t, err)
	if d.ErrorCode != kerr.MismatchedEndpointType.Code {
		t.Errorf("asked for brokers, a controller answers %v", kerr.ErrorForCode(d.ErrorCode))
	}
}

func TestEveryControllerTakesWhatTheActiveOneDecides(t *testing.T) {
	e := newEnsemble(t, nil)
	e.start(0, 1, 2)
	for i := range 3 {
		c, topic := e.controller(i), fmt.Sprint("by-controller-", i)
		_, err := c.createTopic(topic, 1, nil)
		must(t, err)
		must(t, c.setConfig(kmsg.ConfigResourceTypeTopic, topic, "retention.ms", "4711"))
		for deadline := time.Now().Add(patience); ; { // the broker's image may be a moment behind
			value, err := e.nodes[i].client.config(kmsg.ConfigResourceTypeTopic, topic, "retention.ms")
			must(t, err)
			if value == "4711" {
				break
			}
			if c.giveUp(deadline) {
				t.Fatalf("retention.ms of %s is %q", topic, value)
			}
		}
		must(t, c.deleteTopic(topic))
	}
}
