package admin

import (
	"fmt"
	"io/fs"
	"net/http"
	"path"
	"testing"

	"github.com/barnabas-mq/barnabas/internal/meta"
	"github.com/barnabas-mq/barnabas/internal/vfs"
)

func TestEachPartitionTellsItsSizeAndOffsets(t *testing.T) {
	d := openDesk(t)
	d.topic("orders", 1, 2)
	c := d.dial()
	size := c.put("orders", 1, 3)
	size += c.put("orders", 1, 1)

	m := d.scrape()
	for name, want := range map[string]int{
		"kafka_log_log_size": size, "kafka_log_log_logstartoffset": 0, "kafka_log_log_logendoffset": 4, "kafka_topic_partition_current_offset": 4,
	} {
		m.is(float64(want), name, "topic", "orders", "partition", "1")
		m.is(0, name, "topic", "orders", "partition", "0")
	}
	m.is(2, "kafka_server_replicamanager_partitioncount")
	m.is(0, "kafka_server_replicamanager_offlinereplicacount")
	m.is(0, "kafka_log_logdir_full", "log_dir", "/data")
}

func TestAPartitionWhoseLogCannotBeUsedIsOffline(t *testing.T) {
	d := openDesk(t)
	d.disk.SetHook(func(op vfs.Op) error {
		if op.Kind == vfs.OpMkdir && path.Base(op.Name) == "orders-1" {
			return fs.ErrPermission
		}
		return nil
	})
	d.topic("orders", 1, 2)

	m := d.scrape()
	m.is(2, "kafka_server_replicamanager_partitioncount")
	m.is(1, "kafka_server_replicamanager_offlinereplicacount")
	m.is(0, "kafka_log_log_size", "topic", "orders", "partition", "0")
	m.isMissing("kafka_log_log_size", "topic", "orders", "partition", "1")
}

func TestAGroupsLagIsWhatItHasNotCommittedYet(t *testing.T) {
	d := openDesk(t)
	d.topic("orders", 1, 2)
	d.coordinate()
	c := d.dial()
	c.put("orders", 1, 10)
	c.commit("billing", "orders", 1, 4)
	c.commit("audit", "orders", 1, 10)
	c.commit("audit", "orders", 0, 7) // More than there is, as after records were lost.
	c.join("billing")

	m := d.scrape()
	for _, want := range []struct {
		group, partition string
		offset, lag      float64
	}{{"billing", "1", 4, 6}, {"audit", "1", 10, 0}, {"audit", "0", 7, 0}} {
		labels := []string{"consumergroup", want.group, "topic", "orders", "partition", want.partition}
		m.is(want.offset, "kafka_consumergroup_current_offset", labels...)
		m.is(want.lag, "kafka_consumergroup_lag", labels...)
	}
	m.is(1, "kafka_consumergroup_members", "consumergroup", "billing")
	m.is(0, "kafka_consumergroup_members", "consumergroup", "audit")
}

func TestLagIsNotToldOfAPartitionThatIsHeldElsewhere(t *testing.T) {
	d := openDesk(t)
	d.coordinate()
	d.apply(topicRecords("elsewhere", 1, 2, 1)...)
	d.dial().commit("billing", "elsewhere", 0, 4)

	m, labels := d.scrape(), []string{"consumergroup", "billing", "topic", "elsewhere", "partition", "0"}
	m.is(4, "kafka_consumergroup_current_offset", labels...)
	m.isMissing("kafka_consumergroup_lag", labels...)
}

func TestAScrapeOfManyTopicsOpensNoLog(t *testing.T) {
	const topics = 200
	d := openDesk(t)
	var records []meta.Record
	for i := range uint16(topics) {
		records = append(records, topicRecords(fmt.Sprintf("topic-%04d", i), i, 1, 2)...)
	}
	d.apply(records...)

	before := d.opened.Load()
	m := d.scrape()
	if n := d.opened.Load() - before; n > 0 {
		t.Errorf("the scrape opened %d logs", n)
	}
	m.is(2*topics, "kafka_server_replicamanager_partitioncount")
	for _, name := range []string{"kafka_log_log_size", "kafka_topic_partition_current_offset"} {
		if n := len(m.families[name].GetMetric()); n != 2*topics {
			t.Errorf("%s has %d series", name, n)
		}
	}
	d.dial().put("topic-0007", 1, 1)
	if d.opened.Load() == before {
		t.Error("this test does not notice that a log is opened")
	}
}

func TestScrapesRunBesideTraffic(t *testing.T) {
	d := openDesk(t)
	d.topic("orders", 1, 1)
	d.coordinate()
	over, ended := make(chan struct{}), make(chan error)
	go func() {
		for {
			if _, err := request(d.pages.Address(), http.MethodGet, "/metrics", nil); err != nil {
				ended <- err
				return
			}
			select {
			case <-over:
				ended <- nil
				return
			default:
			}
		}
	}()
	c := d.dial()
	for i := range int64(100) {
		c.put("orders", 0, 1)
		c.commit(fmt.Sprintf("group-%d", i%10), "orders", 0, i)
		c.take("orders", 0, i)
	}
	d.topic("payments", 2, 1)
	close(over)
	if err := <-ended; err != nil {
		t.Fatal(err)
	}
	m := d.scrape()
	m.is(100, "kafka_topic_partition_current_offset", "topic", "orders", "partition", "0")
	m.is(1, "kafka_consumergroup_lag", "consumergroup", "group-9", "topic", "orders", "partition", "0")
}

// Group ids are the clients' to choose: one with a tab was once written so that nothing of the scrape could be read.
func TestAGroupOfAnyNameLeavesTheScrapeReadable(t *testing.T) {
	d := openDesk(t)
	d.topic("orders", 1, 1)
	d.coordinate()
	c := d.dial()
	for given, told := range map[string]string{
		"tab\tand bell\a":       "tab\tand bell\a",
		"two\nlines":            "two\nlines",
		`C:\new "one"`:          `C:\new "one"`,
		"größe\u200b\U0001F980": "größe\u200b\U0001F980",
		"broken \xff":           "broken \uFFFD",
	} {
		c.commit(given, "orders", 0, 7)
		d.scrape().is(7, "kafka_consumergroup_current_offset", "consumergroup", told, "topic", "orders", "partition", "0")
	}
}
