#!/bin/sh
# Makes issuer.pem and the requests in fuzz/seeds/ocsp_request that ask for its certificates. Run in this directory; the
# keys are new each time and thrown away, so all five files change together (and the octets that ocsp's tests hold).
set -e
seeds=../../fuzz/seeds/ocsp_request
keys=$(mktemp -d)
trap 'rm -r "$keys"' EXIT
openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 3650 \
    -keyout "$keys/issuer.key" -out issuer.pem -subj "/C=DE/O=Example/CN=CA"
openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 3650 \
    -keyout "$keys/signer.key" -out "$keys/signer.pem" -subj "/CN=signer"
ask="openssl ocsp -issuer issuer.pem"
$ask -serial 0x1234 -no_nonce -reqout $seeds/openssl-sha1
openssl ocsp -sha256 -issuer issuer.pem -serial 0x00ff1234567890abcdef -reqout $seeds/openssl-sha256-nonce
$ask -serial 1 -serial 2 -sha256 -serial 3 -reqout $seeds/openssl-several
$ask -serial 0x1234 -signer "$keys/signer.pem" -signkey "$keys/signer.key" -reqout $seeds/openssl-signed
