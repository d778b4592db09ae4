# Copyright: Contributors to the secretops.vault_eso project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# Private to this collection: what is here may change at any time. Other collections must not import it.
"""The current state of a CA: which issuer and which key of its mount are the declared ones, and their settings."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ...._engine.errors import InvalidInput
from ...base.mounts import EngineMounts
from .ca_fields import GROUPS, ISSUER_SETTINGS, PLACES
from .ca_issuing import CaIssuing
from .x509 import blocks


class CaReading(CaIssuing):
    """The reads of a CA."""

    def __init__(self, mounts: EngineMounts, item: Mapping[str, Any], desired: Mapping[str, Any] | None) -> None:
        self.intermediate = item.get("type") == "intermediate"
        self.signed = blocks(item.get("certificate"))
        #: all issuers of the mount, from its list; and its settings by group and name
        self.listed: dict[str, dict[str, Any]] = {}
        self.groups: dict[str, Any] = {}
        #: further issuers of the mount by their reference
        self.others: dict[str, dict[str, Any]] = {str(one["ref"]): {} for one in item.get("issuers") or []}
        super().__init__(mounts, item, desired)

    def _choose_issuer(self, issuers: Mapping[str, Mapping[str, Any]]) -> str:
        """Return the ID of the declared issuer, '' when it does not exist."""
        # an intermediate's mount also holds the certificates of its issuers, without keys; old servers do not list keys
        own = {name: entry for name, entry in issuers.items() if entry.get("key_id", "unknown")}
        if not own and not self.intermediate:
            own = dict(issuers)
        if self.signed:
            # only an issuer with this certificate matches
            return next(
                (name for name in issuers if blocks(self.read_issuer(name).get("certificate"))[:1] == self.signed[:1]),
                "",
            )
        wanted = self.declared.get("issuer_name")
        for name, entry in own.items():
            if wanted and wanted in (entry.get("issuer_name"), name):
                return name
        if wanted and own and self.item.get("new_issuer"):
            return ""
        if wanted and len(own) > 1:
            raise InvalidInput(
                'none of the %d issuers is called "%s"' % (len(own), wanted),
                remedy='correct the name, give one of them this name, or set "new_issuer: true" for one more',
            )
        return next((name for name, entry in own.items() if entry.get("is_default")), next(iter(own), ""))

    def _choose_key(self, issuers: Mapping[str, Mapping[str, Any]]) -> str:
        """Return the ID of the key that waits for its certificate, '' without one."""
        keys = self.listing("keys")
        wanted = self.declared.get("key_name")
        for name, entry in keys.items():
            if wanted and entry.get("key_name") == wanted:
                return name
        # in a mount with older issuers, the one key without an issuer; the certificate may be a renewed one
        used = {entry.get("key_id") for entry in issuers.values()}
        waiting = [name for name in keys if name not in used]
        if not waiting and (self.signed or not self.item.get("new_issuer")):
            waiting = list(keys)
        return waiting[0] if len(waiting) == 1 and not wanted else ""

    def _read_groups(self, *groups: str) -> dict[str, Any]:
        """Return the mount's settings of these groups, as far as some are declared."""
        found: dict[str, Any] = {}
        for group in groups if self.find() else ():
            if any(name.startswith(group + ".") for name in self.declared):
                answer = self.client.read("%s/config/%s" % (self.mount, PLACES.get(group, group))) or {}
                found.update({"%s.%s" % (group, name): value for name, value in answer.items()})
        return found

    def read(self) -> Mapping[str, Any] | None:
        if not self.find():
            return None
        self.listed = self.listing("issuers")
        if self.desired is None:
            if self.listed:
                return {"issuers": sorted(self.listed)}
            # a key that waits for its certificate
            waiting = sorted(self.listing("keys"))
            return {"key_ids": waiting} if waiting else None
        chosen = self._choose_issuer(self.listed)
        self.groups = self._read_groups(*GROUPS)
        current = dict(self.groups)
        if chosen:
            self.issuer = self.read_issuer(chosen)
            self.tell_issuer()
            current["certificate"] = (blocks(self.issuer.get("certificate")) or [""])[0]
            current["issuer_name"] = self.issuer.get("issuer_name") or ""
        elif self.intermediate:
            self.key_ref = self._choose_key(self.listed)
            if self.key_ref:
                self.request_existing()
        if not chosen and not self.csr:
            return None
        default = next((name for name, entry in self.listed.items() if entry.get("is_default")), "")
        current["default_issuer"] = self.listed.get(default, {}).get("issuer_name") or default
        if self.desired.get("default_issuer") == default:
            current["default_issuer"] = default
        if chosen:
            current.update(self._settings_of("issuer", self.issuer))
        for ref in self.others:
            self.others[ref] = self._find_other(ref)
            current.update(self._settings_of("issuers.%s" % ref, self.others[ref]))
        return current

    def _called(self) -> dict[str, str]:
        """Return the names of the issuers by ID: chains refer to them by name."""
        names = {key: str(entry.get("issuer_name") or key) for key, entry in self.listed.items()}
        own, called = str(self.issuer.get("issuer_id") or ""), self.declared.get("issuer_name")
        if own in names and called:
            # it will have this name when a chain is written
            names[own] = called
        return names

    def _settings_of(self, prefix: str, found: Mapping[str, Any]) -> dict[str, Any]:
        """Return the settings of an issuer from the server's answer."""
        names = self._called()
        current = {"%s.%s" % (prefix, name): found.get(name) for name in (*ISSUER_SETTINGS, "issuer_name")}
        chain = prefix + ".manual_chain"
        current[chain] = [names.get(key, key) for key in current[chain] or []]
        return current

    def _find_other(self, ref: str) -> dict[str, Any]:
        """Return one of the further issuers by its current or its desired name. Raises InvalidInput."""
        for wanted in (ref, self.declared.get("issuers.%s.issuer_name" % ref)):
            for key, entry in self.listed.items():
                if wanted and wanted in (key, entry.get("issuer_name")):
                    return self.read_issuer(key)
        raise InvalidInput(
            'there is no issuer "%s"' % ref, remedy='correct "issuers"; the names and ids are those of the mount'
        )
