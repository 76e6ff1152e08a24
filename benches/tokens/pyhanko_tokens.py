"""Verifies timestamp responses by pyHanko, over and over, and prints nanoseconds of CPU time a token.

usage: pyhanko_tokens.py STAMPS ROOT.der TIME SECONDS

STAMPS holds responses and data in turn, each after its length in four octets. Each response is decoded anew, and judged in a
context of its own, as a context remembers paths; the root is read once. What is checked: the signature, the signer's
certificate and purpose, its chain to the root at TIME, the imprint of the data. Revocation is not asked.
"""

import asyncio
import datetime
import hashlib
import sys
import time

from asn1crypto import tsp, x509
from pyhanko.sign.validation.generic_cms import validate_tst_signed_data
from pyhanko_certvalidator import ValidationContext


def read_stamps(path):
    with open(path, "rb") as file:
        octets = file.read()
    parts = []
    while octets:
        end = 4 + int.from_bytes(octets[:4], "big")
        parts.append(octets[4:end])
        octets = octets[end:]
    return list(zip(parts[::2], parts[1::2]))


async def judge(response, data, root, moment):
    token = tsp.TimeStampResp.load(response)["time_stamp_token"]["content"]
    context = ValidationContext(trust_roots=[root], moment=moment, allow_fetching=False, revocation_mode="soft-fail")
    status = await validate_tst_signed_data(token, context, lambda digest: hashlib.new(digest, data).digest())
    if not (status["intact"] and status["valid"] and status["validation_path"] is not None):
        raise ValueError(f"a token does not hold: {status}")


async def run(stamps_path, root_path, time_s, seconds):
    stamps = read_stamps(stamps_path)
    with open(root_path, "rb") as file:
        root = x509.Certificate.load(file.read())
    moment = datetime.datetime.fromtimestamp(int(time_s), datetime.timezone.utc)
    # The first is not counted: it loads what is loaded once.
    await judge(*stamps[0], root, moment)
    start, tokens = time.process_time_ns(), 0
    while True:
        await judge(*stamps[tokens % len(stamps)], root, moment)
        tokens += 1
        taken = time.process_time_ns() - start
        if taken >= float(seconds) * 1e9:
            return taken / tokens


def main():
    if len(sys.argv) != 5:
        sys.exit(__doc__)
    print(asyncio.run(run(*sys.argv[1:])))


if __name__ == "__main__":
    main()
