"""Signs a small PDF by pyHanko with validation information embedded (PAdES B-LT), and validates it from the file alone.

usage: pyhanko_status.py TSA-URL KEY.pem LEAF.pem ISSUER.pem ROOT.pem OUTPUT.pdf

pyHanko asks for the status of every certificate in sight by the URLs in the certificates, and must have it before it signs.
Nothing is fetched for the validation. Exit status 0 and the number of embedded answers on standard output, or 1 and the
reason on standard error.
"""

import io
import sys

from asn1crypto import keys as asn1_keys
from asn1crypto import ocsp as asn1_ocsp
from asn1crypto import pem as asn1_pem
from pyhanko.pdf_utils.incremental_writer import IncrementalPdfFileWriter
from pyhanko.pdf_utils.reader import PdfFileReader
from pyhanko.sign import signers, timestamps
from pyhanko.sign.fields import SigSeedSubFilter
from pyhanko.sign.validation import DocumentSecurityStore, validate_pdf_signature
from pyhanko_certvalidator import ValidationContext
from pyhanko_certvalidator.registry import SimpleCertificateStore

from pyhanko_sign import load_certificate, small_pdf


def load_key(path):
    with open(path, "rb") as file:
        _, _, der = asn1_pem.unarmor(file.read())
    return asn1_keys.PrivateKeyInfo.load(der)


def embedded_answers(pdf):
    """The SingleResponses in the document's security store: serial number and status."""
    for reference in PdfFileReader(io.BytesIO(pdf)).root["/DSS"]["/OCSPs"]:
        response = asn1_ocsp.OCSPResponse.load(reference.get_object().data).response_data
        for single in response["responses"]:
            yield single["cert_id"]["serial_number"].native, single["cert_status"].name


def run(tsa_url, key_path, leaf_path, issuer_path, root_path, output_path):
    leaf, issuer, root = (load_certificate(path) for path in (leaf_path, issuer_path, root_path))
    store = SimpleCertificateStore()
    store.register_multiple([leaf, issuer, root])
    signer = signers.SimpleSigner(signing_cert=leaf, signing_key=load_key(key_path), cert_registry=store)
    context = ValidationContext(
        trust_roots=[root], other_certs=[issuer], allow_fetching=True, revocation_mode="hard-fail"
    )
    signed = signers.sign_pdf(
        IncrementalPdfFileWriter(io.BytesIO(small_pdf())),
        signers.PdfSignatureMetadata(
            field_name="Signature1",
            md_algorithm="sha256",
            subfilter=SigSeedSubFilter.PADES,
            validation_context=context,
            embed_validation_info=True,
        ),
        signer=signer,
        timestamper=timestamps.HTTPTimeStamper(tsa_url, timeout=20),
    )
    pdf = signed.getvalue()
    with open(output_path, "wb") as file:
        file.write(pdf)

    answers = dict(embedded_answers(pdf))
    for certificate in (leaf, issuer):
        if answers.get(certificate.serial_number) != "good":
            raise ValueError(f"no embedded answer says good of {certificate.subject.human_friendly}")
    reader = PdfFileReader(io.BytesIO(pdf))
    (signature,) = reader.embedded_signatures

    def from_the_file():
        return DocumentSecurityStore.read_dss(reader).as_validation_context(
            {"trust_roots": [root], "allow_fetching": False, "revocation_mode": "hard-fail"}
        )

    status = validate_pdf_signature(
        signature, signer_validation_context=from_the_file(), ts_validation_context=from_the_file()
    )
    if not status.bottom_line:
        raise ValueError(f"the signature does not hold: {status.pretty_print_details()}")
    print(f"pyhanko: {len(answers)} answers embedded")


def main():
    if len(sys.argv) != 7:
        sys.exit(__doc__)
    try:
        run(*sys.argv[1:])
    except Exception as failure:
        reasons = []
        while failure is not None:
            reasons.append(f"{type(failure).__name__}: {failure}")
            failure = failure.__cause__
        sys.exit("pyhanko: " + "; ".join(reasons))


if __name__ == "__main__":
    main()
