# Copyright: Contributors to the secretops.vault_eso project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# Private to this collection: what is here may change at any time. Other collections must not import it.
"""Roles of AWS mounts: the AWS credentials that clients get. Source: /api-docs/secret/aws (roles)."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from functools import partial
from typing import Any

from ...._engine import normalise
from ...._engine.errors import InvalidInput
from ...._engine.field import Field, normalisers
from ...._engine.resource import Change, check_completed
from ...base import purge
from ...base.kind import MOUNTS, PURGE, Kind, RunContext
from ...base.listing import Listing
from ...base.mounts import EngineMounts
from ...base.normalisers import default
from ...connection.client import Client
from .in_mount import InAwsMount

#: by credential type: fields of which one is required, and fields that it does not have
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
FIELDS = (
    Field(
        "mount",
        (
            "Path of the secrets engine; by default V(aws).",
            "Next to O(roles), the mount of entries without one of their own.",
        ),
        sent=False,
    ),
    Field("name", "Name of the role.", sent=False),
    Field(
        "credential_type",
        "Type of the credentials. Cannot be changed later. Needed unless the role is to be absent.",
        choices=tuple(sorted(TYPES)),
    ),
    Field(
        "policy_arns",
        "ARNs of the policies of the users or sessions, all of them.",
        type="list",
        elements="str",
    ),
    Field(
        "policy_document",
        "Policy of the users or sessions, as JSON text or as data.",
        type="raw",
        normaliser=normalise.as_json,
    ),
    Field(
        "iam_groups",
        "IAM groups of the users, or whose policies a session has, all of them.",
        type="list",
        elements="str",
    ),
    Field("iam_tags", "Tags of the users, all of them.", type="dict", normaliser=normalise.string_map),
    Field(
        "role_arns",
        "For V(assumed_role), ARNs of the roles that can be assumed, all of them.",
        type="list",
        elements="str",
    ),
    Field(
        "session_tags",
        "For V(assumed_role), tags of the sessions, all of them.",
        type="dict",
        normaliser=normalise.string_map,
    ),
    Field("external_id", "For V(assumed_role), the external id that the role asks for."),
    Field(
        "default_sts_ttl",
        "Default TTL of sessions, a duration.",
        normaliser=normalise.duration,
    ),
    Field("max_sts_ttl", "Maximum TTL of sessions, a duration.", normaliser=normalise.duration),
    Field(
        "user_path",
        "For V(iam_user), path of the users; the server's default is V(/).",
        normaliser=default("/"),
    ),
    Field("permissions_boundary_arn", "For V(iam_user), ARN of the users' permissions boundary."),
    Field("mfa_serial_number", "For V(session_token), number or ARN of the MFA device."),
)


class Role(InAwsMount):
    """One role: the AWS credentials that clients get."""

    kind = "AWS role"
    folder = "roles"
    rank = 20
    fields = normalisers(FIELDS)

    def __init__(self, mounts: EngineMounts, item: Mapping[str, Any]) -> None:
        desired = None if item["state"] == "absent" else {name: item.get(name) for name in self.fields}
        if desired and isinstance(desired["policy_document"], (dict, list)):
            desired["policy_document"] = json.dumps(desired["policy_document"])
        super().__init__(mounts, item, desired)

    def check_own(self) -> None:
        if not re.fullmatch(r"\w(?:[\w.@-]*\w)?", self.own, re.ASCII):
            raise InvalidInput(
                "the name is empty or holds what a path cannot hold", remedy="use letters, digits, - _ ."
            )

    def check(self) -> None:
        super().check()
        if self.desired is None:
            return
        usual, longest = (normalise.seconds(self.desired.get(name)) for name in TIMES)
        if usual and longest and usual > longest:
            raise InvalidInput("default_sts_ttl is longer than max_sts_ttl", remedy="correct one of the two")
        document = self.desired.get("policy_document")
        if document and not isinstance(normalise.as_json(document), dict):
            raise InvalidInput('"policy_document" is not a JSON document', remedy="give it as JSON text or as data")
        wanted = self.desired.get("credential_type")
        if not wanted:
            raise InvalidInput('"credential_type" is missing', remedy="use one of %s" % ", ".join(TYPES))
        for name in TYPES[wanted][1]:
            if self.desired.get(name):
                raise InvalidInput('a role of type %s has no "%s"' % (wanted, name), remedy="remove it")

    def preflight(self) -> None:
        super().preflight()
        if self.desired is not None:
            check_completed(self._check_rights, self.desired, self.current)

    def _check_rights(self, after: Mapping[str, Any]) -> None:
        wanted = after["credential_type"]
        needed = TYPES[wanted][0]
        if needed and not any(after.get(name) for name in needed):
            raise InvalidInput(
                "a role of type %s without %s gives nobody any right" % (wanted, " or ".join(needed)),
                remedy="give one" if len(needed) > 1 else "give it",
            )

    def resolve(self, current: Mapping[str, Any] | None) -> Mapping[str, Any]:
        desired = self.desired or {}
        wanted = desired["credential_type"]
        if current is not None and current.get("credential_type") != wanted:
            raise InvalidInput(
                "it gives credentials of type %s, and %s is declared" % (current.get("credential_type"), wanted),
                remedy='use another name, or delete the role first with "state: absent"',
            )
        self._check_rights({**(current or {}), **desired})
        return desired

    def write(self, change: Change) -> None:
        self.need_mount()
        desired = change.desired
        # the server keeps fields that are left out, but always requires the type
        names = {"credential_type"} | (set(desired) if change.current is None else set(change.fields))
        body = {name: desired[name] for name in names}
        body.update({name: "%ss" % normalise.seconds(body[name]) for name in TIMES if name in body})
        self.client.write(self.path, body)


class AwsRoles(Kind):
    """Roles of AWS mounts."""

    about = "Roles of AWS engines"
    tag = "aws"
    module = "vault_aws_role"
    plural = "roles"
    fields = FIELDS
    options = {**PURGE, **MOUNTS}
    within = ("secrets_engines", "aws")
    listings = (Listing("{mount}/roles", engine="aws"),)
    exported_always = ("credential_type",)

    def resources(self, client: Client, items: Sequence[Mapping[str, Any]], context: RunContext) -> list[Any]:
        mounts = EngineMounts(client)
        return purge.all_inside(context, mounts, items, Role, partial(Role, mounts))
