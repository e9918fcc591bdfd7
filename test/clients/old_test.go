//go:build suite

package clients

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"
)

// An oldClient speaks the versions that Kafka 4 dropped: it asks for no versions and takes the broker for an old one.
// (librdkafka taken for 0.10 asks all the same and is a new client then; sarama is the one that sends magic 1.)
type oldClient struct {
	client
	codecs []string // zstd came with 2.1; sarama does not know the frames of lz4 before 0.10, whose checksum is another
	times  bool     // its message format has timestamps (magic 1, since 0.10)
}

var oldClients = []oldClient{
	{oldKcat("0.8.2"), []string{"none", "gzip", "snappy", "lz4"}, false},
	{oldKcat("0.9.0"), []string{"none", "gzip", "snappy", "lz4"}, false},
	{oldKcat("0.10.0"), []string{"none", "gzip", "snappy", "lz4"}, true},
	{oldSarama("0.8.2.0"), []string{"none", "gzip", "snappy"}, false},
	{oldSarama("0.9.0.0"), []string{"none", "gzip", "snappy"}, false},
	{oldSarama("0.10.0.0"), []string{"none", "gzip", "snappy", "lz4"}, true},
}

func oldKcat(version string) client {
	return client{
		name:  "kcat-" + version,
		start: startKcat("api.version.request=false", "broker.version.fallback="+version),
		can:   kcatCan, order: kcatOrder, ownTime: true,
	}
}

func oldSarama(version string) client {
	return client{name: "sarama-" + version, start: startGo("sarama", version)}
}

// TestOldClients has clients of Kafka 0.8.2, 0.9 and 0.10 produce and consume, among themselves and with a new one. The
// broker keeps one format: it converts what they send, and converts again what they ask for.
func TestOldClients(t *testing.T) {
	b := startBroker(t, nil)
	modern := oldClient{libraries[0], codecs, true}
	clients := append([]oldClient{modern}, oldClients...)
	adapters := make([]adapter, len(clients))
	for i, c := range clients {
		adapters[i] = c.start(t, b.Address)
	}
	compared := 0
	for i, producer := range clients {
		t.Run(producer.name, func(t *testing.T) {
			for j, codec := range producer.codecs {
				topic := fmt.Sprintf("old-%s-%s", producer.name, codec)
				b.createTopics(t, topic)
				records := suited(producer.client, dataset(uint64(1000+10*i+j), time.Now(), datasetBytes/8))
				for o := range records {
					records[o].Offset = int64(o)
					if !producer.isModern() {
						records[o].Headers = nil // there were none before 0.11
					}
				}
				if err := adapters[i].produce(topic, codec, false, records); err != nil {
					t.Errorf("producing with %s: %v", codec, err)
					continue
				}
				for k, reader := range clients {
					if !slices.Contains(reader.codecs, codec) {
						continue
					}
					got, err := adapters[k].consume(topic, len(records))
					if err != nil {
						t.Errorf("%s, consumed by %s: %v", codec, reader.name, err)
						continue
					}
					if err := compare(between(producer, reader, records), between(producer, reader, got)); err != nil {
						t.Errorf("%s, consumed by %s: %v", codec, reader.name, err)
					}
					compared += len(got)
				}
			}
		})
	}
	t.Logf("%d clients, %d records compared", len(clients), compared)
}

func (c oldClient) isModern() bool { return c.name == libraries[0].name }

// between is what of the records survives from one client to the other: headers and timestamps need the newer formats, and
// a kcat that sends sets the time itself.
func between(producer, reader oldClient, records []record) []record {
	all := slices.Clone(records)
	for i := range all {
		all[i].headerText = ""
		if !producer.isModern() || !reader.isModern() {
			all[i].Headers = nil
		}
		if !producer.times || !reader.times || producer.ownTime {
			all[i].Timestamp = 0
		}
	}
	return all
}

// TestOldClientsAreRefusedZstd: they cannot know the codec, and bytes that they cannot read would stop them for good.
func TestOldClientsAreRefusedZstd(t *testing.T) {
	b := startBroker(t, nil)
	b.createTopics(t, "zstd")
	if err := startGo("franz-go")(t, b.Address).produce("zstd", "zstd", false, dataset(3, time.Now(), 10_000)); err != nil {
		t.Fatal(err)
	}
	for _, version := range []string{"0.8.2.0", "0.10.0.0"} {
		_, err := startGo("sarama", version)(t, b.Address).consume("zstd", 1)
		if err == nil || !strings.Contains(err.Error(), "compression") {
			t.Errorf("sarama %s consumed zstd with %v, want an error about the compression", version, err)
		}
	}
}

// TestOldGroups commits offsets as clients of 0.9 do, and finds them again.
func TestOldGroups(t *testing.T) {
	b := startBroker(t, nil)
	b.createTopics(t, "old-group")
	records := dataset(4, time.Now(), 100_000)[:60]
	for i := range records {
		records[i].Headers, records[i].Offset = nil, int64(i)
	}
	if err := startGo("franz-go")(t, b.Address).produce("old-group", "gzip", false, records); err != nil {
		t.Fatal(err)
	}
	takers := []oldClient{oldClients[1], oldClients[2], {client: oldSarama("0.10.2.0")}, oldClients[1]}
	for i, c := range takers {
		c.times = false
		got, err := c.start(t, b.Address).group("old-group", "old-runners", 15)
		if err != nil {
			t.Fatalf("%s: %v", c.name, err)
		}
		if err := compare(between(c, c, records[15*i:15*i+15]), between(c, c, got)); err != nil {
			t.Errorf("%s: %v", c.name, err)
		}
	}
}
