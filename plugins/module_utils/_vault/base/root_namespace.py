# Copyright: Contributors to the secretops.vault_eso project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# Private to this collection: what is here may change at any time. Other collections must not import it.
"""Paths of the root namespace only. Source: OpenBao, /docs/concepts/namespaces (restricted API paths)."""

from __future__ import annotations

from typing import Any

from ..._engine import wording
from ..._engine.errors import InvalidInput
from ..connection.client import Client
from ..connection.errors import NoNamespace, VaultError


def request(client: Client, method: str, path: str, what: str, remedy: str) -> dict[str, Any]:
    """Return the answer of a path that only the root namespace has. Raises VaultError.

    Raises InvalidInput in another namespace, even if it does not exist yet.
    """
    try:
        return client.request(method, path) or {}
    except VaultError as error:
        refused = isinstance(error, NoNamespace) or wording.root_namespace_only(error.said)
        if client.namespace and refused:
            raise InvalidInput(
                '%s are kept in the root namespace, and this is "%s"' % (what, client.namespace), remedy=remedy
            ) from error
        raise
