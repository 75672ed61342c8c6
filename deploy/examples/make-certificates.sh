#!/bin/sh
# Certificates of this scenario without cert-manager: a CA, which lives as long as this script, and the labelled Secrets.
#
#   ./make-certificates.sh FOLDER
#
# writes FOLDER/ca.crt, for curl --cacert, and FOLDER/secrets.yaml, for kubectl apply. Needs openssl and kubectl, no cluster.
set -eu
umask 077
folder=${1:?usage: make-certificates.sh FOLDER}
mkdir -p "$folder"
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

new_key() {
  openssl genpkey -algorithm EC -pkeyopt ec_paramgen_curve:P-256 -out "$1" 2>/dev/null
}

# name tenant host...: a pair for the hosts, as a Secret with the tenant's label, on standard output
secret() {
  name=$1 tenant=$2
  shift 2
  names=$(printf 'DNS:%s,' "$@")
  new_key "$work/$name.key"
  openssl req -new -key "$work/$name.key" -subj "/CN=$name" -out "$work/$name.csr"
  printf 'subjectAltName=%s\nextendedKeyUsage=serverAuth\n' "${names%,}" >"$work/$name.ext"
  openssl x509 -req -in "$work/$name.csr" -CA "$work/ca.crt" -CAkey "$work/ca.key" -set_serial "0x$(openssl rand -hex 16)" \
    -days 90 -sha256 -extfile "$work/$name.ext" -out "$work/$name.crt" 2>/dev/null
  kubectl create secret tls "$name" --namespace higress-system --cert "$work/$name.crt" --key "$work/$name.key" \
    --dry-run=client --output yaml |
    kubectl label --local --filename - "entryproxy.higress.io/tenant=$tenant" --output yaml
  echo ---
}

new_key "$work/ca.key"
openssl req -x509 -key "$work/ca.key" -subj "/CN=Example CA" -days 90 -out "$work/ca.crt"

{
  secret platform-certificate system '*.aigw.example.com'
  secret tenant1-certificate tenant1 tenant1.aigw.example.com '*.tenant1.aigw.example.com'
  secret tenant1-customer-certificate tenant1 '*.customer.com'
  secret tenant2-certificate tenant2 tenant2.aigw.example.com '*.tenant2.aigw.example.com'
} >"$folder/secrets.yaml"
cp "$work/ca.crt" "$folder/ca.crt"
echo "$folder/secrets.yaml $folder/ca.crt"
