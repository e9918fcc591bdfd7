package coordinator

import (
	"fmt"
	"strings"
	"testing"
	"testing/synctest"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"
)

// A limit that was taken once, at the start, made larger batches than a topic with a smaller one would take: commits that
// happened to arrive together were all answered UNKNOWN_SERVER_ERROR.
func TestCommitsThatWaitTogetherAreWrittenInBatchesThatTheTopicTakesNow(t *testing.T) {
	inHouse(t, 1, func(h *house) {
		h.leadAll(1)
		h.code(h.commits("before", 1), nil)
		const limit = 20_000
		h.logs[0].limit(limit)
		calls := make([]*Call, 300)
		for i := range calls {
			calls[i] = h.Start(commit(fmt.Sprint(i, strings.Repeat("g", 200)), 1), Caller{})
		}
		synctest.Wait()
		for _, call := range calls {
			h.code(call.Response().(*kmsg.OffsetCommitResponse).Topics[0].Partitions[0].ErrorCode, nil)
		}
		if n := len(h.logs[0].batches); n == len(calls)+1 {
			t.Errorf("%d commits were written in %d batches: nothing was gathered", len(calls)+1, n)
		}
		for i, b := range h.logs[0].batches {
			if len(b) > limit {
				t.Errorf("batch %d has %d bytes, the topic takes %d", i, len(b), limit)
			}
		}
	})
}

func TestACommitIsTooLargeByWhatTheTopicTakesNow(t *testing.T) {
	inHouse(t, 1, func(h *house) {
		h.leadAll(1)
		large := commit("g", 1)
		one := large.Topics[0].Partitions[0]
		for p := range int32(100) {
			one.Partition = p
			large.Topics[0].Partitions = append(large.Topics[0].Partitions, one)
		}
		for _, now := range []struct {
			limit int
			want  *kerr.Error
		}{{1 << 20, nil}, {5_000, kerr.InvalidCommitOffsetSize}, {0, kerr.InvalidCommitOffsetSize}, {100_000, nil}} {
			h.logs[0].limit(now.limit)
			for _, p := range ask[*kmsg.OffsetCommitResponse](h, large).Topics[0].Partitions {
				h.code(p.ErrorCode, now.want)
			}
		}
	})
}

// The limit is for what clients ask: were it one for what is written unasked as well, members would never be expelled.
func TestAGroupGetsOnHoweverLittleTheTopicTakes(t *testing.T) {
	inHouse(t, 1, func(h *house) {
		h.leadAll(1)
		h.code(h.commits("g", 1), nil)
		h.logs[0].limit(1)
		r := kmsg.NewPtrDeleteGroupsRequest()
		r.Groups = []string{"g"}
		for _, g := range ask[*kmsg.DeleteGroupsResponse](h, r).Groups {
			h.code(g.ErrorCode, nil)
		}
	})
}
