"""Makes a certificate and a signature by it for each level of ML-DSA, by the OpenSSL in Python's cryptography (>= 47).

Run in this directory; the keys are new each time and thrown away, so all files change together."""

import datetime

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import mldsa
from cryptography.hazmat.primitives.serialization import Encoding

MESSAGE = b"noon"
LEVELS = {44: mldsa.MLDSA44PrivateKey, 65: mldsa.MLDSA65PrivateKey, 87: mldsa.MLDSA87PrivateKey}

for level, kind in LEVELS.items():
    key = kind.generate()
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, f"ML-DSA-{level}")])
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(level)
        .not_valid_before(datetime.datetime(2025, 1, 1))
        .not_valid_after(datetime.datetime(2035, 1, 1))
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, None)
    )
    with open(f"{level}.der", "wb") as file:
        file.write(certificate.public_bytes(Encoding.DER))
    with open(f"{level}.sig", "wb") as file:
        file.write(key.sign(MESSAGE))
