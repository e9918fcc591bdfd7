#!/usr/bin/env bash
# Holds Barnabas against Apache Kafka 4.4 and 3.9. Needs Go, Java 17 or newer and Maven.
#   test/oracle/run.sh                               everything
#   test/oracle/run.sh -only 'Fetch v1[0-9]'         some conversations
#   test/oracle/run.sh -show /tmp/differences        writes what is not listed as lines of differences.txt
set -euo pipefail
cd "$(dirname "$0")/../.."
exec go test -v -tags suite -count 1 -timeout 15m ./test/oracle "$@"
