#!/usr/bin/env bash
# Real clients against Barnabas. Needs Go, Python with venv, Node.js with npm, a JDK with Maven, and apt for kcat where it
# is missing; installs the libraries into .cache. Arguments are handed on to go test: run.sh -run Pairs
set -euo pipefail
cd "$(dirname "$0")/../.."
exec go test -tags suite -count=1 -timeout 15m -v -parallel 2 ./test/clients "$@"
