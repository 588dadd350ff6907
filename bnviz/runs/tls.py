"""Who is at the other end: a scheduler's address and certificate, looked at before Dask tries, which says too little.

No text here names a file: pages show it.
"""

import os
import socket
import ssl
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import urlsplit

from bnviz.errors import ConfigError, EngineError

if TYPE_CHECKING:
    from cryptography.x509 import Certificate
    from distributed import Security

CA_VARIABLE: Final = "BNVIZ_TLS_CA"
CERT_VARIABLE: Final = "BNVIZ_TLS_CERT"
KEY_VARIABLE: Final = "BNVIZ_TLS_KEY"
VARIABLES: Final = {CA_VARIABLE: "tls_ca_file", CERT_VARIABLE: "tls_client_cert", KEY_VARIABLE: "tls_client_key"}
LOOK_SECONDS: Final = 5.0


@dataclass(frozen=True)
class Address:
    """Where a scheduler listens."""

    host: str
    port: int
    is_encrypted: bool


def address_of(text: str) -> Address:
    """The parts of `tls://host:port`; `ConfigError` if it is anything else, or unencrypted and not this machine's."""
    try:
        parts = urlsplit(text)
        host, port = parts.hostname, parts.port
    except ValueError:
        host = port = None
    is_whole = host and port and not parts.path and not parts.query and parts.username is None
    if not is_whole or parts.scheme not in {"tls", "tcp"}:
        raise ConfigError(f"BNVIZ_SCHEDULER = {text!r} is no scheduler's address: write tls://host:8786.")
    assert host is not None
    assert port is not None
    if parts.scheme == "tcp" and host not in {"127.0.0.1", "::1", "localhost"}:
        raise ConfigError(
            f"BNVIZ_SCHEDULER = {text!r} is not encrypted, and whoever reaches such a scheduler runs what they like on "
            "its workers: start it with TLS and write tls://."
        )
    return Address(host, port, parts.scheme == "tls")


def security_from_environment() -> "Security | None":
    """What BNVIZ_TLS_CA, BNVIZ_TLS_CERT and BNVIZ_TLS_KEY name, or else what Dask is configured with; None if nothing.

    Raises:
        ConfigError: one of the three is missing, or names no file that can be read.
    """
    from distributed import Security

    given = {name: os.environ.get(variable) or None for variable, name in VARIABLES.items()}
    if not any(given.values()):
        security = Security()
        return security if _file(security, "tls_ca_file") else None
    for variable, name in VARIABLES.items():
        path = given[name]
        if path is None:
            raise ConfigError(f"{variable} is not set: TLS needs all of {', '.join(VARIABLES)}.")
        try:
            Path(path).read_bytes()
        except OSError as error:
            raise ConfigError(f"The file that {variable} names cannot be read ({error.strerror}).") from None
    return Security(require_encryption=True, **given)


def check_peer(address: Address, security: "Security | None") -> None:
    """Meet the scheduler once.

    Raises:
        ConfigError: our own TLS files are not what they should be.
        EngineError: nobody listens there, it does not speak TLS, or either end does not accept the other's
            certificate; the text names both.
    """
    where = f"{address.host}:{address.port}"
    if not address.is_encrypted:
        return
    if security is None:
        raise ConfigError(f"The scheduler at tls://{where} wants TLS: set {', '.join(VARIABLES)} to its files.")
    context = _context(security)
    try:
        with (
            socket.create_connection((address.host, address.port), LOOK_SECONDS) as line,
            context.wrap_socket(line) as secured,
        ):
            secured.settimeout(LOOK_SECONDS)
            secured.recv(1)  # with TLS 1.3 a refusal comes after the handshake; Dask speaks first
    except ssl.SSLCertVerificationError as error:
        theirs = _certificate_at(address)
        raise EngineError(
            f"The scheduler at {where} shows a certificate of {_whose(theirs)}, which this server does not trust "
            f"({error.verify_message}): it trusts {_authority(security)}. Give both the same authority's files."
        ) from None
    except ssl.SSLError as error:
        if "ALERT" not in (error.reason or ""):
            raise EngineError(
                f"What listens at {where} does not speak TLS as this server does ({error.reason or 'no reason given'}):"
                " is it a scheduler that was started with TLS files?"
            ) from None
        own = _pem(_file(security, "tls_client_cert"))
        raise EngineError(
            f"The scheduler at {where}, {_whose(_certificate_at(address))}, does not accept this server's certificate "
            f"of {_whose(own)} ({_words(error)}). Give both the same authority's files."
        ) from None
    except (OSError, TimeoutError) as error:
        reason = error.strerror or type(error).__name__
        raise EngineError(
            f"The cluster at tls://{where} cannot be reached ({reason}): is its scheduler running?"
        ) from None


def _context(security: "Security") -> ssl.SSLContext:
    try:
        context: ssl.SSLContext | None = security.get_connection_args("client")["ssl_context"]
    except (OSError, ValueError) as error:
        reason = getattr(error, "reason", None) or getattr(error, "strerror", None) or type(error).__name__
        raise ConfigError(
            f"The TLS files of this server cannot be used ({reason}): {', '.join(VARIABLES)} want PEM files, the key "
            "that of the certificate."
        ) from None
    if context is None:
        raise ConfigError(f"TLS needs all of {', '.join(VARIABLES)}.")
    return context


def _words(error: ssl.SSLError) -> str:
    return (error.reason or "no reason given").replace("_", " ").lower()


def _certificate_at(address: Address) -> "Certificate | None":
    """Whatever certificate is shown there, trusted or not."""
    from cryptography.x509 import load_der_x509_certificate

    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    try:
        with (
            socket.create_connection((address.host, address.port), LOOK_SECONDS) as line,
            context.wrap_socket(line) as secured,
        ):
            shown = secured.getpeercert(binary_form=True)
    except OSError:
        return None
    return load_der_x509_certificate(shown) if shown else None


def _file(security: Any, name: str) -> Any:
    """A file's path, or its contents, as Dask's `Security` has them."""
    return getattr(security, name)


def _pem(material: Any) -> "Certificate | None":
    """The certificate in a PEM file, or in text."""
    from cryptography.x509 import load_pem_x509_certificate

    try:
        return load_pem_x509_certificate(material.encode() if "\n" in material else Path(material).read_bytes())
    except (OSError, ValueError, AttributeError):
        return None


def _authority(security: "Security") -> str:
    certificate = _pem(_file(security, "tls_ca_file"))
    return "an authority that cannot be read" if certificate is None else f"{_name(certificate.subject)!r}"


def _whose(certificate: "Certificate | None") -> str:
    if certificate is None:
        return "an unknown name"
    return f"{_name(certificate.subject)!r}, signed by {_name(certificate.issuer)!r}"


def _name(name: Any) -> str:
    """The common name, cut to what fits a sentence: another machine wrote it."""
    from cryptography.x509.oid import NameOID

    found = name.get_attributes_for_oid(NameOID.COMMON_NAME)
    text = str(found[0].value) if found else name.rfc4514_string()
    return "".join(letter for letter in text if letter.isprintable())[:80]
