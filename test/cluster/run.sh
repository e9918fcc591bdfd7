#!/usr/bin/env bash
# Three nodes under load, killed, paused, stopped, started again, with their disks wiped, and cut off from each other in networks that it
# makes; judges what is left. Kafka's tools on three nodes. Needs Go; iproute2 and user namespaces for the networks; a JDK and Maven for the tools.
#   test/cluster/run.sh                                 three minutes of faults, and two and a half of cuts
#   test/cluster/run.sh -faults 1h -cuts 1h -seed 7     longer, with a seed that an earlier run printed
set -euo pipefail
cd "$(dirname "$0")/../.."
command -v ip >/dev/null || { apt-get update -q && apt-get install -q -y iproute2; } >/dev/null
exec go test -tags suite -count 1 -timeout 120m -v ./test/cluster "$@"
