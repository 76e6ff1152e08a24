"""Holds certificates against CRLs by pyHanko's certificate validator.

usage: crl_status.py ROOT.pem ISSUER.pem CRL.der[,DELTA.der] LEAF.pem...

Nothing is fetched, and a certificate without a CRL that speaks for it is refused. The issuer's own status is not asked for:
its CRL is another. A line for each certificate: good, revoked and the reason, or refused and why.
"""

import asyncio
import sys

from asn1crypto import crl as asn1_crl
from asn1crypto import pem as asn1_pem
from asn1crypto import x509 as asn1_x509
from pyhanko_certvalidator import CertificateValidator, ValidationContext
from pyhanko_certvalidator.errors import PathValidationError, RevokedError
from pyhanko_certvalidator.policy_decl import (
    CertRevTrustPolicy,
    RevocationCheckingPolicy,
    RevocationCheckingRule,
)

BY_CRL_ALONE = CertRevTrustPolicy(
    RevocationCheckingPolicy(
        ee_certificate_rule=RevocationCheckingRule.CRL_REQUIRED,
        intermediate_ca_cert_rule=RevocationCheckingRule.NO_CHECK,
    )
)


def octets(path):
    with open(path, "rb") as file:
        return file.read()


def certificate(path):
    _, _, der = asn1_pem.unarmor(octets(path))
    return asn1_x509.Certificate.load(der)


def status(root, issuer, crls, leaf):
    context = ValidationContext(
        trust_roots=[root], other_certs=[issuer], crls=crls, allow_fetching=False, revinfo_policy=BY_CRL_ALONE
    )
    try:
        asyncio.run(CertificateValidator(leaf, validation_context=context).async_validate_usage(set()))
    except RevokedError as revoked:
        return f"revoked {revoked}"
    except PathValidationError as refused:
        return f"refused: {type(refused).__name__}: {refused}"
    return "good"


def main():
    if len(sys.argv) < 5:
        sys.exit(__doc__)
    root, issuer = (certificate(path) for path in sys.argv[1:3])
    crls = [asn1_crl.CertificateList.load(octets(path)) for path in sys.argv[3].split(",")]
    for path in sys.argv[4:]:
        print(" ".join(status(root, issuer, crls, certificate(path)).split()))


if __name__ == "__main__":
    main()
