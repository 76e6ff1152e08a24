"""Makes signed messages and timestamps by pyHanko, for others to verify.

usage: pyhanko_messages.py DIRECTORY

DIRECTORY holds `content`, NAME.pem and NAME.key (PKCS #8, PEM) of the signers p256 and rsa, of the unit tsu-rsa and of the CA
intermediate. What is made is written there as pyhanko-*.
"""

import asyncio
import datetime
import hashlib
import pathlib
import sys

from asn1crypto import algos, keys, pem, tsp, x509
from cryptography import x509 as pyca
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import mldsa
from pyhanko.sign import signers, timestamps
from pyhanko.sign.ades.api import CAdESSignedAttrSpec
from pyhanko.sign.signers.pdf_cms import PdfCMSSignedAttributes
from pyhanko_certvalidator.registry import SimpleCertificateStore

SIGNED = datetime.datetime(2025, 5, 1, tzinfo=datetime.timezone.utc)


def read(directory, name):
    _, _, der = pem.unarmor((directory / name).read_bytes())
    return der


def certificate(directory, name):
    return x509.Certificate.load(read(directory, f"{name}.pem"))


def key(directory, name):
    return keys.PrivateKeyInfo.load(read(directory, f"{name}.key"))


def signer(directory, name, **options):
    store = SimpleCertificateStore()
    store.register(certificate(directory, "intermediate"))
    return signers.SimpleSigner(
        signing_cert=certificate(directory, name), signing_key=key(directory, name), cert_registry=store, **options
    )


class MlDsaSigner(signers.Signer):
    """ML-DSA-65 (RFC 9882), which pyHanko has no signer for: the message is its own, the signature cryptography's."""

    def __init__(self, directory):
        self.private_key = mldsa.MLDSA65PrivateKey.generate()
        authority = pyca.load_der_x509_certificate(read(directory, "intermediate.pem"))
        usage = dict.fromkeys(
            ("key_encipherment", "data_encipherment", "key_agreement", "key_cert_sign", "crl_sign"), False
        )
        made = (
            pyca.CertificateBuilder()
            .subject_name(pyca.Name([pyca.NameAttribute(pyca.NameOID.COMMON_NAME, "ml-dsa-65")]))
            .issuer_name(authority.subject)
            .public_key(self.private_key.public_key())
            .serial_number(pyca.random_serial_number())
            .not_valid_before(datetime.datetime(2020, 1, 1))
            .not_valid_after(datetime.datetime(2040, 1, 1))
            .add_extension(
                pyca.KeyUsage(
                    digital_signature=True, content_commitment=True, encipher_only=False, decipher_only=False, **usage
                ),
                critical=True,
            )
            .add_extension(pyca.AuthorityKeyIdentifier.from_issuer_public_key(authority.public_key()), critical=False)
            .sign(serialization.load_der_private_key(read(directory, "intermediate.key"), None), hashes.SHA256())
        )
        store = SimpleCertificateStore()
        store.register(certificate(directory, "intermediate"))
        super().__init__(
            signing_cert=x509.Certificate.load(made.public_bytes(serialization.Encoding.DER)),
            cert_registry=store,
            signature_mechanism=algos.SignedDigestAlgorithm({"algorithm": "2.16.840.1.101.3.4.3.18"}),
        )

    async def async_sign_raw(self, data, digest_algorithm, dry_run=False):
        return bytes(3309) if dry_run else self.private_key.sign(data)


def request(content, digest):
    imprint = {
        "hash_algorithm": algos.DigestAlgorithm({"algorithm": digest}),
        "hashed_message": hashlib.new(digest, content).digest(),
    }
    return tsp.TimeStampReq({"version": 1, "message_imprint": imprint, "nonce": 7, "cert_req": True})


async def run(directory):
    content = (directory / "content").read_bytes()

    def write(name, value):
        (directory / f"pyhanko-{name}").write_bytes(value.dump())

    unit = timestamps.DummyTimeStamper(
        tsa_cert=certificate(directory, "tsu-rsa"),
        tsa_key=key(directory, "tsu-rsa"),
        certs_to_embed=[certificate(directory, "intermediate")],
        fixed_dt=SIGNED + datetime.timedelta(minutes=1),
    )
    for digest in ("sha256", "sha384", "sha512"):
        response = await unit.async_request_tsa_response(request(content, digest))
        write(f"{digest}.tsr", response)
    response = await unit.async_request_tsa_response(request(content, "sha256"))
    write("sha256.tst", response["time_stamp_token"])

    async def sign(by, detached, stamped=False, content_stamped=False):
        return await by.async_sign_general_data(
            content,
            "sha256",
            detached=detached,
            timestamper=unit if stamped else None,
            use_cades=True,
            signed_attr_settings=PdfCMSSignedAttributes(
                signing_time=SIGNED, cades_signed_attrs=CAdESSignedAttrSpec(timestamp_content=content_stamped)
            ),
        )

    p256, rsa = signer(directory, "p256"), signer(directory, "rsa", prefer_pss=True)
    write("attached.p7m", await sign(p256, detached=False))
    write("detached.p7s", await sign(p256, detached=True))
    write("pss.p7s", await sign(rsa, detached=True))
    write("ml-dsa.p7s", await sign(MlDsaSigner(directory), detached=True))
    write("stamped.p7s", await sign(p256, detached=True, stamped=True))
    write("content-stamped.p7s", await sign(p256, detached=True, stamped=True, content_stamped=True))


def main():
    if len(sys.argv) != 2:
        sys.exit(__doc__)
    asyncio.run(run(pathlib.Path(sys.argv[1])))


if __name__ == "__main__":
    main()
