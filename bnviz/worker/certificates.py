"""TLS files for a cluster of your own: a certificate authority and what it has signed.

Run as `python -m bnviz.worker.certificates FOLDER`. Dask lets in whoever the cluster's authority has signed and looks
at no host name, so the authority serves this one cluster, and its key is thrown away: nobody can be let in later.
"""

import datetime
import os
import sys
from pathlib import Path
from typing import Final

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

ROLES: Final = ("scheduler", "worker", "server")
AUTHORITY: Final = "ca.pem"
VALID_DAYS: Final = 825


def write_certificates(folder: Path, name: str = "bnviz cluster") -> None:
    """Write `ca.pem`, and `<role>.pem` and `<role>.key` for the scheduler, the workers and the web servers.

    Raises:
        FileExistsError: there are some in this folder already, which running processes may use.
    """
    folder.mkdir(parents=True, exist_ok=True)
    if (folder / AUTHORITY).exists():
        raise FileExistsError(f"{folder / AUTHORITY} exists: remove the folder first if you want new certificates.")
    authority_key = ec.generate_private_key(ec.SECP256R1())
    authority = _certificate(name, authority_key, name, authority_key)
    for role in ROLES:
        key = ec.generate_private_key(ec.SECP256R1())
        _write(folder / f"{role}.key", _key_text(key))
        _write(folder / f"{role}.pem", _text(_certificate(f"{name}: {role}", key, name, authority_key)))
    _write(folder / AUTHORITY, _text(authority))  # last: with it the folder is complete


def _certificate(
    subject: str, key: ec.EllipticCurvePrivateKey, issuer: str, issuer_key: ec.EllipticCurvePrivateKey
) -> x509.Certificate:
    now = datetime.datetime.now(datetime.UTC)
    builder = (
        x509.CertificateBuilder()
        .subject_name(_name(subject))
        .issuer_name(_name(issuer))
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - datetime.timedelta(hours=1))  # clocks differ
        .not_valid_after(now + datetime.timedelta(days=VALID_DAYS))
        .add_extension(x509.BasicConstraints(ca=subject == issuer, path_length=None), critical=True)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
        .add_extension(x509.AuthorityKeyIdentifier.from_issuer_public_key(issuer_key.public_key()), critical=False)
    )
    return builder.sign(issuer_key, hashes.SHA256())


def _name(common_name: str) -> x509.Name:
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, common_name)])


def _text(certificate: x509.Certificate) -> bytes:
    return certificate.public_bytes(serialization.Encoding.PEM)


def _key_text(key: ec.EllipticCurvePrivateKey) -> bytes:
    return key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )


def _write(path: Path, text: bytes) -> None:
    """For this user's eyes alone, from the first byte on."""
    with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "wb") as file:
        file.write(text)


def main() -> int:
    """Write them to the folder named; 0 also where they are there already, so that a service may run it each time."""
    if len(sys.argv) != 2:
        print("usage: python -m bnviz.worker.certificates FOLDER", file=sys.stderr)
        return 2
    try:
        write_certificates(Path(sys.argv[1]))
    except FileExistsError as error:
        print(error)
    return 0


if __name__ == "__main__":
    sys.exit(main())
