# Copyright: Contributors to the secretops.vault_eso project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Read certificate files, try them as a client would, and look at what a server presents.

It runs on the host, so it needs nothing but Python 3.9. Nothing here writes, and no private key is returned.
"""

from __future__ import annotations

import re
import socket
import ssl
from collections.abc import Iterable
from typing import Any
from urllib.parse import urlsplit

#: what is wrong with a private key: it belongs to another certificate, has a passphrase, or is not one
OTHER, ENCRYPTED, UNREADABLE = "other", "encrypted", "unreadable"
_CERTIFICATE = re.compile(r"-----BEGIN CERTIFICATE-----\s.+?-----END CERTIFICATE-----", re.DOTALL)
#: Python 3.9 has no name for it. Source: openssl/x509_vfy.h
_PARTIAL_CHAIN = getattr(ssl, "VERIFY_X509_PARTIAL_CHAIN", 0x80000)


def split(pem: str) -> list[str]:
    """Return each of the certificates in a text."""
    return _CERTIFICATE.findall(pem)


def certificates(path: str) -> str:
    """Return the certificates of a PEM file, and nothing else that is in it; empty when the file cannot be read."""
    try:
        with open(path, encoding="ascii", errors="replace") as file:
            return "".join("%s\n" % one for one in split(file.read()))
    except OSError:
        return ""


def pair(path: str, key: str, passphrase: str = "") -> tuple[ssl.SSLContext | None, str]:
    """Return a server's context with a certificate and its key, or None and what is wrong with the key."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    asked = []

    def answer() -> str:
        # without an answer OpenSSL would ask on the terminal
        asked.append(True)
        return passphrase

    try:
        context.load_cert_chain(path, key, password=answer)
    except ssl.SSLError as error:
        if error.reason in ("KEY_VALUES_MISMATCH", "KEY_TYPE_MISMATCH"):
            return None, OTHER
        return None, ENCRYPTED if asked else UNREADABLE
    except (OSError, ValueError):
        return None, ENCRYPTED if asked else UNREADABLE
    return context, ""


def refusal(server: ssl.SSLContext, name: str, ca: str, chain: str) -> dict[str, Any] | None:
    """Return why a client refuses a server's certificate for a name, as OpenSSL tells it: ``code`` and ``message``.

    ``ca`` is the file with the CAs that the client trusts. Without one the issuers are not looked at: ``chain``, the
    server's own certificates, is trusted. The two talk in memory. None when the client is content.
    """
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    try:
        if ca:
            context.load_verify_locations(ca)
        else:
            context.load_verify_locations(cadata=chain)
            context.verify_flags |= _PARTIAL_CHAIN
        to_client, to_server = ssl.MemoryBIO(), ssl.MemoryBIO()
        ends = [
            context.wrap_bio(to_client, to_server, server_hostname=name),
            server.wrap_bio(to_server, to_client, server_side=True),
        ]
        # TLS needs three turns at most
        for _turn in range(6):
            for end in ends:
                try:
                    end.do_handshake()
                except ssl.SSLWantReadError:
                    continue
    except ssl.SSLCertVerificationError as error:
        return {"name": name, "code": error.verify_code, "message": str(error.verify_message)}
    except ssl.SSLError as error:
        return {"name": name, "code": 0, "message": str(error.reason or "").replace("_", " ").lower()}
    except (OSError, ValueError) as error:
        return {"name": name, "code": 0, "message": type(error).__name__}
    return None


def examine(path: str, key: str, passphrase: str = "", names: Iterable[str] = (), ca: str = "") -> dict[str, Any]:
    """Return what there is of a certificate and its key.

    ``pem`` are the certificates, ``has_key`` tells whether the key belongs to the first, ``key`` else why it does not,
    and ``refused`` why clients that trust ``ca`` refuse the pair for one of the ``names``.
    """
    pem = certificates(path)
    context, wrong = pair(path, key, passphrase) if pem else (None, "")
    refused = [one for one in (refusal(context, name, ca, pem) for name in names) if one] if context else []
    return {"pem": pem, "has_key": context is not None, "key": wrong, "refused": refused}


def presented(url: str, timeout: float) -> bytes:
    """Return the certificate, in DER, that the server at an address presents; empty when none can be had."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    try:
        address = urlsplit(url)
        host = address.hostname or ""
        connection = socket.create_connection((host, address.port or 443), timeout)
        with connection, context.wrap_socket(connection, server_hostname=host) as wrapped:
            return wrapped.getpeercert(binary_form=True) or b""
    except (OSError, ValueError):
        return b""


def of_servers(urls: Iterable[str], timeout: float) -> dict[str, str]:
    """Return the certificates, in PEM, that servers present; those of which none can be had are missing."""
    found = ((url, presented(url, timeout)) for url in urls)
    return {url: ssl.DER_cert_to_PEM_cert(der) for url, der in found if der}


def serves_another(url: str, path: str, timeout: float) -> bool:
    """Tell whether a server presents another certificate than the first of a file; False when either cannot be read."""
    first = _CERTIFICATE.search(certificates(path))
    found = presented(url, timeout) if first else b""
    if not first or not found:
        return False
    try:
        kept = ssl.PEM_cert_to_DER_cert(first.group())
    except ValueError:
        return False
    return found != kept
