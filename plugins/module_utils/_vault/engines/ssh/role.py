# Copyright: Contributors to the secretops.vault_eso project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# Private to this collection: what is here may change at any time. Other collections must not import it.
"""Roles of SSH mounts. Source: /api-docs/secret/ssh."""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Mapping, Sequence
from functools import partial
from typing import Any

from ...._engine import normalise
from ...._engine.errors import InvalidInput
from ...._engine.field import Field, duration_names, normalisers, sent_names
from ...._engine.resource import Change, check_completed
from ...base import purge
from ...base.declaring import View
from ...base.inside_mount import InsideMount
from ...base.kind import MOUNTS, PURGE, Kind, RunContext
from ...base.listing import Found, Listing
from ...base.mounts import EngineMounts
from ...base.normalisers import default
from ...base.schema import check_kept
from ...connection.client import Client


def lengths(value: Any) -> dict[str, list[Any]]:
    """Return the allowed lengths by key type: one length, or several in any order."""
    return {
        str(name): sorted({normalise.scalar(one) for one in (item if isinstance(item, (list, tuple)) else [item])})
        for name, item in (value or {}).items()
    }


def listed(value: Any) -> list[str]:
    """Return a list that the server stores as a comma separated text: an entry with a comma counts as several."""
    return normalise.string_set(",".join(normalise.strings(value)))


def port(value: Any) -> Any:
    """Return a port; missing means the server's default."""
    return normalise.integer(value) or 22


FIELDS: Sequence[Field] = (
    Field(
        "mount",
        (
            "Path at which the SSH engine is mounted. For an entry of O(roles) by default the module's O(mount), and "
            "V(ssh) without either."
        ),
        sent=False,
    ),
    Field("name", "Name of the role.", sent=False),
    Field(
        "key_type",
        "V(ca) to sign keys, V(otp) to hand out one-time passwords. A new role needs it.",
        choices=("ca", "otp"),
    ),
    Field("default_user", "User of a credential when the request names none; O(key_type=otp) needs it."),
    Field("default_user_template", "Whether O(default_user) is an identity template.", type="bool"),
    Field(
        "allowed_users",
        "Users that credentials may be issued for; V(*) for every user.",
        type="list",
        elements="str",
        normaliser=listed,
    ),
    Field("allowed_users_template", "Whether O(allowed_users) holds identity templates.", type="bool"),
    Field(
        "allowed_domains",
        "Domains that host certificates may be issued for.",
        type="list",
        elements="str",
        normaliser=listed,
    ),
    Field("allowed_domains_template", "Whether O(allowed_domains) holds identity templates.", type="bool"),
    Field("allow_bare_domains", "Whether the domains themselves are allowed.", type="bool"),
    Field("allow_subdomains", "Whether names below the domains are allowed.", type="bool"),
    Field("allow_user_certificates", "Whether keys of users are signed.", type="bool"),
    Field("allow_host_certificates", "Whether keys of hosts are signed.", type="bool"),
    Field("allow_user_key_ids", "Whether clients may choose the certificate's key ID.", type="bool"),
    Field("allow_empty_principals", "Whether certificates without principals are allowed (OpenBao).", type="bool"),
    Field(
        "allowed_critical_options",
        "Critical options that clients may request; an empty list allows all.",
        type="list",
        elements="str",
        normaliser=listed,
    ),
    Field(
        "default_critical_options",
        "Critical options of certificates when the request names none.",
        type="dict",
        normaliser=normalise.string_map,
    ),
    Field(
        "allowed_extensions",
        "Extensions that clients may request; V(*) for all.",
        type="list",
        elements="str",
        normaliser=listed,
    ),
    Field(
        "default_extensions",
        "Extensions of certificates when the request names none, such as C(permit-pty) with an empty text.",
        type="dict",
        normaliser=normalise.string_map,
    ),
    Field(
        "default_extensions_template",
        "Whether the values of O(default_extensions) are identity templates.",
        type="bool",
    ),
    Field(
        "allowed_user_key_lengths",
        "Key types that are signed, each with the required length in bits, or a list of lengths.",
        type="dict",
        normaliser=lengths,
    ),
    Field(
        "algorithm_signer",
        "Signature algorithm, for a CA with an RSA key.",
        choices=("default", "ssh-rsa", "rsa-sha2-256", "rsa-sha2-512"),
        normaliser=default("default"),
    ),
    Field("issuer_ref", "Name or ID of the issuer that signs (OpenBao).", normaliser=default("default")),
    Field(
        "key_id_format",
        "Format of the certificate's key ID. Tag it C(!unsafe), or Ansible evaluates the braces itself.",
    ),
    Field(
        "ttl",
        "Default TTL of certificates, a duration; V(0) for the mount's default.",
        normaliser=normalise.duration,
    ),
    Field(
        "max_ttl",
        "Maximum TTL of certificates, a duration; V(0) for the mount's limit.",
        normaliser=normalise.duration,
    ),
    Field("not_before_duration", "How far certificates are backdated, a duration.", normaliser=normalise.duration),
    Field("cidr_list", "Networks of the hosts that one-time passwords may be issued for.", type="list", elements="str"),
    Field("exclude_cidr_list", "Networks in O(cidr_list) that are excluded.", type="list", elements="str"),
    Field("port", "SSH port, returned with a one-time password.", type="int", normaliser=port),
)


NAMES = sent_names(FIELDS)
#: stored by the server as a comma separated text
LISTS = tuple(field.name for field in FIELDS if field.type == "list")
MAPS = tuple(field.name for field in FIELDS if field.normaliser is normalise.string_map)
NETWORKS = ("cidr_list", "exclude_cidr_list")
TIMES = duration_names(FIELDS)
#: fields of both types
SHARED = ("key_type", "default_user", "allowed_users")
#: fields of roles for one-time passwords
OF_OTP = (*NETWORKS, "port")


class Role(InsideMount):
    """One role, for signed keys or one-time passwords. Named ``<mount>/<name>``."""

    kind = "SSH role"
    engine = "ssh"
    folder = "roles"
    rank = 20
    fields = normalisers(FIELDS)

    def __init__(self, mounts: EngineMounts, item: Mapping[str, Any]) -> None:
        desired = {name: item.get(name) for name in NAMES} if item["state"] == "present" else None
        super().__init__(mounts, item, desired)

    def check_own(self) -> None:
        if not re.fullmatch(r"\w(?:[\w.@-]*\w)?", self.own, re.ASCII):
            raise InvalidInput(
                "the name is empty or holds characters that the server refuses",
                remedy="use letters, digits, - _ . and @",
            )

    def check(self) -> None:
        super().check()
        desired = self.desired or {}
        for name, sizes in lengths(desired.get("allowed_user_key_lengths")).items():
            if not all(re.fullmatch(r"\d+", size) for size in sizes):
                raise InvalidInput(
                    'allowed_user_key_lengths: "%s" has no length' % name, remedy="give a number of bits, or a list"
                )
        for name in TIMES:
            normalise.whole_seconds(desired.get(name))
        usual, longest = (normalise.seconds(desired.get(name)) for name in ("ttl", "max_ttl"))
        if usual and longest and usual > longest:
            raise InvalidInput("ttl is longer than max_ttl", remedy="correct one of the two")
        for name in NETWORKS:
            for text in normalise.strings(desired.get(name)):
                try:
                    ipaddress.ip_network(text, strict=False)
                except ValueError:
                    raise InvalidInput(
                        '%s: "%s" is not a network' % (name, text), remedy="write it as 10.0.0.0/8"
                    ) from None
                if "/" not in text:
                    raise InvalidInput('%s: "%s" is not a network' % (name, text), remedy='write "%s/32"' % text)

    def preflight(self) -> None:
        if self.desired is not None:
            check_completed(self._check_whole, self.desired, self.current)

    def resolve(self, current: Mapping[str, Any] | None) -> Mapping[str, Any]:
        desired = super().resolve(current)
        self._check_whole({**(current or {}), **desired})
        return desired

    def _check_whole(self, after: Mapping[str, Any]) -> None:
        """Validate the declaration merged with the current role. Raises InvalidInput."""
        kind = after.get("key_type")
        if not kind:
            raise InvalidInput('"key_type" is missing', remedy="give ca to sign keys, or otp for one-time passwords")
        for name in self.desired or {}:
            if name not in SHARED and (name in OF_OTP) != (kind == "otp"):
                raise InvalidInput('a role of type %s has no "%s"' % (kind, name), remedy="remove it")
        if kind == "otp" and not after.get("default_user"):
            raise InvalidInput('"default_user" is missing', remedy="name the user that passwords are for")
        if kind == "ca" and not (after.get("allow_user_certificates") or after.get("allow_host_certificates")):
            raise InvalidInput(
                "it allows neither certificates of users nor of hosts",
                remedy='set "allow_user_certificates" or "allow_host_certificates"',
            )
        usual, longest = (normalise.duration(after.get(name)) for name in ("ttl", "max_ttl"))
        if usual and longest and usual > longest:
            raise InvalidInput(
                "ttl is longer than max_ttl, with what the server has for the other", remedy="correct one of the two"
            )

    def write(self, change: Change) -> None:
        self.need_mount()
        desired = change.desired
        # a write replaces the role, so undeclared current fields are sent along, unless only the old type has them
        current = change.current or {}
        names = SHARED if "key_type" in change.fields else tuple(current)
        kept = {name: current[name] for name in names if current.get(name) is not None}
        body = {**kept, **desired}
        for name in LISTS:
            if isinstance(body.get(name), (list, tuple)):
                body[name] = ",".join(normalise.strings(body[name]))
        for name in MAPS:
            if name in body:
                # "permit-pty:" in YAML is null, which the server would drop
                body[name] = normalise.string_map(body[name])
        for name in TIMES:
            if name in body:
                body[name] = "%ss" % normalise.seconds(body[name])
        self.client.write(self.path, body)
        change.touched = True
        # a product without issuers drops this silently
        check_kept(self.client, self.path, {"issuer_ref", "allow_empty_principals"} & set(desired), self.kind)


class SshRoles(Kind):
    """Roles of SSH mounts."""

    about = "Roles of SSH engines"
    tag = "ssh"
    module = "vault_ssh_role"
    plural = "roles"
    fields = FIELDS
    options = {**PURGE, **MOUNTS}
    within = ("secrets_engines", "ssh")
    listings = (Listing("{mount}/roles", engine="ssh"),)

    exported_always = ("key_type",)

    def declaration(self, one: Found, view: View) -> dict[str, Any] | None:
        item = super().declaration(one, view) or {}
        otp = item.get("key_type") == "otp"
        names = ("mount", "name", *SHARED)
        return {name: value for name, value in item.items() if name in names or (name in OF_OTP) == otp}

    def resources(self, client: Client, items: Sequence[Mapping[str, Any]], context: RunContext) -> list[Any]:
        mounts = EngineMounts(client)
        return purge.all_inside(context, mounts, items, Role, partial(Role, mounts))
