#!/usr/bin/env bash
# README's commands from a clean clone. The port that README names is free in a network of the test's own, where this
# machine lets it have one. Set TOUR=all to run README's test command there as well: CI runs it in a clean clone anyway.
set -euo pipefail
cd "$(dirname "$0")/../.."
command -v kcat > /dev/null || { apt-get update -qq && apt-get install -y -qq --no-install-recommends kcat > /dev/null; }
go mod download # there is no way to fetch anything once inside
export TEST='go test -tags suite -count=1 -timeout 20m -v ./test/tour'
if unshare -rn true 2> /dev/null; then
  exec unshare -rn bash -c 'ip link set lo up && exec $TEST "$@"' tour "$@"
fi
exec $TEST "$@"
