# Copyright: Contributors to the secretops.vault_eso project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# Private to this collection: what is here may change at any time. Other collections must not import it.
"""The AWS secrets engine: how it reaches AWS, how long its leases live, and its roles. Source: /api-docs/secret/aws."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from ..._engine import normalise
from ..._engine.errors import InvalidInput
from ..._engine.reconcile import Change, Resource, check_completed
from ..base.kind import Given
from ..base.listing import mark_absent
from ..base.mounts import EngineMounts
from ..base.naming import check_mount
from ..base.normalisers import default
from ..connection.client import Client
from ..connection.errors import VaultError

LEASE = ("lease", "lease_max")
ROOT: dict[str, normalise.Normaliser] = {
    **dict.fromkeys(("access_key", "region", "iam_endpoint", "sts_endpoint", "sts_region"), normalise.scalar),
    **dict.fromkeys(("role_arn", "identity_token_audience"), normalise.scalar),
    "identity_token_ttl": normalise.duration,
    "max_retries": normalise.integer,
    "username_template": normalise.text,
}
#: which fields a type of credential has at least one of, and which it has not
TYPES: dict[str, tuple[tuple[str, ...], tuple[str, ...]]] = {
    "iam_user": (
        ("policy_arns", "policy_document", "iam_groups"),
        ("role_arns", "external_id", "session_tags", "mfa_serial_number", "default_sts_ttl", "max_sts_ttl"),
    ),
    "assumed_role": (("role_arns",), ("iam_tags", "user_path", "permissions_boundary_arn", "mfa_serial_number")),
    "federation_token": (
        ("policy_arns", "policy_document", "iam_groups"),
        (
            *("role_arns", "external_id", "session_tags", "iam_tags", "user_path"),
            *("permissions_boundary_arn", "mfa_serial_number"),
        ),
    ),
    "session_token": (
        (),
        (
            *("role_arns", "policy_arns", "policy_document", "iam_groups", "external_id", "session_tags", "iam_tags"),
            *("user_path", "permissions_boundary_arn"),
        ),
    ),
}
TIMES = ("default_sts_ttl", "max_sts_ttl")


class Engine:
    """What stands at the mounts, and whether the product has the engine at all."""

    def __init__(self, client: Client) -> None:
        self.client = client
        self.mounted = EngineMounts(client)

    def stands(self, mount: str) -> bool:
        """Tell whether the engine is mounted there. Raises InvalidInput where it cannot be."""
        if self.mounted.require(mount, "aws") is not None:
            return True
        if self.mounted.missing_plugin("aws"):
            try:
                product = self.mounted.server()
            except VaultError:
                product = "this server"
            raise InvalidInput(
                'the engine "aws" is not in the plugin catalogue of %s' % product,
                remedy='register it there as an external plugin and mount it at "%s", or use HashiCorp Vault, '
                "which has it built in" % mount,
            )
        return False


class Inside(Resource):
    """What both kinds have in common."""

    def __init__(self, engine: Engine, item: Mapping[str, Any], name: str, desired: Mapping[str, Any] | None) -> None:
        self.engine = engine
        self.client = engine.client
        self.item = item
        self.mount = normalise.path(item["mount"])
        super().__init__(name, desired)

    def check(self) -> None:
        check_mount(self.mount, 'write it like "aws"', "mount")
        for name, function in self.fields.items():
            if function is normalise.duration and name in (self.desired or {}):
                normalise.seconds((self.desired or {})[name])
        if self.desired is not None:
            try:
                self.engine.stands(self.mount)
            except VaultError:
                # what the server does not let the token see is for `read` to say
                return

    def need_mount(self) -> None:
        """Refuse to write where nothing is mounted. Raises InvalidInput."""
        if not self.engine.stands(self.mount):
            raise InvalidInput(
                "nothing is mounted there",
                'mount "%s"' % self.mount,
                "mount an AWS engine first (module vault_secrets_engine)",
            )


class Config(Inside):
    """How one mount reaches AWS (``config/root``), and how long its leases live (``config/lease``)."""

    kind = "AWS configuration"
    rank = 10
    fields = {**ROOT, **dict.fromkeys(LEASE, normalise.duration)}
    secret_fields = frozenset(("secret_key",))
    write_only_fields = frozenset(("secret_key",))

    def __init__(self, engine: Engine, item: Mapping[str, Any]) -> None:
        desired = {name: item.get(name) for name in (*ROOT, "secret_key", *LEASE)}
        self.known = False
        super().__init__(engine, item, normalise.path(item["mount"]), desired)

    def check(self) -> None:
        super().check()
        if self.item["state"] == "absent":
            raise InvalidInput(
                "a configuration cannot be removed by itself", remedy="remove the engine (module vault_secrets_engine)"
            )
        desired = self.desired or {}
        if desired.get("role_arn") and desired.get("access_key"):
            raise InvalidInput('"role_arn" and "access_key" contradict each other', remedy="give one of the two")
        if bool(desired.get("access_key")) != bool(desired.get("secret_key")) and desired.get("secret_key"):
            raise InvalidInput('"secret_key" without its "access_key"', remedy="give both")
        usual, longest = (normalise.seconds(desired.get(name)) for name in LEASE)
        if usual and longest and usual > longest:
            raise InvalidInput("lease is longer than lease_max", remedy="correct one of the two")
        check_completed(self._check_lease, desired, self._lease)

    def _lease(self) -> dict[str, Any]:
        return (self.client.read("%s/config/lease" % self.mount) if self.engine.stands(self.mount) else None) or {}

    @staticmethod
    def _check_lease(after: Mapping[str, Any]) -> None:
        if len(set(LEASE) & set(after)) == 1:
            raise InvalidInput('"lease" and "lease_max" go together', remedy="give both")

    def read(self) -> Mapping[str, Any] | None:
        if not self.engine.stands(self.mount):
            return None
        root = self.client.read("%s/config/root" % self.mount)
        self.known = root is not None
        desired = set(self.desired or {})
        lease = self._lease() if desired & set(LEASE) else {}
        self._check_lease({**lease, **(self.desired or {})})
        return {**(root or {}), **lease} or None

    def compare(self, current: Mapping[str, Any], desired: Mapping[str, Any]) -> list[str]:
        names = set(super().compare(current, desired))
        if "secret_key" in desired and ("access_key" in names or not self.known):
            # a secret goes with its key
            names.add("secret_key")
        return sorted(names)

    def write(self, change: Change) -> None:
        self.need_mount()
        desired = self.desired or {}
        # the server keeps what it is not told
        names = set(desired) if change.current is None else set(change.fields)
        root = {name: desired[name] for name in (*ROOT, "secret_key") if name in names}
        if root:
            self.client.write("%s/config/root" % self.mount, root)
            change.touched = True
        if names & set(LEASE):
            both = {**(change.current or {}), **desired}
            # it wants both, and its durations with a unit
            body = {name: "%ss" % normalise.seconds(both[name]) for name in LEASE}
            self.client.write("%s/config/lease" % self.mount, body)
            change.touched = True

    def delete(self, change: Change) -> None:
        raise NotImplementedError


class Role(Inside):
    """One role: which AWS credentials who asks is given. Named ``<mount>/<name>``."""

    kind = "AWS role"
    rank = 20
    fields = {
        "credential_type": normalise.scalar,
        "policy_document": normalise.as_json,
        **dict.fromkeys(("policy_arns", "role_arns", "iam_groups"), normalise.string_set),
        **dict.fromkeys(("iam_tags", "session_tags"), normalise.string_map),
        **dict.fromkeys(TIMES, normalise.duration),
        "user_path": default("/"),
        **dict.fromkeys(("permissions_boundary_arn", "external_id", "mfa_serial_number"), normalise.scalar),
    }

    def __init__(self, engine: Engine, item: Mapping[str, Any]) -> None:
        self.own = str(item["name"]).strip()
        self.absent = False
        desired = None if item["state"] == "absent" else {name: item.get(name) for name in self.fields}
        if desired and isinstance(desired["policy_document"], (dict, list)):
            desired["policy_document"] = json.dumps(desired["policy_document"])
        super().__init__(engine, item, "%s/%s" % (normalise.path(item["mount"]), self.own), desired)

    @property
    def path(self) -> str:
        """The API path."""
        return "%s/roles/%s" % (self.mount, self.own)

    def check(self) -> None:
        super().check()
        if not re.fullmatch(r"\w(?:[\w.@-]*\w)?", self.own, re.ASCII):
            raise InvalidInput(
                "the name is empty or holds what a path cannot hold", remedy="use letters, digits, - _ ."
            )
        if self.desired is None:
            return
        usual, longest = (normalise.seconds(self.desired.get(name)) for name in TIMES)
        if usual and longest and usual > longest:
            raise InvalidInput("default_sts_ttl is longer than max_sts_ttl", remedy="correct one of the two")
        document = self.desired.get("policy_document")
        if document and not isinstance(normalise.as_json(document), dict):
            raise InvalidInput('"policy_document" is no JSON document', remedy="give it as JSON text or as data")
        wanted = self.desired.get("credential_type")
        if not wanted:
            raise InvalidInput('"credential_type" is missing', remedy="use one of %s" % ", ".join(TYPES))
        for name in TYPES[wanted][1]:
            if self.desired.get(name):
                raise InvalidInput('a role of type %s has no "%s"' % (wanted, name), remedy="remove it")
        check_completed(self._check_rights, self.desired, self._current)

    def _check_rights(self, after: Mapping[str, Any]) -> None:
        wanted = after["credential_type"]
        needed = TYPES[wanted][0]
        if needed and not any(after.get(name) for name in needed):
            raise InvalidInput(
                "a role of type %s without %s gives nobody any right" % (wanted, " or ".join(needed)),
                remedy="give one" if len(needed) > 1 else "give it",
            )

    def _current(self) -> dict[str, Any] | None:
        return self.client.read(self.path) if self.engine.stands(self.mount) and not self.absent else None

    @classmethod
    def prepare(cls, resources: Sequence[Any]) -> None:
        client = resources[0].client
        mark_absent(client, (("%s/roles" % one.mount, one.own, one) for one in resources))

    def read(self) -> Mapping[str, Any] | None:
        current = self._current()
        if self.desired is None:
            return current
        wanted = self.desired["credential_type"]
        if current is not None and current.get("credential_type") != wanted:
            raise InvalidInput(
                "it gives credentials of type %s, and %s is declared" % (current.get("credential_type"), wanted),
                remedy='use another name, or delete the role first with "state: absent"',
            )
        self._check_rights({**(current or {}), **self.desired})
        return current

    def write(self, change: Change) -> None:
        self.need_mount()
        desired = self.desired or {}
        # the server keeps what it is not told, but it always wants to know the type
        names = {"credential_type"} | (set(desired) if change.current is None else set(change.fields))
        body = {name: desired[name] for name in names}
        body.update({name: "%ss" % normalise.seconds(body[name]) for name in TIMES if name in body})
        self.client.write(self.path, body)

    def delete(self, change: Change) -> None:
        self.client.delete(self.path)


def placed(items: Iterable[Mapping[str, Any]], mount: str | None) -> list[dict[str, Any]]:
    """Return items with their mount: their own, else the module's, else ``aws``."""
    return [{**item, "mount": item.get("mount") or mount or "aws"} for item in items]


def roles(client: Client, items: Iterable[Mapping[str, Any]], given: Given) -> list[Role]:
    """Return the resources of declared roles; with a purge also of the others in their mounts, to be deleted."""
    engine = Engine(client)
    resources = [Role(engine, item) for item in placed(items, given.params.get("mount"))]
    if given.purge:

        def existing(place: str) -> Iterable[str]:
            return client.list("%s/roles" % place) if engine.stands(place) else ()

        for place, name in given.undeclared(resources, given.places(resources, "aws"), existing):
            resources.append(Role(engine, {"mount": place, "name": name, "state": "absent"}))
    return resources
