"""Asks a timestamping server by rfc3161ng (PyPI) and verifies what it answers.

usage: rfc3161ng_check.py URL ROOT.pem

rfc3161ng checks the nonce, the imprint, the message digest and, for RSA keys, the signature. For ECDSA keys it can't
(it always asks for RSA padding), so the signature is checked here, over the attributes as rfc3161ng decoded them and
encodes them again. Exit status 0 and the token's particulars on standard output, or 1 and the reason on standard error.
"""

import hashlib
import secrets
import sys

import rfc3161ng
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.serialization import Encoding
from pyasn1.codec.der import decoder, encoder
from pyasn1.type import univ

MESSAGE = b"a message of rfc3161ng's"
CHAIN_LIMIT = 8
MESSAGE_DIGEST = univ.ObjectIdentifier("1.2.840.113549.1.9.4")


def certificates_of(token):
    return [
        x509.load_der_x509_certificate(encoder.encode(choice.getComponent()))
        for choice in token.content["certificates"]
    ]


def signer_of(token, certificates):
    (signer_info,) = token.content["signerInfos"]
    serial = int(signer_info["issuerAndSerialNumber"]["serialNumber"])
    issuer = encoder.encode(signer_info["issuerAndSerialNumber"]["issuer"])
    for certificate in certificates:
        if certificate.serial_number == serial and certificate.issuer.public_bytes() == issuer:
            return certificate
    raise ValueError("the token does not carry its signer's certificate")


def check_chain(signer, certificates, root):
    usage = signer.extensions.get_extension_for_class(x509.ExtendedKeyUsage)
    if not usage.critical or list(usage.value) != [x509.ExtendedKeyUsageOID.TIME_STAMPING]:
        raise ValueError("the signer's extended key usage is not timeStamping alone, critical")
    at = signer
    for _ in range(CHAIN_LIMIT):
        if at.issuer == root.subject:
            at.verify_directly_issued_by(root)
            return
        at_issuer = [other for other in certificates if other.subject == at.issuer]
        if len(at_issuer) != 1:
            raise ValueError(f"the token carries {len(at_issuer)} certificates of {at.issuer.rfc4514_string()}")
        at.verify_directly_issued_by(at_issuer[0])
        at = at_issuer[0]
    raise ValueError("the chain has no end")


def check_ecdsa(token, signer, nonce):
    info = token.tst_info
    if int(info["nonce"]) != nonce:
        raise ValueError("another nonce")
    if bytes(info.message_imprint.hashed_message) != hashlib.sha256(MESSAGE).digest():
        raise ValueError("another imprint")
    (signer_info,) = token.content["signerInfos"]
    digest_name = rfc3161ng.oid_to_hash[signer_info["digestAlgorithm"]["algorithm"]]
    content, _ = decoder.decode(bytes(token.content["contentInfo"]["content"]), asn1Spec=univ.OctetString())
    attributes = univ.SetOf()
    digests = []
    for position, attribute in enumerate(signer_info["authenticatedAttributes"]):
        attributes.setComponentByPosition(position, attribute)
        if attribute[0] == MESSAGE_DIGEST:
            digests.append(bytes(decoder.decode(bytes(attribute[1][0]), asn1Spec=univ.OctetString())[0]))
    if digests != [hashlib.new(digest_name, bytes(content)).digest()]:
        raise ValueError("another message digest")
    signer.public_key().verify(
        bytes(signer_info["encryptedDigest"]),
        encoder.encode(attributes),
        ec.ECDSA(getattr(hashes, digest_name.upper())()),
    )


def run(url, root_path):
    nonce = secrets.randbits(64)
    timestamper = rfc3161ng.RemoteTimestamper(url, hashname="sha256", include_tsa_certificate=True, timeout=20)
    response = timestamper(data=MESSAGE, nonce=nonce, return_tsr=True)
    status = int(response["status"]["status"])
    if status != 0:
        raise ValueError(f"status {status}")
    token = response.time_stamp_token

    certificates = certificates_of(token)
    signer = signer_of(token, certificates)
    if isinstance(signer.public_key(), rsa.RSAPublicKey):
        pem = signer.public_bytes(Encoding.PEM)
        again = rfc3161ng.RemoteTimestamper(
            url, hashname="sha256", certificate=pem, include_tsa_certificate=True, timeout=20
        )
        # Once over the token at hand, once over one that it asks for and checks in its own way.
        again.check(token, data=MESSAGE, nonce=nonce)
        again.timestamp(data=MESSAGE, nonce=nonce)
    else:
        check_ecdsa(token, signer, nonce)
    with open(root_path, "rb") as file:
        check_chain(signer, certificates, x509.load_pem_x509_certificate(file.read()))

    time = rfc3161ng.get_timestamp(token, naive=False)
    print(f"rfc3161ng: {time.isoformat()} serial {int(token.tst_info['serialNumber']):x}")


def main():
    if len(sys.argv) != 3:
        sys.exit(__doc__)
    try:
        run(sys.argv[1], sys.argv[2])
    except Exception as failure:
        sys.exit(f"rfc3161ng: {type(failure).__name__}: {failure}")


if __name__ == "__main__":
    main()
