# Copyright: Contributors to the secretops.vault_eso project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Filters for replacing the private CA of the role vault_server by a bundle of both. Pure.

The directory of the CA has ``ca.crt`` (the certificate that signs, then others that are trusted) and ``ca.key``. During a
replacement ``next`` has the pair of the CA to come, until it signs; after that ``former`` has the pair of the one before.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any, Callable

from ansible.errors import AnsibleFilterError

from ansible_collections.secretops.vault_eso.plugins.module_utils._host import tls
from ansible_collections.secretops.vault_eso.plugins.plugin_utils import _server_certificate as server_certificate

TRUST = "trust"
SIGN = "sign"
DROP = "drop"
STEPS = (TRUST, SIGN, DROP)
#: what to run: the playbook's name and its variable
RUN = "playbooks/replace_ca.yml -e replace_ca_step=%s"


def _split(pem: Any) -> list[str]:
    """Return the certificates of a text, each in one form."""
    return [one.replace("\r", "") for one in tls.split(str(pem or ""))]


def _joined(certificates: Iterable[str]) -> str:
    return "".join("%s\n" % one for one in certificates)


class _Authority:
    """The files of a CA that is being replaced: what stands, and what a step does to it."""

    def __init__(
        self, authority: Mapping[str, Any], following: Mapping[str, Any], former: Mapping[str, Any], folder: str
    ) -> None:
        self.folder = folder
        self.bundle = _split(authority.get("pem"))
        self.has_key = bool(authority.get("has_key"))
        self.other_key = authority.get("key") == tls.OTHER
        # a pair to come is one only with both files
        self.following = _split(following.get("pem"))[:1] if following.get("has_key") else []
        self.former = _split(former.get("pem"))[:1]

    @property
    def signs(self) -> str:
        """The certificate that signs, empty when there is none."""
        return self.bundle[0] if self.bundle else ""

    @property
    def is_cut(self) -> bool:
        """Whether a run ended between the bundle and the key of the CA to come."""
        return bool(self.following) and self.following == self.bundle[:1] and self.other_key

    @property
    def overlaps(self) -> bool:
        """Whether the CA before this one is still trusted."""
        return bool(self.former) and self.former[0] in self.bundle[1:]

    def problem(self, step: str) -> str:
        """Return why a step cannot be done, empty when it can."""
        if not self.bundle:
            return (
                "%s holds no CA on this controller, so there is nothing to replace; bring it back from its backup, or run"
                " playbooks/vault.yml where the cluster is still to be built" % self.folder
            )
        if self.is_cut:
            return "" if step == SIGN else "%s: the step sign was cut; complete it (%s)" % (self.folder, RUN % SIGN)
        if not self.has_key:
            return (
                "%s/ca.key does not belong to the first certificate of ca.crt there, or cannot be read (vault_server_tls_ca_passphrase);"
                " bring both back from their backup" % self.folder
            )
        if step == TRUST and self.overlaps:
            return "the new CA signs already, and the one before is still trusted; end that first (%s)" % (RUN % DROP)
        if step == SIGN and not self.overlaps and (not self.following or self.following[0] not in self.bundle):
            return "no new CA is trusted yet; begin with that (%s)" % (RUN % TRUST)
        if step == DROP and self.following:
            return "the new CA does not sign yet; have it sign first (%s)" % (RUN % SIGN)
        return ""


def vault_server_ca_plan(
    authority: Mapping[str, Any],
    following: Mapping[str, Any],
    former: Mapping[str, Any],
    step: str,
    folder: str,
    served: Mapping[str, Mapping[str, str]] | None = None,
) -> dict[str, Any]:
    """Return what a step of a replacement does to the files of a CA.

    ``authority``, ``following`` and ``former`` are what the module vault_host_state tells of the directory itself, of
    ``next`` and of ``former`` in it; ``served`` is what it tells as ``presented`` of each server, by their names.

    Returns ``problem`` (a sentence, or empty), ``make`` (whether the pair to come is to be made), ``bundle`` (what ca.crt
    is to hold, empty to leave it), ``former`` (what former/ca.crt is to hold, empty to leave it and its key), ``swap``
    (whether the pair to come becomes the CA), ``old`` and ``new`` (the two CAs, as far as there are two) and ``says``
    (the plan in a sentence).
    """
    if step not in STEPS:
        raise AnsibleFilterError("vault_server_ca_plan: the step is %r, and may be %s" % (step, ", ".join(STEPS)))
    state = _Authority(authority, following, former, str(folder))
    plan: dict[str, Any] = {"problem": state.problem(step), "make": False, "bundle": "", "former": "", "swap": False}
    plan.update(old="", new="", says="")
    if plan["problem"]:
        return plan
    if step == TRUST:
        _trust(state, plan)
    elif step == SIGN:
        _sign(state, plan)
    else:
        _drop(state, plan, served or {})
    return plan


def _trust(state: _Authority, plan: dict[str, Any]) -> None:
    plan.update(make=not state.following, old=state.signs, new=_joined(state.following).strip())
    if plan["make"]:
        plan["says"] = (
            "a new CA is made in %s/next, and the servers, the controller and the declared stores trust it beside the present"
            " one, which goes on signing" % state.folder
        )
    elif state.following[0] not in state.bundle:
        plan["bundle"] = _joined([*state.bundle, *state.following])
        plan["says"] = "the new CA of %s/next is trusted beside the present one, which goes on signing" % state.folder
    else:
        plan["says"] = "both CAs are in %s/ca.crt; servers and stores that lack the new one get it" % state.folder


def _sign(state: _Authority, plan: dict[str, Any]) -> None:
    if not state.following:
        plan.update(old=state.former[0], new=state.signs)
        plan["says"] = "the new CA signs already; servers that have a certificate of the one before get another"
        return
    new = state.following[0]
    plan["swap"] = True
    if state.signs != new:
        plan["former"] = _joined([state.signs])
        plan["bundle"] = _joined([new, *(one for one in state.bundle if one != new)])
    plan.update(old=state.signs if state.signs != new else _joined(state.former).strip(), new=new)
    plan["says"] = (
        "the new CA signs from now on, and each server gets a certificate of it, one after the other, by a reload"
    )


def _drop(state: _Authority, plan: dict[str, Any], served: Mapping[str, Mapping[str, str]]) -> None:
    if not state.overlaps:
        plan.update(new=state.signs)
        plan["says"] = "one CA alone is trusted already; servers and stores that still have the one before lose it"
        return
    lagging = vault_server_ca_lagging(served, state.signs)
    if lagging:
        plan["problem"] = (
            "%s no certificate of the new CA, and clients would refuse %s; have every server running, and sign for it first (%s)"
            % (
                " and ".join(lagging) + (" presents" if len(lagging) == 1 else " present"),
                "it" if len(lagging) == 1 else "them",
                RUN % SIGN,
            )
        )
        return
    plan.update(old=state.former[0], new=state.signs)
    plan["bundle"] = _joined(one for one in state.bundle if one != state.former[0])
    plan["says"] = "the CA before is no longer trusted; its pair stays in %s/former" % state.folder


def vault_server_ca_lagging(served: Mapping[str, Mapping[str, str]], authority: str) -> list[str]:
    """Return the names of the servers that present no certificate of the first CA of a text; ``served`` as above."""
    first = _joined(_split(authority)[:1])
    return [
        str(name)
        for name, found in served.items()
        # nothing where the server did not answer
        if not first or not found or not all(server_certificate.is_of(pem, first) for pem in found.values())
    ]


def vault_server_ca_untrusting(found: Mapping[str, Any], plan: Mapping[str, Any]) -> list[str]:
    """Return the stores and generators that trust the one CA of a plan and not the other, each by kind and name.

    ``found`` is the result of the module eso_info. What trusts neither is of another Vault.
    """
    old, new = _split(plan.get("old")), _split(plan.get("new"))
    if not old or not new:
        return []
    return list(_untrusting([*(found.get("stores") or []), *(found.get("generators") or [])], old[0], new[0]))


def _untrusting(entries: Sequence[Mapping[str, Any]], old: str, new: str) -> Iterator[str]:
    for entry in entries:
        trusted = _split(entry.get("ca_bundle"))
        if old in trusted and new not in trusted:
            place = "%s/%s" % (entry["namespace"], entry["name"]) if entry.get("namespace") else entry["name"]
            yield "%s %s" % (entry["kind"], place)


class FilterModule:
    """The filters of this file."""

    def filters(self) -> dict[str, Callable[..., Any]]:
        """Return the filters by name."""
        return {
            "vault_server_ca_lagging": vault_server_ca_lagging,
            "vault_server_ca_plan": vault_server_ca_plan,
            "vault_server_ca_untrusting": vault_server_ca_untrusting,
        }
