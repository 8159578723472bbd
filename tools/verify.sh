#!/usr/bin/env bash
# Fails unless a downloaded file has the digest that tools/sha256sums pins for its name.
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
name=$(basename "$1")
want=$(awk -v name="$name" '$2 == name {print $1}' "$here/sha256sums")
[ -n "$want" ] || { echo "$name has no pinned digest in tools/sha256sums" >&2; exit 1; }
got=$(sha256sum "$1" | cut -d' ' -f1)
[ "$got" = "$want" ] || { echo "$name: sha256 is $got, pinned is $want" >&2; exit 1; }
