#!/usr/bin/env bash
# Kafka's own tools against Barnabas. Needs Go, a JDK and Maven. Arguments are handed on to go test: run.sh -run Groups
set -euo pipefail
cd "$(dirname "$0")/../.."
exec go test -tags suite -count=1 -timeout 10m -v -parallel 2 ./test/tools "$@"
