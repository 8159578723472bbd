#!/usr/bin/env bash
# Makes sure that commands are there of which Debian would start a service as
# soon as their package is installed: the tests run their own, and nobody asked
# for one on the standard port, so the services are kept from starting.
# Arguments: command and package, as often as needed.
set -euo pipefail
cd "$(dirname "$0")"
PATH=$PATH:/usr/sbin:/sbin
policy=/usr/sbin/policy-rc.d

missing=()
while [ $# -gt 0 ]; do
	command -v "$1" >/dev/null || missing+=("$1" "$2")
	shift 2
done
[ ${#missing[@]} -gt 0 ] || exit 0

as_root=()
[ "$(id -u)" -eq 0 ] || as_root=(sudo -n)
# need.sh says what is wrong where apt or the right to install is missing.
if command -v apt-get >/dev/null && [ ! -e "$policy" ] && "${as_root[@]}" true 2>/dev/null; then
	trap '"${as_root[@]}" rm -f "$policy"' EXIT
	printf '#!/bin/sh\nexit 101\n' | "${as_root[@]}" install -m 0755 /dev/stdin "$policy"
fi
set -- "${missing[@]}"
while [ $# -gt 0 ]; do
	./need.sh "$1" "$2"
	shift 2
done
