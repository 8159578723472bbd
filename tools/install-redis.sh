#!/usr/bin/env bash
# Makes sure that Redis and Webdis, its HTTP front, are there. Debian starts a
# service as soon as its package is installed; the tests run their own, and
# nobody asked for one on the standard port, so these two are kept from starting.
set -euo pipefail
cd "$(dirname "$0")"
PATH=$PATH:/usr/sbin:/sbin
policy=/usr/sbin/policy-rc.d

command -v redis-server >/dev/null && command -v webdis >/dev/null && exit 0

as_root=()
[ "$(id -u)" -eq 0 ] || as_root=(sudo -n)
# need.sh says what is wrong where apt or the right to install is missing.
if command -v apt-get >/dev/null && [ ! -e "$policy" ] && "${as_root[@]}" true 2>/dev/null; then
	trap '"${as_root[@]}" rm -f "$policy"' EXIT
	printf '#!/bin/sh\nexit 101\n' | "${as_root[@]}" install -m 0755 /dev/stdin "$policy"
fi
./need.sh redis-server redis-server
./need.sh webdis webdis
