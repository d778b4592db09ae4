# Copyright: Contributors to the secretops.vault_eso project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# Private to this collection: what is here may change at any time. Other collections must not import it.
"""Roles of PKI mounts. Source: /api-docs/secret/pki (create/update role)."""

from __future__ import annotations

import json
import re
import threading
from collections.abc import Mapping, Sequence
from functools import partial
from typing import Any

from ...._engine import normalise, wording
from ...._engine.errors import InvalidInput
from ...._engine.field import Field, normalisers, sent_names
from ...._engine.resource import Change
from ...base import purge
from ...base.declaring import View, further
from ...base.kind import MOUNTS, PURGE, Kind, RunContext
from ...base.listing import Found, Listing
from ...base.mounts import EngineMounts
from ...base.normalisers import default
from ...base.schema import Place
from ...connection.answers import data_of
from ...connection.client import Client
from ...connection.errors import PermissionDenied
from .in_mount import DEFAULT_BITS, InPkiMount, check_key


def usages(value: Any) -> list[str]:
    """Return key usages in one form: ``DigitalSignature`` equals ``KeyUsageDigitalSignature``, in any case."""
    return sorted({re.sub(r"^(ext)?keyusage", "", name.lower()) for name in normalise.strings(value)})


#: key usages as `usages` spells them. Source: Go's x509.KeyUsage and x509.ExtKeyUsage
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
    """Refuse a usage that the server would store but ignore. Raises InvalidInput."""
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


FIELDS: Sequence[Field] = (
    Field(
        "mount",
        (
            "Path at which the PKI engine is mounted. For an entry of O(roles) by default the module's O(mount), and "
            "V(pki) without either."
        ),
        sent=False,
    ),
    Field("name", "Name of the role.", sent=False),
    Field(
        "issuer_ref",
        "Name or ID of the issuer that signs; by default the mount's default issuer.",
        normaliser=default("default"),
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
    Field("allowed_domains", "Domains that the role may issue certificates for.", type="list", elements="str"),
    Field("allowed_domains_template", "Whether O(allowed_domains) holds identity templates.", type="bool"),
    Field("allow_bare_domains", "Whether the domains themselves are allowed.", type="bool"),
    Field("allow_subdomains", "Whether names below the domains are allowed.", type="bool"),
    Field("allow_glob_domains", "Whether the domains may hold glob patterns.", type="bool"),
    Field("allow_wildcard_certificates", "Whether wildcard certificates are allowed.", type="bool"),
    Field("allow_any_name", "Whether all names are allowed.", type="bool"),
    Field("allow_localhost", "Whether V(localhost) is allowed.", type="bool"),
    Field("allow_ip_sans", "Whether IP addresses are allowed as SANs.", type="bool"),
    Field("allowed_uri_sans", "URIs that are allowed as SANs; globs are allowed.", type="list", elements="str"),
    Field("allowed_other_sans", "Other SANs that are allowed, as C(oid;UTF8:value).", type="list", elements="str"),
    Field("enforce_hostnames", "Whether names must be valid host names.", type="bool"),
    Field("require_cn", "Whether a common name is required.", type="bool"),
    Field("server_flag", "Whether certificates are for servers.", type="bool"),
    Field("client_flag", "Whether certificates are for clients.", type="bool"),
    Field("code_signing_flag", "Whether certificates are for signing code.", type="bool"),
    Field("email_protection_flag", "Whether certificates are for protecting email.", type="bool"),
    Field(
        "key_type",
        "Type of the keys; V(any) accepts that of a CSR.",
        choices=("rsa", "ec", "ed25519", "any"),
    ),
    Field("key_bits", "Size of the keys; V(0) for the default of the type.", type="int"),
    Field(
        "signature_bits",
        "Size of the hash of signatures with RSA keys; V(0) for the default.",
        type="int",
        # 0 means a default size; one product stores that size, the other 0
        normaliser=lambda value: normalise.integer(value) or 256,
    ),
    Field(
        "key_usage",
        "Key usages, such as V(DigitalSignature); an empty list for none.",
        type="list",
        elements="str",
        normaliser=usages,
    ),
    Field(
        "ext_key_usage", "Extended key usages, such as V(ServerAuth).", type="list", elements="str", normaliser=usages
    ),
    Field("use_csr_common_name", "Whether the common name of a CSR is used.", type="bool"),
    Field("use_csr_sans", "Whether the SANs of a CSR are used.", type="bool"),
    Field("organization", "Organizations (O) of the subject.", type="list", elements="str"),
    Field("ou", "Organizational units (OU) of the subject.", type="list", elements="str"),
    Field("country", "Countries (C) of the subject.", type="list", elements="str"),
    Field("locality", "Localities (L) of the subject.", type="list", elements="str"),
    Field("province", "Provinces (ST) of the subject.", type="list", elements="str"),
    Field("street_address", "Street addresses of the subject.", type="list", elements="str"),
    Field("postal_code", "Postal codes of the subject.", type="list", elements="str"),
    Field(
        "no_store", "Whether certificates are not stored, so that they can be neither listed nor revoked.", type="bool"
    ),
    Field(
        "generate_lease",
        (
            "Whether certificates have leases.",
            (
                "The server revokes a certificate with a lease together with the token that asked for it. The modules "
                "of a play ask with a token that is revoked when they or the play end, so a role for "
                "M(secretops.vault_eso.vault_pki_certificate) goes without."
            ),
        ),
        type="bool",
    ),
    Field(
        "basic_constraints_valid_for_non_ca",
        "Whether certificates of end entities have basic constraints (CA: false).",
        type="bool",
    ),
    Field(
        "options",
        (
            "Further options of a role by their names in the API, such as C(policy_identifiers). One that the server "
            "does not know is an error."
        ),
        type="dict",
        sent=False,
    ),
)
NAMES = sent_names(FIELDS)
#: normalisers of ``options``
FURTHER: dict[str, normalise.Normaliser] = {
    "policy_identifiers": policy_identifiers,
    **dict.fromkeys(("allowed_ip_sans_cidr", "ext_key_usage_oids", "cn_validations"), normalise.string_set),
    **dict.fromkeys(("allowed_serial_numbers", "allowed_user_ids"), normalise.string_set),
}


def check_other_sans(value: Any) -> None:
    """Refuse other SANs in an invalid form. Raises InvalidInput."""
    for name in normalise.strings(value) or ([""] if value else []):
        if name != "*" and not re.fullmatch(r"[^;]+;[^:]+:.*", name):
            raise InvalidInput(
                'allowed_other_sans: "%s" is none' % name,
                remedy="write <oid>;<type>:<value>, such as 1.3.6.1;UTF8:*",
            )


def check_times(after: Mapping[str, Any], more: str = "") -> None:
    """Refuse a TTL above the maximum. Raises InvalidInput."""
    usual, longest = (normalise.duration(after.get(name)) for name in ("ttl", "max_ttl"))
    if usual and longest and usual > longest:
        raise InvalidInput("ttl is longer than max_ttl" + more, remedy="correct one of the two")


class Issuers:
    """Names and IDs of the issuers of each mount, read once. While planning also those that the same tree declares."""

    def __init__(self, context: RunContext | None = None) -> None:
        self.context = context or RunContext({})
        self._lock = threading.Lock()
        self._known: dict[str, frozenset[str]] = {}

    def names(self, client: Client, mount: str) -> frozenset[str]:
        """Return the names and IDs of the issuers of a mount. Raises PermissionDenied."""
        with self._lock:
            if mount not in self._known:
                answer = client.request("LIST", "%s/issuers" % mount, missing_ok=True)
                info = (data_of(answer) if answer else {}).get("key_info") or {}
                names = {str(entry.get("issuer_name") or "") for entry in info.values()}
                names |= set(self.context.planned_in("pki_cas", mount, "pki", "issuer_name"))
                self._known[mount] = frozenset(names | set(info))
            return self._known[mount]


class Role(InPkiMount):
    """One role of a PKI mount."""

    kind = "PKI role"
    folder = "roles"
    fields = {**normalisers(FIELDS), **FURTHER}

    def __init__(self, mounts: EngineMounts, item: Mapping[str, Any], issuers: Issuers | None = None) -> None:
        self.issuers = issuers or Issuers()
        self.options = dict(item.get("options") or {})
        desired = None
        if item["state"] == "present":
            desired = {
                **self.options,
                **{name: item[name] for name in NAMES if item.get(name) is not None},
            }
        super().__init__(mounts, item, desired)

    def check(self) -> None:
        super().check()
        if self.desired is None:
            return
        twice = sorted(name for name in self.options if self.item.get(name) is not None)
        if twice:
            raise InvalidInput('"%s" is given twice' % twice[0], remedy='remove it from "options"')
        for name, value in self.desired.items():
            if name in self.fields:
                self.fields[name](value)
        check_key(self.desired.get("key_type"), normalise.integer(self.desired.get("key_bits")))
        check_other_sans(self.desired.get("allowed_other_sans"))
        check_usages("key_usage", self.desired.get("key_usage"), KEY_USAGE)
        check_usages("ext_key_usage", self.desired.get("ext_key_usage"), EXT_KEY_USAGE)
        if normalise.boolean(self.desired.get("no_store")) and normalise.boolean(self.desired.get("generate_lease")):
            raise InvalidInput(
                '"no_store" and "generate_lease" contradict each other',
                remedy="set one of the two: what is not stored has no lease",
            )
        for name in ("ttl", "max_ttl", "not_before_duration"):
            normalise.whole_seconds(self.desired.get(name))
        check_times(self.desired)

    def preflight(self) -> None:
        if self.desired is None:
            return
        warning = self.mounts.fields.check_inside(
            Place(self.mount, "pki", "roles", self.own), self.options, "a %s" % self.kind
        )
        if warning:
            self.warnings.append(warning)

    def resolve(self, current: Mapping[str, Any] | None) -> Mapping[str, Any]:
        desired = dict(super().resolve(current))
        if current is not None and {"ttl", "max_ttl"} & set(desired):
            check_times({**current, **desired}, ", with what the server has for the other")
        if self.find():
            self._warn_issuer(desired)
            self._warn_limit(desired)
        if current is not None and desired.get("key_bits") == 0:
            # the server stores the size that 0 means
            desired["key_bits"] = DEFAULT_BITS.get(desired.get("key_type") or current.get("key_type") or "rsa", 0)
        return desired

    def _warn_limit(self, desired: Mapping[str, Any]) -> None:
        longest = max(normalise.duration(desired.get(name)) for name in ("ttl", "max_ttl"))
        raised = normalise.duration(self.issuers.context.tune(self.mount).get("max_lease_ttl"))
        limit = raised or (self.mounts.limit(self.mount) if longest else 0)
        if limit and longest > limit:
            self.warnings.append(
                'ttl or max_ttl is longer than the mount allows, so that %d hours count; raise "max_lease_ttl" of the '
                'mount (module vault_secrets_engine, "tune"), or shorten them' % (limit // 3600)
            )

    def _warn_issuer(self, desired: Mapping[str, Any]) -> None:
        """Warn of a missing issuer: it may be created later."""
        wanted = desired.get("issuer_ref")
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

    def write(self, change: Change) -> None:
        self.need_mount()
        # a write replaces the role, so undeclared current fields are sent along
        current = dict(change.current or {})
        if "key_type" in change.fields:
            # these belong to the old type
            current.pop("key_bits", None)
            current.pop("signature_bits", None)
        kept = {name: value for name, value in current.items() if value is not None}
        answer = self.client.write(self.path, {**kept, **change.desired})
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


class PkiRoles(Kind):
    """Roles of PKI mounts."""

    about = "PKI roles"
    tag = "pki"
    module = "vault_pki_role"
    plural = "roles"
    fields = FIELDS
    options = {**PURGE, **MOUNTS}
    within = ("secrets_engines", "pki")
    listings = (Listing("{mount}/roles", engine="pki"),)

    def declaration(self, one: Found, view: View) -> dict[str, Any] | None:
        item = super().declaration(one, view) or {}
        options = further(one.told or {}, sent_names(FIELDS), view.usual_of(one), FURTHER)
        return {**item, **({"options": options} if options else {})}

    def resources(self, client: Client, items: Sequence[Mapping[str, Any]], context: RunContext) -> list[Any]:
        mounts = EngineMounts(client)
        return purge.all_inside(context, mounts, items, Role, partial(Role, mounts, issuers=Issuers(context)))
