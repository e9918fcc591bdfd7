#!/usr/bin/env bash
# Three nodes under load, killed, paused, stopped and started again; judges what is left. Needs Go alone.
#   test/cluster/run.sh                       a minute of faults
#   test/cluster/run.sh -faults 1h -seed 7    longer, with a seed that an earlier run printed
set -euo pipefail
cd "$(dirname "$0")/../.."
exec go test -tags suite -count 1 -timeout 120m -v ./test/cluster "$@"
