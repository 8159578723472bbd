#!/usr/bin/env bash
# Makes sure that a command is there, installing its Debian package if not.
# Says which package is wanted where that cannot be done; never passes in silence.
set -euo pipefail
command=$1 package=$2
PATH=$PATH:/usr/sbin:/sbin
command -v "$command" >/dev/null && exit 0

if ! command -v apt-get >/dev/null; then
	echo "$command is missing: install it (on Debian: the package $package), then run make again" >&2
	exit 1
fi
as_root=()
if [ "$(id -u)" -ne 0 ]; then
	command -v sudo >/dev/null || {
		echo "$command is missing: as root, run: apt-get install $package" >&2
		exit 1
	}
	as_root=(sudo -n)
fi
export DEBIAN_FRONTEND=noninteractive
apt=("${as_root[@]}" apt-get -o DPkg::Lock::Timeout=600 -qq)
"${apt[@]}" install -y --no-install-recommends "$package" >/dev/null 2>&1 ||
	{ "${apt[@]}" update && "${apt[@]}" install -y --no-install-recommends "$package" >/dev/null; } ||
	{ echo "$command is missing and apt-get could not install its package: $package" >&2; exit 1; }
command -v "$command" >/dev/null || { echo "$package was installed, yet $command is not on the PATH" >&2; exit 1; }
