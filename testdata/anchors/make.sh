#!/bin/sh
# Makes the files here: anchors as operators have them, by OpenSSL 3 and Java's keytool. The passwords are "secret", and
# "secret1" for keytool, which takes no shorter one. The keys are thrown away.
set -eu
cd "$(dirname "$0")"
keys=$(mktemp -d)
trap 'rm -r "$keys"' EXIT

for name in one two; do
    openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -keyout "$keys/$name.key" \
        -days 36500 -subj "/CN=Anchor $name" -out "$name.pem" 2>/dev/null
done
cat one.pem two.pem >"$keys/both.pem"
openssl x509 -in one.pem -trustout -addtrust emailProtection -setalias "The first" -out trusted.pem
openssl crl2pkcs7 -nocrl -certfile "$keys/both.pem" -outform DER -out bundle.p7b
printf 'text' | openssl cms -sign -signer one.pem -inkey "$keys/one.key" -outform DER -out signed.p7m

key() { openssl pkcs12 -export -inkey "$keys/one.key" -in one.pem -certfile two.pem "$@"; }
certificates() { openssl pkcs12 -export -nokeys -in "$keys/both.pem" "$@"; }
key -passout pass:secret -out openssl.p12
key -passout pass:secret -legacy -certpbe PBE-SHA1-RC2-40 -out rc2.p12
certificates -passout pass: -out empty-password.p12
certificates -passout pass:secret -nomac -certpbe NONE -out plain.p12
certificates -passout pass:secret -nomac -certpbe AES-256-CBC -out no-mac.p12

rm -f truststore.p12
for name in one two; do
    keytool -importcert -noprompt -alias "$name" -file "$name.pem" -keystore truststore.p12 \
        -storetype PKCS12 -storepass secret1 2>/dev/null
done
