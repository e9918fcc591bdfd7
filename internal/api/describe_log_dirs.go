package api

import (
	"cmp"
	"slices"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/barnabas-mq/barnabas/internal/logdir"
	"github.com/barnabas-mq/barnabas/internal/replica"
)

// DescribeLogDirs (key 35) tells what each data directory holds and how much room it has (KIP-113).
//
// Versions 0–5. 3: an error of its own. 4: total and usable bytes (KIP-827). 5: cordoned directories (KIP-1066).
func (b *Broker) describeLogDirs(r *Request) Result {
	req := r.Body.(*kmsg.DescribeLogDirsRequest)
	resp := req.ResponseKind().(*kmsg.DescribeLogDirsResponse)
	wanted := wantedPartitions(req)
	byDir := make(map[*logdir.Dir][]kmsg.DescribeLogDirsResponseDirTopic)
	b.Replicas.Topics(func(t *replica.Topic, partitions []*replica.Partition) bool {
		for _, dir := range b.Replicas.Dirs() {
			if topic := describeTopic(t, partitions, dir, wanted); len(topic.Partitions) > 0 {
				byDir[dir] = append(byDir[dir], topic)
			}
		}
		return true
	})
	for _, dir := range b.Replicas.Dirs() {
		out := kmsg.NewDescribeLogDirsResponseDir()
		out.Dir, out.Topics = dir.Path(), byDir[dir]
		slices.SortFunc(out.Topics, func(a, b kmsg.DescribeLogDirsResponseDirTopic) int { return cmp.Compare(a.Topic, b.Topic) })
		free, total, err := dir.Space()
		out.TotalBytes, out.UsableBytes = int64(total), int64(free)
		out.ErrorCode = b.code(err, kerr.KafkaStorageError, "describe log dirs")
		resp.Dirs = append(resp.Dirs, out)
	}
	return respond(resp)
}

// wantedPartitions are those that the request names; nil is all.
func wantedPartitions(req *kmsg.DescribeLogDirsRequest) map[topicPartition]bool {
	if req.Topics == nil {
		return nil
	}
	wanted := make(map[topicPartition]bool)
	for i := range req.Topics {
		for _, p := range req.Topics[i].Partitions {
			wanted[topicPartition{req.Topics[i].Topic, p}] = true
		}
	}
	return wanted
}

func describeTopic(t *replica.Topic, partitions []*replica.Partition, dir *logdir.Dir, wanted map[topicPartition]bool) kmsg.DescribeLogDirsResponseDirTopic {
	out := kmsg.NewDescribeLogDirsResponseDirTopic()
	out.Topic = t.Name
	for _, p := range partitions {
		if p.Dir() != dir || wanted != nil && !wanted[topicPartition{t.Name, p.Index}] {
			continue
		}
		extent, err := p.Extent()
		if err != nil {
			continue // its log is offline, so there is nothing to tell
		}
		at := kmsg.NewDescribeLogDirsResponseDirTopicPartition()
		at.Partition, at.Size, at.OffsetLag = p.Index, extent.Size, max(p.HighWatermark()-extent.End, 0)
		out.Partitions = append(out.Partitions, at)
	}
	slices.SortFunc(out.Partitions, func(a, b kmsg.DescribeLogDirsResponseDirTopicPartition) int {
		return cmp.Compare(a.Partition, b.Partition)
	})
	return out
}
