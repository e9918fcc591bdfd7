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
What is not in the table is not served yet, and not advertised: transactions, consumer, share and streams groups of the newer protocols,
ACLs and SASL, quotas, reassignments, client telemetry. A client that asks for a transactional id is refused finally
([why and how](decisions/transactional-coordinators.md)).
`)
	return b.String()
}
