package api

import (
	"flag"
	"fmt"
	"os"
	"strings"
	"testing"

	"github.com/twmb/franz-go/pkg/kmsg"
)

var rewriteDocs = flag.Bool("rewrite-docs", false, "write docs/protocol.md anew")

const protocolPage = "../../docs/protocol.md"

// The page of served requests is written from the table, so that it cannot say more than is served.
func TestTheProtocolPageSaysWhatIsServed(t *testing.T) {
	page := protocolDocumentation()
	if *rewriteDocs {
		if err := os.WriteFile(protocolPage, []byte(page), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	written, err := os.ReadFile(protocolPage)
	if err != nil {
		t.Fatal(err)
	}
	if string(written) != page {
		t.Errorf("%s is stale: go test ./internal/api -run ProtocolPage -rewrite-docs", protocolPage)
	}
}

func protocolDocumentation() string {
	var b strings.Builder
	b.WriteString(`# Requests that are served

Written from the table in internal/api/table.go, which is also what ApiVersions answers. The oldest versions are older than those of
Apache Kafka 4.x, which dropped them and broke clients that are still in use (KIP-896); the newest are the newest stable ones of 4.4.

| key | request | versions |
|--:|---|---|
`)
	for _, row := range Table() {
		fmt.Fprintf(&b, "| %d | %s | %d–%d |\n", row.Key, kmsg.NameForKey(row.Key), row.Min, row.Max)
	}
	b.WriteString(`
Kafka calls AlterPartitionAssignments AlterPartitionReassignments. UpdateFeatures finalizes metadata.version and what goes with it, as no
other feature is supported.

What is not in the table is not served yet, and not advertised:

- **Transactions:** AddPartitionsToTxn, AddOffsetsToTxn, EndTxn, WriteTxnMarkers, TxnOffsetCommit, DescribeTransactions, ListTransactions.
  A client that asks for a transactional id is refused finally ([why and how](decisions/transactional-coordinators.md)).
- **Consumer groups of the newer protocol** (KIP-848): ConsumerGroupHeartbeat, ConsumerGroupDescribe.
- **Share groups** (KIP-932): ShareGroupHeartbeat, ShareGroupDescribe, ShareFetch, ShareAcknowledge, DescribeShareGroupOffsets,
  AlterShareGroupOffsets, DeleteShareGroupOffsets, and their state between brokers: InitializeShareGroupState, ReadShareGroupState,
  ReadShareGroupStateSummary, WriteShareGroupState, DeleteShareGroupState.
- **Streams groups** (KIP-1071): StreamsGroupHeartbeat, StreamsGroupDescribe, StreamsGroupTopologyDescriptionUpdate.
- **Security:** SASLHandshake, SASLAuthenticate; DescribeUserSCRAMCredentials, AlterUserSCRAMCredentials; DescribeACLs, CreateACLs, DeleteACLs;
  CreateDelegationToken, RenewDelegationToken, ExpireDelegationToken, DescribeDelegationToken.
- **Quotas:** DescribeClientQuotas, AlterClientQuotas.
- **Several controllers:** UnregisterController, UpdateRaftVoter (our nodes say it in words of their own); Vote and the like, which are Raft's here.
- **Several directories:** AlterReplicaLogDirs.
- **Client telemetry** (KIP-714): GetTelemetrySubscriptions, PushTelemetry.
`)
	return b.String()
}
