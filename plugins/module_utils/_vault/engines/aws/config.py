# Copyright: Contributors to the secretops.vault_eso project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# Private to this collection: what is here may change at any time. Other collections must not import it.
"""Root credentials and leases of AWS mounts.

Source: /api-docs/secret/aws (config/root, config/lease).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from ...._engine import normalise
from ...._engine.errors import InvalidInput
from ...._engine.field import Field, normalisers, secret_names, sent_names, write_only_names
from ...._engine.resource import Change, check_completed
from ...base.declaring import View
from ...base.kind import Kind, RunContext
from ...base.listing import Found, Listing
from ...base.mounts import EngineMounts
from ...connection.client import Client
from .in_mount import InAwsMount

ROOT = (
    Field(
        "access_key",
        "ID of the engine's access key. Without one it uses the credentials of its machine.",
    ),
    Field(
        "secret_key",
        (
            "The secret of O(access_key). The server never returns it; it is sent along when O(access_key) changes, "
            "else by O(update_secrets)."
        ),
        secret=True,
        write_only=True,
    ),
    Field("region", "AWS region."),
    Field("iam_endpoint", "Address of IAM, when it is not AWS's own."),
    Field("sts_endpoint", "Address of STS, when it is not AWS's own."),
    Field("sts_region", "Region of O(sts_endpoint)."),
    Field(
        "max_retries",
        "How often a failed request to AWS is repeated; V(-1) is AWS's own default.",
        type="int",
    ),
    Field(
        "username_template",
        "Template of the names of IAM users. Tag it C(!unsafe), or Ansible evaluates the braces itself.",
        normaliser=normalise.text,
    ),
    Field(
        "role_arn",
        "Role that is assumed by workload identity federation, instead of O(access_key) (HashiCorp Vault Enterprise).",
    ),
    Field("identity_token_audience", "Audience of the tokens for that."),
    Field("identity_token_ttl", "TTL of these tokens, a duration.", normaliser=normalise.duration),
)
LEASE = (
    Field(
        "lease",
        "Initial TTL of the credentials of IAM users, a duration. The server requires O(lease_max) as well.",
        normaliser=normalise.duration,
    ),
    Field(
        "lease_max",
        "Maximum TTL of the credentials of IAM users, a duration.",
        normaliser=normalise.duration,
    ),
)
FIELDS = (Field("mount", "Path of the secrets engine.", sent=False), *ROOT, *LEASE)
ROOT_NAMES, LEASE_NAMES = sent_names(ROOT), sent_names(LEASE)


class Config(InAwsMount):
    """Root credentials (``config/root``) and leases (``config/lease``) of one mount."""

    kind = "AWS configuration"
    folder = "config"
    rank = 10
    fields = normalisers(FIELDS)
    secret_fields = secret_names(FIELDS)
    write_only_fields = write_only_names(FIELDS)

    def __init__(self, mounts: EngineMounts, item: Mapping[str, Any]) -> None:
        super().__init__(mounts, item, {name: item.get(name) for name in self.fields})

    def check(self) -> None:
        super().check()
        if self.item["state"] == "absent":
            raise InvalidInput(
                "a configuration cannot be removed by itself", remedy="remove the engine (module vault_secrets_engine)"
            )
        desired = self.desired or {}
        if desired.get("role_arn") and desired.get("access_key"):
            raise InvalidInput('"role_arn" and "access_key" contradict each other', remedy="give one of the two")
        if desired.get("secret_key") and not desired.get("access_key"):
            raise InvalidInput('"secret_key" without its "access_key"', remedy="give both")
        usual, longest = (normalise.seconds(desired.get(name)) for name in LEASE_NAMES)
        if usual and longest and usual > longest:
            raise InvalidInput("lease is longer than lease_max", remedy="correct one of the two")

    def preflight(self) -> None:
        super().preflight()
        check_completed(self._check_lease, self.desired or {}, self._lease)

    def _lease(self) -> dict[str, Any]:
        return (self.client.read("%s/lease" % self.path) if self.find() else None) or {}

    @staticmethod
    def _check_lease(after: Mapping[str, Any]) -> None:
        if len(set(LEASE_NAMES) & set(after)) == 1:
            raise InvalidInput('"lease" and "lease_max" go together', remedy="give both")

    def read(self) -> Mapping[str, Any] | None:
        if not self.find():
            return None
        root = self.client.read("%s/root" % self.path) or {}
        lease = self._lease() if set(self.desired or {}) & set(LEASE_NAMES) else {}
        return {**root, **lease} or None

    def resolve(self, current: Mapping[str, Any] | None) -> Mapping[str, Any]:
        desired = self.desired or {}
        self._check_lease({**(current or {}), **desired})
        return desired

    def compare(self, current: Mapping[str, Any], desired: Mapping[str, Any]) -> list[str]:
        names = set(super().compare(current, desired))
        if "secret_key" in desired and ("access_key" in names or not set(ROOT_NAMES) & set(current)):
            # the secret is sent with its key
            names.add("secret_key")
        return sorted(names)

    def write(self, change: Change) -> None:
        self.need_mount()
        desired = change.desired
        # the server keeps fields that are left out
        names = set(desired) if change.current is None else set(change.fields)
        root = {name: desired[name] for name in ROOT_NAMES if name in names}
        if root:
            self.client.write("%s/root" % self.path, root)
            change.touched = True
        if names & set(LEASE_NAMES):
            both = {**(change.current or {}), **desired}
            # the server requires both, with a unit
            body = {name: "%ss" % normalise.seconds(both[name]) for name in LEASE_NAMES}
            self.client.write("%s/lease" % self.path, body)
            change.touched = True

    def delete(self, change: Change) -> None:
        raise NotImplementedError


class AwsConfigs(Kind):
    """Root credentials and leases of AWS mounts."""

    about = "Root credentials and leases of AWS engines"
    tag = "aws"
    module = "vault_aws_config"
    plural = "configs"
    fields = FIELDS
    required = ("mount",)
    update_secrets = True
    listings = (Listing("{mount}/config/root", "one", engine="aws"),)

    def declaration(self, one: Found, view: View) -> dict[str, Any] | None:
        lease = view.client.read("%s/config/lease" % one.mount) or {}
        one.told = {**(one.told or {}), **lease}
        item = super().declaration(one, view)
        if item is not None and item.get("access_key"):
            item["secret_key"] = view.fill(one, "secret_key")
        return item

    def resources(self, client: Client, items: Sequence[Mapping[str, Any]], context: RunContext) -> list[Any]:
        mounts = EngineMounts(client)
        return [Config(mounts, item) for item in items]
