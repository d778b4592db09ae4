# Copyright: Contributors to the secretops.vault_eso project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# Private to this collection: what is here may change at any time. Other collections must not import it.
"""Whether the key shares at hand are those of a running cluster, before anything is stopped that needs them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ..connection.client import Client
from ..connection.errors import PermissionDenied
from ..connection.module import VaultModule
from .attempt import Busy, NotOffered, prove, seal_of
from .key_store import shares_from
from .shares import enough, outsiders


def proof_of(client: Client, params: Mapping[str, Any], check_mode: bool) -> tuple[dict[str, Any], list[str]]:
    """Return what was found of the shares (``proven``, ``given``, ``threshold``, ``wrong``), and warnings.

    Raises InvalidInput when they are too few or not the cluster's.
    """
    recovery, needed = seal_of(client)
    given = shares_from(params, running=True, recovery=recovery)
    shares = enough(given, needed)
    found: dict[str, Any] = {"proven": False, "given": len(shares), "threshold": needed, "wrong": []}
    warnings: list[str] = []
    if check_mode:
        return found, warnings
    try:
        basis = prove(client, given, recovery)
    except (Busy, NotOffered, PermissionDenied) as error:
        # somebody else's attempt is not thrown away for a look
        warnings.append("the key shares were counted, but not proven: %s" % error)
        return found, warnings
    found.update(proven=True, wrong=[one.number for one in outsiders(basis, shares)])
    if found["wrong"]:
        warnings.append(
            "enough key shares are valid, but number %s of those given is not"
            % ", ".join(str(number) for number in found["wrong"])
        )
    return found, warnings


def prove_shares(module: VaultModule, client: Client) -> None:
    """Be the module of the proof: warn, and exit with what was found."""
    found, warnings = proof_of(client, module.params, module.check_mode)
    for warning in warnings:
        module.ansible.warn(warning)
    module.ansible.exit_json(changed=False, **found)
