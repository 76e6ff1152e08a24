"""Writes the smallest PE file that code signing tools take: headers and one section, 1,024 octets.

usage: make_pe.py OUTPUT.exe

It is a 64-bit program (PE32+, Microsoft PE Format) that would do nothing but return; no Windows is needed to sign it.
"""

import struct
import sys

FILE_ALIGNMENT = 0x200
SECTION_ALIGNMENT = 0x1000
PE_OFFSET = 0x40
DIRECTORIES = 16
CODE = b"\x31\xc0\xc3"  # xor eax, eax; ret


def make_pe():
    dos = b"MZ".ljust(0x3C, b"\0") + struct.pack("<I", PE_OFFSET)
    optional_size = 112 + DIRECTORIES * 8
    # Machine x86-64, one section, no symbols; executable, large addresses.
    file_header = struct.pack("<HHIIIHH", 0x8664, 1, 0, 0, 0, optional_size, 0x0022)
    optional = struct.pack(
        "<HBBIIIII QIIHHHHHHIIIIHHQQQQII",
        0x20B, 14, 0, FILE_ALIGNMENT, 0, 0, SECTION_ALIGNMENT, SECTION_ALIGNMENT,
        0x140000000, SECTION_ALIGNMENT, FILE_ALIGNMENT, 6, 0, 0, 0, 6, 0, 0,
        2 * SECTION_ALIGNMENT, FILE_ALIGNMENT, 0, 3, 0x8160, 0x100000, 0x1000, 0x100000, 0x1000, 0, DIRECTORIES,
    ).ljust(optional_size, b"\0")
    section = struct.pack(
        "<8sIIIIIIHHI", b".text", len(CODE), SECTION_ALIGNMENT, FILE_ALIGNMENT, FILE_ALIGNMENT, 0, 0, 0, 0, 0x60000020
    )
    headers = dos + b"PE\0\0" + file_header + optional + section
    return headers.ljust(FILE_ALIGNMENT, b"\0") + CODE.ljust(FILE_ALIGNMENT, b"\0")


def main():
    if len(sys.argv) != 2:
        sys.exit(__doc__)
    with open(sys.argv[1], "wb") as file:
        file.write(make_pe())


if __name__ == "__main__":
    main()
