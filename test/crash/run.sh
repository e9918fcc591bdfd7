#!/usr/bin/env bash
# Kills brokers under load, starts them again, and judges what is left. Needs Go alone.
#   test/crash/run.sh                50 rounds
#   test/crash/run.sh -rounds 1000   more
set -euo pipefail
cd "$(dirname "$0")/../.."
exec go test -tags suite -count 1 -timeout 60m -v ./test/crash "$@"
