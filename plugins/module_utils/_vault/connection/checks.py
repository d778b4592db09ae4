# Copyright: Contributors to the secretops.vault_eso project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# Private to this collection: what is here may change at any time. Other collections must not import it.
"""Validation of a client's settings, before anything is sent."""

from __future__ import annotations

import os
import re
import ssl
from collections.abc import Sequence

from ..._engine.errors import InvalidInput
from ..._engine.secret_patterns import shown_path
from ..._http import rules


def check_urls(urls: Sequence[str]) -> list[str]:
    """Return the addresses in the client's form. Raises InvalidInput."""
    if not urls:
        raise InvalidInput(
            "no address of a Vault server is known",
            'option "url"',
            "set it, or the environment variable VAULT_ADDR or BAO_ADDR",
        )
    return [_address(url) for url in urls]


def _address(url: str) -> str:
    found = rules.check_url(url, "url", "https://host:8200")
    parts = found.split("/")
    for name in ("v1", "ui"):
        if name in parts[3:]:
            raise InvalidInput(
                'the URL has the path "/%s"' % "/".join(parts[3:]),
                'option "url"',
                "write %s: the API's own path is added" % "/".join(parts[: parts.index(name, 3)]),
            )
    return found


def check_namespace(namespace: str | None) -> str | None:
    """Return a namespace's path without slashes around it. Raises InvalidInput."""
    if namespace and not re.fullmatch(r"[\x21-\x7e]+", namespace):
        raise InvalidInput(
            "the namespace holds blanks, line ends or other characters that no namespace has",
            'option "namespace"',
            'write its path, such as "team-a/shop"',
        )
    return namespace.strip("/") if namespace else None


def check_files(ca_cert: str | None, client_cert: str | None, client_key: str | None) -> None:
    """Refuse files that do not exist, and a CA that is not a certificate. Raises InvalidInput."""
    for option, name in (("ca_cert", ca_cert), ("client_cert", client_cert), ("client_key", client_key)):
        if name and not os.path.exists(name):
            raise InvalidInput(
                'no such file: "%s"' % shown_path(name),
                'option "%s"' % option,
                "give the path of an existing PEM file on the machine where the module runs",
            )
    try:
        if ca_cert and os.path.isfile(ca_cert):
            ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT).load_verify_locations(ca_cert)
    except (ssl.SSLError, OSError) as error:
        raise InvalidInput(
            "%s holds no PEM certificate" % ca_cert, 'option "ca_cert"', "give the CA's certificate as PEM"
        ) from error
