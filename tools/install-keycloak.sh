#!/usr/bin/env bash
# Unpacks Keycloak's distribution into a directory and runs its build step, so
# that each later start skips it. The archive must match tools/sha256sums.
set -euo pipefail
version=$1 dest=$(realpath -m "$2")
here=$(cd "$(dirname "$0")" && pwd)

"$here/need.sh" java openjdk-17-jre-headless
"$here/need.sh" mvn maven

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
# Maven runs inside the work directory: it must not see a project of its own.
cd "$work"
MAVEN_OPTS="${MAVEN_OPTS:-} -Dstyle.color=never" mvn --quiet --batch-mode org.apache.maven.plugins:maven-dependency-plugin:3.8.1:copy \
	-Dartifact="org.keycloak:keycloak-quarkus-dist:$version:zip" -DoutputDirectory="$work"
zip=$work/keycloak-quarkus-dist-$version.zip
"$here/verify.sh" "$zip"
python3 -m zipfile -e "$zip" "$work"
bash "$work/keycloak-$version/bin/kc.sh" build --db=dev-mem
rm -rf "$dest"
mkdir -p "$(dirname "$dest")"
mv "$work/keycloak-$version" "$dest"
