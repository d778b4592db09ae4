# Copyright: Contributors to the secretops.vault_eso project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# Private to this collection: what is here may change at any time. Other collections must not import it.
"""Whether the key shares at hand are those of a running cluster, before anything is stopped that needs them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ..._engine.errors import InvalidInput
from ..connection.client import Client
from ..connection.errors import PermissionDenied
from ..connection.module import VaultModule
from .attempt import Busy, NotOffered, prove, seal_of
from .key_store import KeyStore, shares_from
from .rekey import SET
from .shares import enough, outsiders
from .status import now


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


def adopted(data: Mapping[str, Any], chosen: Mapping[str, Any]) -> dict[str, Any]:
    """Return the content of a key store whose present shares change places with a former set. Pure."""
    held = {name: data[name] for name in (*SET, "generation") if name in data}
    return {
        **data,
        **{name: chosen[name] for name in (*SET, "generation") if name in chosen},
        "former": [one for one in data["former"] if one is not chosen] + [{**held, "replaced_at": now()}],
    }


def adopt_former(client: Client, params: Mapping[str, Any], check_mode: bool) -> tuple[dict[str, Any], list[str]]:
    """Prove the key store's shares; where a former set is valid instead, make that one the present one.

    Returns the same as `proof_of`, with ``adopted``, the generation of that set. Raises InvalidInput.
    """
    if not params.get("key_store") or params.get("shares") or params.get("shares_file"):
        raise InvalidInput("former shares are in a key store alone", 'option "adopt_former"', 'give "key_store" alone')
    store = KeyStore(params["key_store"])
    try:
        return proof_of(client, params, check_mode)
    except InvalidInput:
        data = store.load() or {}
        for one in reversed(data.get("former") or []):
            if not one.get("shares") or one.get("encrypted"):
                continue
            try:
                found, warnings = proof_of(client, {"shares": one["shares"]}, check_mode)
            except InvalidInput:
                # not valid either
                continue
            if found["proven"]:
                store.save(adopted(data, one))
                found["adopted"] = one.get("generation")
            return found, warnings
        if not data.get("encrypted"):
            raise
        # only their holders can read them
        unproven = {"proven": False, "given": 0, "threshold": seal_of(client)[1], "wrong": []}
        return unproven, ["%s holds its key shares as ciphertext: they were not proven" % store.path]


def prove_shares(module: VaultModule, client: Client) -> None:
    """Be the module of the proof: warn, and exit with what was found."""
    prover = adopt_former if module.params["adopt_former"] else proof_of
    found, warnings = prover(client, module.params, module.check_mode)
    for warning in warnings:
        module.ansible.warn(warning)
    module.ansible.exit_json(**{"changed": "adopted" in found, "adopted": None, **found})
