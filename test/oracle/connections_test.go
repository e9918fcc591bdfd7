//go:build suite

package oracle

import (
	"encoding/binary"
	"fmt"
	"math"
	"slices"
	"time"

	"github.com/twmb/franz-go/pkg/kmsg"
)

// frame makes a request out of its parts. idLength is that of a client id that is not there.
func frame(key, version int16, correlation int32, idLength int16, body []byte) []byte {
	o := binary.BigEndian
	out := o.AppendUint32(nil, uint32(10+len(body)))
	out = o.AppendUint16(out, uint16(key))
	out = o.AppendUint16(out, uint16(version))
	out = o.AppendUint32(out, uint32(correlation))
	out = o.AppendUint16(out, uint16(idLength))
	return append(out, body...)
}

// framed is a request as the client sends it.
func framed(r kmsg.Request, correlation int32) []byte {
	return kmsg.NewRequestFormatter(kmsg.FormatterClientID(clientID)).AppendRequest(nil, r, correlation)
}

// lengthened corrects the length of a frame whose end was changed.
func lengthened(b []byte) []byte {
	binary.BigEndian.PutUint32(b, uint32(len(b)-4))
	return b
}

// soon is how long a broker may take to close a connection.
const soon = 3 * time.Second

func aboutConnections() []conversation {
	return []conversation{
		between(kmsg.ApiVersions, 0, 0, "unknown requests", func(t *Talk) {
			for _, key := range []int16{-1, 200, math.MaxInt16, 4, 5, 6, 7} {
				t.Raw("key "+number(key), frame(key, 0, 9, -1, make([]byte, 20)), 9, kmsg.NewPtrApiVersionsRequest())
			}
			t.Raw("controllers' key", frame(52, 0, 9, -1, make([]byte, 20)), 9, kmsg.NewPtrApiVersionsRequest())
		}),
		between(kmsg.ApiVersions, 0, 0, "unsupported ApiVersions", func(t *Talk) {
			for _, version := range []int16{-1, 6, 99, math.MaxInt16} {
				t.Raw("version "+number(version), frame(18, version, 9, -1, []byte{0, 1, 'a', 1, 'b', 0}), 9, kmsg.NewPtrApiVersionsRequest())
			}
		}),
		between(kmsg.ApiVersions, 0, 0, "frames", func(t *Talk) {
			good := framed(metadata(1, t.Name+"-none"), 5)
			t.Raw("length 0", []byte{0, 0, 0, 0}, 9, kmsg.NewPtrApiVersionsRequest())
			t.Raw("length -1", []byte{0xff, 0xff, 0xff, 0xff}, 9, kmsg.NewPtrApiVersionsRequest())
			t.Raw("length of 2 GB", []byte{0x7f, 0xff, 0xff, 0xff}, 9, kmsg.NewPtrApiVersionsRequest())
			t.Raw("half a header", []byte{0, 0, 0, 5, 0, 18, 0, 0, 0}, 9, kmsg.NewPtrApiVersionsRequest())
			t.Raw("no client id", []byte{0, 0, 0, 8, 0, 18, 0, 0, 0, 0, 0, 9}, 9, kmsg.NewPtrApiVersionsRequest())
			t.Raw("http", []byte("GET / HTTP/1.1\r\n\r\n"), 9, kmsg.NewPtrApiVersionsRequest())
			t.Raw("two frames", append(slices.Clone(good), good...), 5, metadata(1))
			t.Raw("a client id of length -2", frame(3, 1, 9, -2, []byte{0, 0, 0, 0}), 9, metadata(1))
			t.Raw("a client id longer than the frame", frame(3, 1, 9, 100, []byte{0, 0, 0, 0}), 9, metadata(1))
		}),
		between(kmsg.ApiVersions, 0, 0, "truncated and extended", func(t *Talk) {
			for _, r := range samples(t) {
				name := fmt.Sprintf("%s v%d", kmsg.NameForKey(r.Key()), r.GetVersion())
				whole := framed(r, 9)
				t.rawWithin(name+" cut short", lengthened(slices.Clone(whole[:len(whole)-1])), 9, r, soon)
				t.rawWithin(name+" without a body", lengthened(slices.Clone(whole[:14+len(clientID)])), 9, r, soon)
				t.rawWithin(name+" with a byte more", lengthened(append(slices.Clone(whole), 0)), 9, r, soon)
			}
		}),
		between(kmsg.ApiVersions, 0, 0, "versions below and above", func(t *Talk) {
			ask := func(key, version int16) {
				r := kmsg.NewPtrApiVersionsRequest()
				t.Raw(fmt.Sprintf("%s v%d", kmsg.NameForKey(key), version), frame(key, version, 9, -1, make([]byte, 8)), 9, r)
			}
			for key, newest := range map[int16]int16{0: 13, 1: 18, 3: 13, 9: 10, 11: 9, 19: 7, 75: 0} {
				ask(key, newest+1)
				ask(key, -1)
			}
		}),
		between(kmsg.ApiVersions, 3, 3, "unknown tags", func(t *Talk) {
			r := kmsg.NewPtrApiVersionsRequest()
			r.Version, r.ClientSoftwareName, r.ClientSoftwareVersion = 3, "a", "b"
			r.UnknownTags.Set(77, []byte("hello"))
			t.AskBare("in ApiVersions", r)
			m := metadata(9, "no-such-topic-"+t.Name)
			m.AllowAutoTopicCreation = false
			m.UnknownTags.Set(77, []byte("hello"))
			t.Ask("in Metadata", m)
		}),
		between(kmsg.ApiVersions, 0, 0, "pipelined", func(t *Talk) {
			a := t.Send("", describingGroups(1, t.Name))
			b := t.Send("", metadata(1, t.Name+"-none"))
			c := t.Send("", listOffsets(2, t.Name+"-none", -1, 1))
			t.Take("first", a)
			t.Take("second", b)
			t.Take("third", c)
		}),
	}
}

// samples are requests that are good when whole, one of each kind of encoding.
func samples(t *Talk) []kmsg.Request {
	to := t.Topic("", 1)
	heartbeat := kmsg.NewPtrHeartbeatRequest()
	heartbeat.Version, heartbeat.Group, heartbeat.MemberID = 3, "nobody", "x"
	flexible := kmsg.NewPtrHeartbeatRequest()
	flexible.Version, flexible.Group, flexible.MemberID = 4, "nobody", "x"
	find := kmsg.NewPtrFindCoordinatorRequest()
	find.Version, find.CoordinatorKey = 1, "x"
	commit := kmsg.NewPtrOffsetCommitRequest()
	commit.Version, commit.Group, commit.Generation = 7, "", -1
	return []kmsg.Request{
		metadata(1, to.name), metadata(9, to.name), listOffsets(2, to.name, -1, 1), listOffsets(7, to.name, -1, 1),
		fetch(11, to, 0, 0), fetch(12, to, 0, 0), produce(8, to, 0, batchOf(recs(1)...).bytes()), produce(9, to, 0, batchOf(recs(1)...).bytes()),
		heartbeat, flexible, find, commit, deleteRecords(1, to.name, 0, 0), deleteRecords(2, to.name, 0, 0),
		describing(1, ofTopic, to.name, "retention.ms"), describing(4, ofTopic, to.name, "retention.ms"),
	}
}
