#!/usr/bin/env bash
# Full disks, flipped bits, no descriptors, garbage from the network, each against a broker process. Needs Linux, Go and
# unshare, for a small disk of its own.
set -euo pipefail
[ "$(uname)" = Linux ] || { echo "the faults are made with Linux's means" >&2; exit 1; }
cd "$(dirname "$0")/../.."
exec go test -tags suite -count 1 -timeout 10m ./test/faults "$@"
