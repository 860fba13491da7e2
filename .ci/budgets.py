"""Checks the release binaries against their budgets: size, zip file and glibc. MB are 10^6 bytes.

Size is start-up time: Lambda loads the binary before the first request. A binary that needs a newer glibc than
Lambda's does not run at all: provided.al2023 is Amazon Linux 2023 with glibc 2.34.
https://docs.aws.amazon.com/linux/al2023/ug/compare-with-al2.html
"""

import pathlib
import re
import sys
import zipfile

BINARY_MB = 5.6
ZIP_MB = 2.6
WITH_SNS_AND_KMS = (5.9, 2.7)
OVER = {  # exceptions: function -> (binary, zip), each with its reason beside it
    # They send messages, and have KMS sign or check tokens: they hold both clients.
    "auth-reauthenticate": WITH_SNS_AND_KMS,
    "auth-update-user": WITH_SNS_AND_KMS,
    "auth-verify": WITH_SNS_AND_KMS,
}
GLIBC = (2, 34)

root = pathlib.Path(__file__).resolve().parent.parent


def zip_bytes(binary):
    """The size of the zip file that `sam deploy` uploads."""
    path = root / "target/ci" / f"{binary.parent.name}.zip"
    path.parent.mkdir(parents=True, exist_ok=True)
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.write(binary, "bootstrap")
    return path.stat().st_size


def newest_glibc(binary):
    """The newest glibc version among the needed symbols; the string table holds the versions in plain text."""
    versions = re.findall(rb"GLIBC_(\d+)\.(\d+)", binary.read_bytes())
    return max(((int(major), int(minor)) for major, minor in versions), default=(0, 0))


def main():
    faults = []
    print(f"{'function':<32} {'MB':>6} {'zip MB':>7}  glibc")
    functions = sorted(path.name for path in (root / "functions").iterdir() if path.is_dir())
    for function in functions:
        binary = root / "target/lambda" / function / "bootstrap"
        if not binary.exists():
            faults.append(f"{function}: cargo lambda build has built no binary")
            continue
        size, zipped, glibc = binary.stat().st_size / 1e6, zip_bytes(binary) / 1e6, newest_glibc(binary)
        print(f"{function:<32} {size:6.2f} {zipped:7.2f}  {glibc[0]}.{glibc[1]}")
        size_limit, zip_limit = OVER.get(function, (BINARY_MB, ZIP_MB))
        if size > size_limit:
            faults.append(f"{function}: {size:.2f} MB, over its {size_limit} MB")
        if zipped > zip_limit:
            faults.append(f"{function}: {zipped:.2f} MB zipped, over its {zip_limit} MB")
        if glibc > GLIBC:
            faults.append(f"{function}: needs glibc {glibc[0]}.{glibc[1]}; Lambda has {GLIBC[0]}.{GLIBC[1]}")
    for stray in sorted(path.parent.name for path in (root / "target/lambda").glob("*/bootstrap")):
        if stray not in functions:
            faults.append(f"{stray}: in target/lambda, but not in functions")
    print("\n".join(faults) or f"{len(functions)} binaries within their budgets")
    return 1 if faults or not functions else 0


sys.exit(main())
