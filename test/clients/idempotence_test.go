//go:build suite

package clients

import (
	"testing"
	"time"
)

// TestIdempotentProducersDeliverOnceOverANetworkThatCutsConnections loses answers under way, so that producers send again
// what the broker has: each record must be there once, in order.
func TestIdempotentProducersDeliverOnceOverANetworkThatCutsConnections(t *testing.T) {
	const cuts = 6
	p := startProxy(t)
	b := startBroker(t, map[string]string{"advertised.listeners": "PLAINTEXT://" + p.address})
	p.target.Store(&b.Address)
	for i, c := range libraries {
		if !c.idempotent {
			continue
		}
		t.Run(c.name, func(t *testing.T) {
			topic := "once-" + c.name
			b.createTopics(t, topic)
			address := p.address
			if c.name == "librdkafka" {
				address += "," + b.Address // kcat gives up when all brokers that it knows are down at once
			}
			a := c.start(t, address)
			records := suited(c, dataset(uint64(900+i), time.Now(), datasetBytes))
			before := p.made.Load()
			p.cuts.Store(cuts)
			start := time.Now()
			err := a.produce(topic, "none", true, records)
			p.cuts.Store(0)
			if err != nil {
				t.Fatal(err)
			}
			if p.made.Load() == before {
				t.Fatal("no connection was cut")
			}
			t.Logf("%d records, %d connections cut, %.1f s", len(records), p.made.Load()-before, time.Since(start).Seconds())
			for i := range records {
				records[i].Offset = int64(i)
			}
			got, err := startGo("franz-go")(t, b.Address).consume(topic, len(records))
			if err != nil {
				t.Fatal(err)
			}
			if c.ownTime {
				for i := range got {
					got[i].Timestamp = records[i].Timestamp
				}
			}
			if err := compare(records, got); err != nil {
				t.Error(err)
			}
			if end := b.endOffset(t, topic); end != int64(len(records)) {
				t.Errorf("the topic ends at %d, want %d", end, len(records))
			}
		})
	}
}
