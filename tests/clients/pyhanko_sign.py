"""Signs a small PDF as PAdES B-T by pyHanko with a timestamp of the server at URL, and validates it by pyHanko.

usage: pyhanko_sign.py URL ROOT.pem [OUTPUT.pdf]

The signer's key and certificate are made on the spot. Trusted are that certificate for the signature and ROOT.pem for
the timestamp. Exit status 0 and the timestamp's particulars on standard output, or 1 and the reason on standard error.
"""

import datetime
import io
import sys

from asn1crypto import keys as asn1_keys
from asn1crypto import pem as asn1_pem
from asn1crypto import x509 as asn1_x509
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from pyhanko.pdf_utils.incremental_writer import IncrementalPdfFileWriter
from pyhanko.pdf_utils.reader import PdfFileReader
from pyhanko.sign import signers, timestamps
from pyhanko.sign.fields import SigSeedSubFilter
from pyhanko.sign.validation import validate_pdf_signature
from pyhanko_certvalidator import ValidationContext
from pyhanko_certvalidator.registry import SimpleCertificateStore


def small_pdf():
    """A PDF of one empty page, its cross-reference table counted out."""
    objects = [
        b"<</Type/Catalog/Pages 2 0 R>>",
        b"<</Type/Pages/Kids[3 0 R]/Count 1>>",
        b"<</Type/Page/Parent 2 0 R/MediaBox[0 0 200 200]/Resources<<>>>>",
    ]
    pdf = b"%PDF-1.7\n%\xe2\xe3\xcf\xd3\n"
    offsets = []
    for number, body in enumerate(objects, start=1):
        offsets.append(len(pdf))
        pdf += b"%d 0 obj\n%s\nendobj\n" % (number, body)
    start = len(pdf)
    pdf += b"xref\n0 %d\n0000000000 65535 f \n" % (len(objects) + 1)
    pdf += b"".join(b"%010d 00000 n \n" % offset for offset in offsets)
    pdf += b"trailer\n<</Size %d/Root 1 0 R>>\nstartxref\n%d\n%%%%EOF\n" % (len(objects) + 1, start)
    return pdf


def throwaway_signer():
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "Throwaway signer")])
    now = datetime.datetime.now(datetime.timezone.utc)
    usage = dict.fromkeys(
        (
            "key_encipherment",
            "data_encipherment",
            "key_agreement",
            "key_cert_sign",
            "crl_sign",
            "encipher_only",
            "decipher_only",
        ),
        False,
    )
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - datetime.timedelta(hours=1))
        .not_valid_after(now + datetime.timedelta(days=1))
        .add_extension(x509.KeyUsage(digital_signature=True, content_commitment=True, **usage), critical=True)
        .sign(key, hashes.SHA256())
    )
    key_der = key.private_bytes(
        serialization.Encoding.DER, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    asn1_certificate = asn1_x509.Certificate.load(certificate.public_bytes(serialization.Encoding.DER))
    signer = signers.SimpleSigner(
        signing_cert=asn1_certificate,
        signing_key=asn1_keys.PrivateKeyInfo.load(key_der),
        cert_registry=SimpleCertificateStore(),
    )
    return signer, asn1_certificate


def load_certificate(path):
    with open(path, "rb") as file:
        der = file.read()
    if asn1_pem.detect(der):
        _, _, der = asn1_pem.unarmor(der)
    return asn1_x509.Certificate.load(der)


def run(url, root_path, output_path):
    signer, certificate = throwaway_signer()
    signed = signers.sign_pdf(
        IncrementalPdfFileWriter(io.BytesIO(small_pdf())),
        signers.PdfSignatureMetadata(
            field_name="Signature1", md_algorithm="sha256", subfilter=SigSeedSubFilter.PADES
        ),
        signer=signer,
        timestamper=timestamps.HTTPTimeStamper(url, timeout=20),
    )
    pdf = signed.getvalue()
    if output_path:
        with open(output_path, "wb") as file:
            file.write(pdf)

    (signature,) = PdfFileReader(io.BytesIO(pdf)).embedded_signatures
    status = validate_pdf_signature(
        signature,
        signer_validation_context=ValidationContext(trust_roots=[certificate]),
        ts_validation_context=ValidationContext(trust_roots=[load_certificate(root_path)]),
    )
    if not status.bottom_line:
        raise ValueError(f"the signature does not hold: {status.pretty_print_details()}")
    timestamp = status.timestamp_validity
    if timestamp is None:
        raise ValueError("the signature carries no timestamp")
    if not (timestamp.valid and timestamp.intact and timestamp.trusted):
        raise ValueError(f"the timestamp does not hold: {timestamp.summary()}")
    print(f"pyhanko: {timestamp.timestamp.isoformat()} by {timestamp.signing_cert.subject.human_friendly}")


def main():
    if len(sys.argv) not in (3, 4):
        sys.exit(__doc__)
    try:
        run(sys.argv[1], sys.argv[2], sys.argv[3] if len(sys.argv) == 4 else None)
    except Exception as failure:
        sys.exit(f"pyhanko: {type(failure).__name__}: {failure}")


if __name__ == "__main__":
    main()
