# Copyright: Contributors to the secretops.vault_eso project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# Private to this collection: what is here may change at any time. Other collections must not import it.
"""Creates a client from options and environment."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Callable

from ..._http import environment, insecure
from ..auth.registry import secret_files
from .client import Client

#: options that name a file with a secret
SECRET_FILES = ("client_key", *secret_files())


def settings(params: Mapping[str, Any]) -> dict[str, Any]:
    """Return the connection settings of options and environment (``BAO_*`` before ``VAULT_*``)."""
    validate = params.get("validate_certs")
    if validate is None:
        # the variables say the opposite
        validate = (environment.vault("validate_certs") or "false").lower() not in ("1", "true", "yes")
    texts = ("namespace", "ca_cert", "tls_server_name", "client_cert", "client_key", "proxy")
    return {
        "url": params.get("url") or list(filter(None, map(str.strip, (environment.vault("url") or "").split(",")))),
        "validate_certs": validate,
        **{name: params.get(name) or environment.vault(name) for name in texts},
    }


def connect(params: Mapping[str, Any], token: str | None = None, warn: Callable[[str], None] | None = None) -> Client:
    """Return a client from the connection options and the environment; ``warn`` gets warnings.

    Raises InvalidInput.
    """
    found = settings(params)
    if warn:
        files = {**{name: params.get(name) for name in SECRET_FILES}, "client_key": found["client_key"]}
        for text in insecure.warnings_of(found["url"], found["validate_certs"], files):
            warn(text)
    client = Client(
        found.pop("url"),
        token=token,
        timeout=params["timeout"],
        retries=params["retries"],
        follow_redirects=params["follow_redirects"],
        **found,
    )
    client.warn = warn
    return client
