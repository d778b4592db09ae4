# Copyright: Contributors to the secretops.vault_eso project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# Private to this collection: what is here may change at any time. Other collections must not import it.
"""ACME of PKI mounts. Source: /api-docs/secret/pki#acme-certificate-issuance."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any

from ...._engine import normalise, wording
from ...._engine.errors import InvalidInput
from ...._engine.field import Field, normalisers
from ...._engine.resource import Change
from ...base.kind import Kind, RunContext
from ...base.listing import Listing
from ...base.mounts import EngineMounts
from ...base.schema import Place
from ...connection.client import Client
from ...connection.errors import BadRequest, VaultError
from .in_mount import InPkiMount

#: response headers that every ACME client needs
ANSWERS = ("Last-Modified", "Location", "Replay-Nonce", "Link")


FIELDS: Sequence[Field] = (
    Field("mount", "Path at which the PKI engine is mounted.", sent=False),
    Field("enabled", "Whether ACME is enabled.", type="bool"),
    Field(
        "default_directory_policy",
        "Policy of the directory without a role, V(forbid), V(sign-verbatim) or V(role:<name>).",
    ),
    Field("allowed_roles", "Roles that ACME may use, V(*) for all. They must exist.", type="list", elements="str"),
    Field("allowed_issuers", "Issuers that ACME may use, V(*) for all. They must exist.", type="list", elements="str"),
    Field(
        "allow_role_ext_key_usage",
        "Whether the extended key usages of roles apply, rather than only that of servers.",
        type="bool",
    ),
    Field(
        "eab_policy",
        "Whether clients need an external account binding.",
        choices=("not-required", "new-account-required", "always-required"),
    ),
    Field("dns_resolver", "DNS resolver for challenges, as V(host:port); empty for the system's own."),
)


class Acme(InPkiMount):
    """The ACME configuration of one PKI mount; named by its mount."""

    kind = "ACME configuration"
    folder = "config/acme"
    fields = normalisers(FIELDS)

    def __init__(self, mounts: EngineMounts, item: Mapping[str, Any], context: RunContext) -> None:
        self.context = context
        desired = {name: item.get(name) for name in self.fields} if item["state"] == "present" else None
        super().__init__(mounts, item, desired)

    def check(self) -> None:
        super().check()
        if self.desired is None:
            raise InvalidInput("a configuration cannot be removed by itself", remedy='set "enabled: false"')
        policy = self.desired.get("default_directory_policy")
        if policy is not None and not re.fullmatch(r"forbid|sign-verbatim|external-policy|role:\S+", policy):
            raise InvalidInput(
                'default_directory_policy: there is no "%s"' % policy,
                remedy='use "forbid", "sign-verbatim" or "role:<name>"',
            )
        resolver = self.desired.get("dns_resolver")
        if resolver and not re.fullmatch(r"\S+:\d+", resolver):
            raise InvalidInput('dns_resolver: "%s" has no port' % resolver, remedy="write 10.0.0.53:53")

    def preflight(self) -> None:
        warning = self.mounts.fields.check_inside(
            Place(self.mount, "pki", self.folder), self.desired or {}, "the %s" % self.kind
        )
        if warning:
            self.warnings.append(warning)

    def read(self) -> Mapping[str, Any] | None:
        found = self.current()
        return None if found is None else {name: found.get(name) for name in self.fields}

    def resolve(self, current: Mapping[str, Any] | None) -> Mapping[str, Any]:
        desired = super().resolve(current)
        entry = self.mounts.require(self.mount, self.engine)
        if entry is not None and desired.get("enabled"):
            self._warn_of_headers(entry)
        return desired

    def _warn_of_headers(self, entry: Mapping[str, Any]) -> None:
        tuned = {**(entry.get("config") or {}), **self.context.tune(self.mount)}
        headers = {name.lower() for name in normalise.strings(tuned.get("allowed_response_headers"))}
        missing = [name for name in ANSWERS if name.lower() not in headers]
        if missing:
            self.warnings.append(
                'no ACME client will get a certificate: tune the mount (module vault_secrets_engine) with "%s" in '
                '"allowed_response_headers"' % '", "'.join(missing)
            )

    def write(self, change: Change) -> None:
        self.need_mount()
        try:
            self.client.write(self.path, self.whole_body(change))
        except VaultError as error:
            if not isinstance(error, BadRequest) and wording.mount_address_missing(error.said):
                error.remedy = 'give the mount its own address first (module vault_pki_ca, "path" of "cluster")'
            raise


class PkiAcme(Kind):
    """ACME of PKI mounts."""

    about = "ACME of PKI mounts"
    tag = "pki"
    module = "vault_pki_acme"
    plural = "configurations"
    fields = FIELDS
    required = ("mount",)
    within = ("secrets_engines", "pki")
    listings = (Listing("{mount}/config/acme", "one", engine="pki", optional=True),)

    # the default is another than the server's help says
    exported_always = ("eab_policy",)

    def resources(self, client: Client, items: Sequence[Mapping[str, Any]], context: RunContext) -> list[Any]:
        mounts = EngineMounts(client)
        return [Acme(mounts, item, context) for item in items]
