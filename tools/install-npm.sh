#!/usr/bin/env bash
# Installs the npm parts of tools/package.json at the versions and digests that
# the lock file pins.
set -euo pipefail
cd "$(dirname "$0")"

"./need.sh" node nodejs
"./need.sh" npm npm
major=$(node -p 'process.versions.node.split(".")[0]')
[ "$major" -ge 20 ] || { echo "node is at version $major: Postern's tests need node 20 or later" >&2; exit 1; }
npm ci --no-fund --no-audit --loglevel=error
