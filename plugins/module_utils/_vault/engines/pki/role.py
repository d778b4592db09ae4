# Copyright: Contributors to the secretops.vault_eso project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# Private to this collection: what is here may change at any time. Other collections must not import it.
"""Roles of PKI mounts. Source: /api-docs/secret/pki (create/update role)."""

from __future__ import annotations

import json
import re
import threading
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from ...._engine import normalise, wording
from ...._engine.errors import InvalidInput
from ...._engine.reconcile import Change
from ...base.kind import MOUNTS, PURGE, Given, Kind
from ...base.listing import Listing, mark_absent
from ...base.mounts import EngineMounts
from ...base.naming import check_plain
from ...base.normalisers import default
from ...base.schema import Place
from ...connection.answers import data_of
from ...connection.client import Client
from ...connection.errors import PermissionDenied
from .in_mount import DEFAULT_BITS, SUBJECT, InPkiMount, check_key

DURATIONS = ("ttl", "max_ttl", "not_before_duration")


def usages(value: Any) -> list[str]:
    """Return key usages in one form: ``DigitalSignature``, ``KeyUsageDigitalSignature`` and other case are the same."""
    return sorted({re.sub(r"^(ext)?keyusage", "", name.lower()) for name in normalise.strings(value)})


#: what a certificate may be for, as `usages` spells it. Source: Go's x509.KeyUsage and x509.ExtKeyUsage
KEY_USAGE = (
    *("DigitalSignature", "ContentCommitment", "KeyEncipherment", "DataEncipherment", "KeyAgreement", "CertSign"),
    *("CRLSign", "EncipherOnly", "DecipherOnly"),
)
EXT_KEY_USAGE = (
    *("Any", "ServerAuth", "ClientAuth", "CodeSigning", "EmailProtection", "IPSECEndSystem", "IPSECTunnel"),
    *("IPSECUser", "TimeStamping", "OCSPSigning", "MicrosoftServerGatedCrypto", "NetscapeServerGatedCrypto"),
    *("MicrosoftCommercialCodeSigning", "MicrosoftKernelCodeSigning"),
)


def check_usages(option: str, value: Any, known: Sequence[str]) -> None:
    """Refuse a usage that the server would keep and never put into a certificate. Raises InvalidInput."""
    for name in normalise.strings(value):
        if not set(usages(name)) <= set(usages(list(known))):
            raise InvalidInput('%s: there is no "%s"' % (option, name), remedy="use %s" % ", ".join(known))


def policy_identifiers(value: Any) -> Any:
    """Return certificate policies for a comparison: OIDs, or JSON documents, given as texts, data or one text."""
    found = normalise.as_json(value) if isinstance(value, str) and value.strip()[:1] in ("[", "{") else value
    items = [found] if isinstance(found, Mapping) else found if isinstance(found, (list, tuple)) else None
    items = normalise.strings(value) if items is None else items
    parsed = (normalise.as_json(item) if str(item).strip()[:1] == "{" else item for item in items)
    return sorted(json.dumps(item, sort_keys=True) if isinstance(item, Mapping) else str(item) for item in parsed)


ROLE: dict[str, normalise.Normaliser] = {
    "policy_identifiers": policy_identifiers,
    **dict.fromkeys(("ttl", "max_ttl", "not_before_duration"), lambda value: normalise.seconds(value or 0)),
    "issuer_ref": default("default"),
    "key_bits": normalise.integer,
    # the size that 0 stands for; one product keeps that, the other 0
    "signature_bits": lambda value: normalise.integer(value) or 256,
    **dict.fromkeys(("key_usage", "ext_key_usage"), usages),
    **dict.fromkeys(
        (
            "allowed_domains",
            "allowed_uri_sans",
            "allowed_other_sans",
            "allowed_ip_sans_cidr",
            "ext_key_usage_oids",
            "cn_validations",
            "allowed_serial_numbers",
            "allowed_user_ids",
            *SUBJECT,
        ),
        normalise.string_set,
    ),
}
FLAGS = (
    "allow_localhost",
    "allow_bare_domains",
    "allow_subdomains",
    "allow_glob_domains",
    "allow_wildcard_certificates",
    "allow_any_name",
    "allow_ip_sans",
    "allowed_domains_template",
    "enforce_hostnames",
    "require_cn",
    "server_flag",
    "client_flag",
    "code_signing_flag",
    "email_protection_flag",
    "use_csr_common_name",
    "use_csr_sans",
    "no_store",
    "generate_lease",
    "basic_constraints_valid_for_non_ca",
)
TYPED = (
    "issuer_ref",
    "ttl",
    "max_ttl",
    "not_before_duration",
    "allowed_domains",
    "allowed_uri_sans",
    "allowed_other_sans",
    "key_type",
    "key_bits",
    "signature_bits",
    "key_usage",
    "ext_key_usage",
    *SUBJECT,
    *FLAGS,
)
ROLE.update(dict.fromkeys(FLAGS, normalise.boolean))


class Issuers:
    """Names and ids of the issuers of each mount, read once. In a rehearsal also those that the same tree declares."""

    def __init__(self, given: Given | None = None) -> None:
        self.given = given or Given({})
        self._lock = threading.Lock()
        self._known: dict[str, frozenset[str]] = {}

    def names(self, client: Client, mount: str) -> frozenset[str]:
        """Return how the issuers of a mount are referred to. Raises PermissionDenied."""
        with self._lock:
            if mount not in self._known:
                answer = client.request("LIST", "%s/issuers" % mount, missing_ok=True)
                info = (data_of(answer) if answer else {}).get("key_info") or {}
                names = {str(entry.get("issuer_name") or "") for entry in info.values()}
                names |= set(self.given.coming_in("pki_cas", mount, "pki", "issuer_name"))
                self._known[mount] = frozenset(names | set(info))
            return self._known[mount]


class Role(InPkiMount):
    """One role of a PKI mount."""

    kind = "PKI role"
    fields = ROLE

    def __init__(self, mounted: EngineMounts, item: Mapping[str, Any], issuers: Issuers | None = None) -> None:
        self.item = item
        self.issuers = issuers or Issuers()
        mount, role = normalise.path(item["mount"]), str(item["name"]).strip()
        self.role = role
        self.absent = False
        self.options = dict(item.get("options") or {})
        desired = None
        if item["state"] == "present":
            desired = {**self.options, **{name: item[name] for name in TYPED if item.get(name) is not None}}
        super().__init__(mounted, mount, "%s/%s" % (mount, role), desired)
        self.info.update(mount=mount, name=role)

    def check(self) -> None:
        super().check()
        check_plain(self.role)
        if self.desired is None:
            return
        twice = sorted(name for name in self.options if self.item.get(name) is not None)
        if twice:
            raise InvalidInput('"%s" is given twice' % twice[0], remedy='remove it from "options"')
        for name, value in self.desired.items():
            if name in self.fields:
                self.fields[name](value)
        check_key(self.desired.get("key_type"), normalise.integer(self.desired.get("key_bits")))
        for name in normalise.strings(self.desired.get("allowed_other_sans")) or (
            [""] if self.desired.get("allowed_other_sans") else []
        ):
            if name != "*" and not re.fullmatch(r"[^;]+;[^:]+:.*", name):
                raise InvalidInput(
                    'allowed_other_sans: "%s" is none' % name,
                    remedy="write <oid>;<type>:<value>, such as 1.3.6.1;UTF8:*",
                )
        check_usages("key_usage", self.desired.get("key_usage"), KEY_USAGE)
        check_usages("ext_key_usage", self.desired.get("ext_key_usage"), EXT_KEY_USAGE)
        if normalise.boolean(self.desired.get("no_store")) and normalise.boolean(self.desired.get("generate_lease")):
            raise InvalidInput(
                '"no_store" and "generate_lease" contradict each other',
                remedy="set one of the two: what is not stored has no lease",
            )
        for name in ("ttl", "max_ttl", "not_before_duration"):
            normalise.whole_seconds(self.desired.get(name))
        self._check_times(self.desired)
        doubt = self.mounted.fields.check_inside(
            Place(self.mount, "pki", "roles", self.role), self.options, "a %s" % self.kind
        )
        if doubt:
            self.warnings.append(doubt)

    @staticmethod
    def _check_times(after: Mapping[str, Any], more: str = "") -> None:
        usual, longest = (normalise.duration(after.get(name)) for name in ("ttl", "max_ttl"))
        if usual and longest and usual > longest:
            raise InvalidInput("ttl is longer than max_ttl" + more, remedy="correct one of the two")

    def _path(self) -> str:
        return "%s/roles/%s" % (self.mount, self.role)

    @classmethod
    def prepare(cls, resources: Sequence[Any]) -> None:
        client = resources[0].client
        mark_absent(client, (("%s/roles" % resource.mount, resource.role, resource) for resource in resources))

    def read(self) -> Mapping[str, Any] | None:
        current = self.client.read(self._path()) if self.find() and not self.absent else None
        if current is not None and {"ttl", "max_ttl"} & set(self.desired or {}):
            self._check_times({**current, **(self.desired or {})}, ", with what the server has for the other")
        if self.desired is not None and self.find():
            self._warn_issuer()
            self._warn_limit()
        return current

    def _warn_limit(self) -> None:
        longest = max(normalise.duration((self.desired or {}).get(name)) for name in ("ttl", "max_ttl"))
        raised = normalise.duration(self.issuers.given.tune(self.mount).get("max_lease_ttl"))
        limit = raised or (self.limit(self.mount) if longest else 0)
        if limit and longest > limit:
            self.warnings.append(
                'ttl or max_ttl is longer than the mount allows, so that %d hours count; raise "max_lease_ttl" of the '
                'mount (module vault_secrets_engine, "tune"), or shorten them' % (limit // 3600)
            )

    def _warn_issuer(self) -> None:
        """Say that nobody will get a certificate by an issuer that is missing; it may come later."""
        wanted = (self.desired or {}).get("issuer_ref")
        if not wanted or wanted == "default":
            return
        try:
            known = self.issuers.names(self.client, self.mount)
        except PermissionDenied:
            return
        if wanted not in known:
            self.warnings.append(
                'there is no issuer "%s" (yet), so that nobody gets a certificate; correct "issuer_ref", or make the '
                "issuer (module vault_pki_ca)" % wanted
            )

    def compare(self, current: Mapping[str, Any], desired: Mapping[str, Any]) -> list[str]:
        filled = dict(desired)
        if filled.get("key_bits") == 0:
            # the server keeps the size that 0 stands for
            filled["key_bits"] = DEFAULT_BITS.get(filled.get("key_type") or current.get("key_type") or "rsa", 0)
        return super().compare(current, filled)

    def write(self, change: Change) -> None:
        self.need_mount()
        # a write replaces the role, so what is not declared goes along as it is
        current = dict(change.current or {})
        if "key_type" in (self.desired or {}) and current.get("key_type") != (self.desired or {})["key_type"]:
            # these belong to the old type
            current.pop("key_bits", None)
            current.pop("signature_bits", None)
        kept = {name: value for name, value in current.items() if value is not None}
        answer = self.client.write(self._path(), normalise.spans({**kept, **(self.desired or {})}, DURATIONS))
        ignored = sorted(
            name
            for name in self.options
            for warning in answer.get("warnings") or []
            if wording.unrecognized(warning, name)
        )
        if ignored:
            raise InvalidInput(
                'the role is written, but the server ignores the option "%s"' % ignored[0], remedy='correct "options"'
            )

    def delete(self, change: Change) -> None:
        self.client.delete(self._path())


def roles(mounted: EngineMounts, items: Sequence[Mapping[str, Any]], given: Given) -> list[Role]:
    """Return the resources of declared roles; with a purge also of the others in their mounts, to be deleted.

    The task's ``mount`` is where roles are that name no mount of their own (``pki`` without it).
    """
    mount = given.params.get("mount")
    known = Issuers(given)
    resources = [Role(mounted, {**item, "mount": item.get("mount") or mount or "pki"}, known) for item in items]
    if given.purge:

        def existing(place: str) -> Iterable[str]:
            return mounted.client.list("%s/roles" % place) if mounted.require(place, "pki") else ()

        for place, name in given.undeclared(resources, given.places(resources, "pki"), existing):
            resources.append(Role(mounted, {"mount": place, "name": name, "state": "absent"}))
    return resources


STRINGS: dict[str, Any] = {"type": "list", "elements": "str"}
ITEM: dict[str, Any] = {
    "mount": {"type": "str"},
    "name": {"type": "str"},
    "issuer_ref": {"type": "str"},
    "ttl": {"type": "str"},
    "max_ttl": {"type": "str"},
    "not_before_duration": {"type": "str"},
    "allowed_domains": STRINGS,
    "allowed_domains_template": {"type": "bool"},
    "allow_bare_domains": {"type": "bool"},
    "allow_subdomains": {"type": "bool"},
    "allow_glob_domains": {"type": "bool"},
    "allow_wildcard_certificates": {"type": "bool"},
    "allow_any_name": {"type": "bool"},
    "allow_localhost": {"type": "bool"},
    "allow_ip_sans": {"type": "bool"},
    "allowed_uri_sans": STRINGS,
    "allowed_other_sans": STRINGS,
    "enforce_hostnames": {"type": "bool"},
    "require_cn": {"type": "bool"},
    "server_flag": {"type": "bool"},
    "client_flag": {"type": "bool"},
    "code_signing_flag": {"type": "bool"},
    "email_protection_flag": {"type": "bool"},
    "key_type": {"type": "str", "choices": ["rsa", "ec", "ed25519", "any"]},
    "key_bits": {"type": "int", "no_log": False},
    "signature_bits": {"type": "int"},
    "key_usage": {"type": "list", "elements": "str", "no_log": False},
    "ext_key_usage": {"type": "list", "elements": "str", "no_log": False},
    "use_csr_common_name": {"type": "bool"},
    "use_csr_sans": {"type": "bool"},
    "organization": STRINGS,
    "ou": STRINGS,
    "country": STRINGS,
    "locality": STRINGS,
    "province": STRINGS,
    "street_address": STRINGS,
    "postal_code": STRINGS,
    "no_store": {"type": "bool"},
    "generate_lease": {"type": "bool"},
    "basic_constraints_valid_for_non_ca": {"type": "bool"},
    "options": {"type": "dict"},
}


class PkiRoles(Kind):
    """Roles of PKI mounts."""

    module = "vault_pki_role"
    plural = "roles"
    item = ITEM
    options = {**PURGE, **MOUNTS}
    within = ("secrets_engines", "pki")
    listings = (Listing("{mount}/roles", engine="pki"),)

    def resources(self, client: Client, items: Sequence[Mapping[str, Any]], given: Given) -> list[Any]:
        return roles(EngineMounts(client), items, given)
