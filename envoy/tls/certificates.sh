#!/bin/sh
# Makes the certificates that envoy/tls and envoy/http3 run with on one machine:
# an authority, and one certificate each for the gate and for the provider, both
# for localhost, good for 30 days. Elsewhere, take those of your own authority.
set -eu
dir=${1:-build/certificates}
umask 077
mkdir -p "$dir"
cd "$dir"

openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 30 -subj '/CN=Authority for a laptop' \
  -addext 'basicConstraints=critical,CA:TRUE,pathlen:0' -addext 'keyUsage=critical,keyCertSign' \
  -keyout authority.key -out authority.pem

issue() {
  openssl req -new -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -subj "/CN=$1" -keyout "$1.key" -out "$1.csr"
  printf 'subjectAltName=DNS:%s\nextendedKeyUsage=serverAuth\nbasicConstraints=critical,CA:FALSE\n' "$2" > "$1.ext"
  openssl x509 -req -in "$1.csr" -CA authority.pem -CAkey authority.key -days 30 -extfile "$1.ext" -out "$1.pem"
  rm "$1.csr" "$1.ext"
}
issue gate localhost
issue provider localhost
