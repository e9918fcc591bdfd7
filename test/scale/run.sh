#!/usr/bin/env bash
# 20,000 idle partitions: descriptors, memory, start and stop. Needs Go and Linux.
set -euo pipefail
cd "$(dirname "$0")/../.."
exec go test -tags suite -count=1 -timeout 10m -v ./test/scale "$@"
