"""Asks a timestamping server by rfc3161-client (PyPI, sigstore's) and verifies what it answers by the same.

usage: rfc3161_client_check.py URL ROOT.pem [sha256|sha512]

Exit status 0 and the token's particulars on standard output, or 1 and the reason on standard error.
"""

import sys

import requests
from cryptography import x509
from rfc3161_client import (
    HashAlgorithm,
    TimestampRequestBuilder,
    VerifierBuilder,
    decode_timestamp_response,
)

MESSAGE = b"a message of rfc3161-client's"


def run(url, root_path, hash_name):
    request = (
        TimestampRequestBuilder()
        .data(MESSAGE)
        .hash_algorithm(HashAlgorithm[hash_name.upper()])
        .nonce(nonce=True)
        .cert_request(cert_request=True)
        .build()
    )
    answer = requests.post(
        url,
        data=request.as_bytes(),
        headers={"Content-Type": "application/timestamp-query"},
        timeout=20,
    )
    answer.raise_for_status()
    content_type = answer.headers["Content-Type"]
    if content_type != "application/timestamp-reply":
        raise ValueError(f"content type {content_type}")
    response = decode_timestamp_response(answer.content)

    with open(root_path, "rb") as file:
        root = x509.load_pem_x509_certificate(file.read())
    verifier = VerifierBuilder.from_request(request).add_root_certificate(root).build()
    verifier.verify_message(response, MESSAGE)
    try:
        verifier.verify_message(response, MESSAGE + b"!")
    except Exception:
        pass
    else:
        raise AssertionError("it verifies over another message too")

    info = response.tst_info
    print(f"rfc3161-client: {info.gen_time.isoformat()} serial {info.serial_number:x}")


def main():
    if len(sys.argv) not in (3, 4):
        sys.exit(__doc__)
    try:
        run(sys.argv[1], sys.argv[2], sys.argv[3] if len(sys.argv) == 4 else "sha256")
    except Exception as failure:
        sys.exit(f"rfc3161-client: {type(failure).__name__}: {failure}")


if __name__ == "__main__":
    main()
