# Copyright: Contributors to the secretops.vault_eso project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# Private to this collection: what is here may change at any time. Other collections must not import it.
"""What a node says of itself: whether it is initialised and sealed, and which product it is.

Source: /api-docs/system/seal-status, /api-docs/system/health.
"""

from __future__ import annotations

import datetime
import time
from collections.abc import Mapping
from typing import Any

from .. import products
from ..connection.client import Client
from ..connection.errors import Unreachable, VaultError

#: seconds between two looks at a server that is to become ready
PAUSE = 0.5
INTERNAL_ERROR = 500


def now() -> str:
    """Return the time as RFC 3339 in UTC."""
    return datetime.datetime.now(datetime.timezone.utc).strftime("%Y-%m-%dT%H:%M:%SZ")


def seal_status(client: Client, url: str, retries: int | None = None) -> dict[str, Any]:
    """Return ``sys/seal-status`` of one node. Raises Unreachable, VaultError.

    A standby that was unsealed with another seal than the cluster has cannot tell its seal: OpenBao answers 500 until
    the leader has migrated. Such a node is ``initialized``, not ``sealed``, and in ``migration``.
    """
    node = client.at(url)
    if retries is not None:
        node.retries = retries
    try:
        return dict(node.api.sys.read_seal_status())
    except VaultError as error:
        if error.status != INTERNAL_ERROR or not _tells_leader(node):
            raise
        return {"initialized": True, "sealed": False, "migration": True}


def _tells_leader(node: Client) -> bool:
    """Tell whether a node says who leads, as only an unsealed one does."""
    try:
        node.api.sys.read_leader_status()
    except VaultError:
        return False
    return True


def opens_by_itself(status: Mapping[str, Any]) -> bool:
    """Tell from ``sys/seal-status`` whether the seal opens by itself: then shares are recovery shares."""
    return str(status.get("type") or "shamir") != "shamir" or bool(status.get("recovery_seal"))


def product_of(status: Mapping[str, Any], health: Mapping[str, Any] | None = None) -> str:
    """Return the product by what only one of them answers; empty when that is not to be told.

    OpenBao has ``commit_date`` (2.3) and never ``enterprise``, which Vault's health has since 1.16.
    """
    if "commit_date" in status:
        return products.OPENBAO
    if health is not None and "enterprise" in health:
        return products.VAULT
    version = str(status.get("version") or "")
    if not version:
        return ""
    return products.OPENBAO if products.parse_version(version) >= (2, 0, 0) else products.VAULT


def is_active(health: Mapping[str, Any] | None) -> bool:
    """Tell whether a node serves by itself, by its ``sys/health``; None is a node that gave no answer."""
    return health is not None and health.get("standby") is False and not health.get("sealed")


def wait_seal_status(client: Client, url: str, seconds: float) -> dict[str, Any]:
    """Return ``sys/seal-status`` of a node, which may take ``seconds`` to start. Raises Unreachable."""
    deadline = time.monotonic() + seconds
    while True:
        try:
            return seal_status(client, url, retries=0)
        except Unreachable as error:
            if error.tls or time.monotonic() > deadline:
                raise
            time.sleep(PAUSE)
