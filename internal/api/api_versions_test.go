package api

import (
	"slices"
	"testing"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"
)

func (w *world) apiVersions(version int16, name, software string) *kmsg.ApiVersionsResponse {
	request := kmsg.NewPtrApiVersionsRequest()
	request.ClientSoftwareName, request.ClientSoftwareVersion = name, software
	return w.ask(request, version).(*kmsg.ApiVersionsResponse)
}

func TestTheTableIsSortedServedAndWithinTheCodec(t *testing.T) {
	rows := Table()
	if !slices.IsSortedFunc(rows, func(a, b Row) int { return int(a.Key) - int(b.Key) }) {
		t.Error("the rows are not sorted by key")
	}
	for i, row := range rows {
		request := kmsg.RequestForKey(row.Key)
		if request == nil || row.Min < 0 || row.Min > row.Max || row.Max > request.MaxVersion() || row.Handle == nil {
			t.Errorf("%s: %+v", kmsg.NameForKey(row.Key), row)
		}
		if i > 0 && rows[i-1].Key == row.Key {
			t.Errorf("%s has two rows", kmsg.NameForKey(row.Key))
		}
	}
}

func TestApiVersionsAdvertisesTheTable(t *testing.T) {
	w := newWorld(t, nil)
	for version := int16(0); version <= 4; version++ {
		response := w.apiVersions(version, "test", "1.0")
		if len(response.ApiKeys) != len(Table()) {
			t.Errorf("version %d: %d APIs of %d", version, len(response.ApiKeys), len(Table()))
		}
	}
	if w.conn.SoftwareName != "test" || w.conn.SoftwareVersion != "1.0" {
		t.Errorf("the connection knows %q %q", w.conn.SoftwareName, w.conn.SoftwareVersion)
	}
}

func TestFeaturesOfLevelZeroAreToldFromVersionFourOn(t *testing.T) {
	w := newWorld(t, nil)
	three, four := w.apiVersions(3, "a", "1"), w.apiVersions(4, "a", "1")
	if len(three.SupportedFeatures) != 1 || len(four.SupportedFeatures) != 2 {
		t.Errorf("%+v and %+v", three.SupportedFeatures, four.SupportedFeatures)
	}
	if len(four.FinalizedFeatures) != 1 || four.FinalizedFeatures[0].MaxVersionLevel != 33 || four.FinalizedFeaturesEpoch != 42 {
		t.Errorf("%+v", four)
	}
}

func TestSoftwareNamesAreHeldToTheirPattern(t *testing.T) {
	w := newWorld(t, nil)
	for name, valid := range map[string]bool{
		"a": true, "apache-kafka-java": true, "a.b-c": true, "7": true,
		"": false, "-a": false, "a-": false, ".": false, "a b": false, "a\n": false, "é": false,
	} {
		response := w.apiVersions(3, name, "1.0")
		if (response.ErrorCode == 0) != valid {
			t.Errorf("%q: error %d", name, response.ErrorCode)
		}
	}
}

func TestAClientThatMeansAnotherBrokerIsTold(t *testing.T) {
	w := newWorld(t, nil)
	ask := func(cluster *string, node int32) int16 {
		request := kmsg.NewPtrApiVersionsRequest()
		request.ClientSoftwareName, request.ClientSoftwareVersion = "a", "1"
		request.ClusterID, request.NodeID = cluster, node
		return w.ask(request, 5).(*kmsg.ApiVersionsResponse).ErrorCode
	}
	ours, other := "cluster", "other"
	for _, c := range []struct {
		cluster *string
		node    int32
		want    int16
	}{
		{nil, -1, 0}, {&ours, 1, 0}, {&ours, 2, kerr.RebootstrapRequired.Code}, {&other, 1, kerr.RebootstrapRequired.Code},
		{nil, 1, kerr.InvalidRequest.Code}, {&ours, -1, kerr.InvalidRequest.Code},
	} {
		if got := ask(c.cluster, c.node); got != c.want {
			t.Errorf("cluster %q, node %d: error %d, not %d", textOf(c.cluster), c.node, got, c.want)
		}
	}
}
