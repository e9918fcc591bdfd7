#!/usr/bin/env bash
# Cuts the power of whole brokers on a disk in memory, more often than go test does, and shows that each sync that promises
# rest on would be missed. Needs Go alone. -cut.stride 1 is complete.
set -euo pipefail
cd "$(dirname "$0")/../.."
exec go test -count 1 -timeout 15m ./internal/node -run PowerCut -v -cut.stride 6 -cut.mutations "$@"
