# Copyright: Contributors to the secretops.vault_eso project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# Private to this collection: what is here may change at any time. Other collections must not import it.
"""Certificate authorities of PKI mounts. The server creates the private keys; they never leave it.

Source: /api-docs/secret/pki.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from functools import partial
from typing import Any

from ...._engine import normalise
from ...._engine.errors import InvalidInput
from ...._engine.resource import Change, check_completed
from ...base.declaring import View
from ...base.kind import Kind, RunContext
from ...base.listing import Found, Listing
from ...base.mounts import EngineMounts
from ...base.naming import check_addresses, plain
from ...connection.client import Client
from .ca_certificate import certificate_differences, describe_certificate, instant, same_key
from .ca_fields import CERTIFICATE, FIELDS, GROUPS, ISSUER_SETTINGS, PLACES, TIMES, check_groups, with_mount
from .ca_reading import CaReading
from .ca_told import authority, one_for_each_mount
from .in_mount import check_key
from .x509 import blocks


class Authority(CaReading):
    """The CA of a PKI mount: its key and certificate, created once, and their settings."""

    kind = "PKI CA"
    holds_data = True
    fields = {
        "%s.%s" % (group, name): function
        for group, table in {**GROUPS, "issuer": ISSUER_SETTINGS}.items()
        for name, function in table.items()
    }

    def __init__(self, mounts: EngineMounts, item: Mapping[str, Any]) -> None:
        mount = normalise.path(item["mount"])
        self.fields = dict(self.fields)
        desired: dict[str, Any] | None = None
        if item["state"] == "present":
            desired = {name: item.get(name) for name in (*CERTIFICATE, "issuer_name", "key_name", "default_issuer")}
            for group in GROUPS:
                values = item.get(group) or {}
                values = with_mount(values, mount) if group == "urls" else values
                desired.update({"%s.%s" % (group, name): value for name, value in values.items()})
            desired.update(self._settings("issuer", item.get("issuer") or {}, mount))
            for entry in item.get("issuers") or []:
                prefix = "issuers.%s" % entry["ref"]
                desired.update(self._settings(prefix, {**entry, "ref": None}, mount))
                table: dict[str, normalise.Normaliser] = {**ISSUER_SETTINGS, "issuer_name": normalise.scalar}
                self.fields.update({"%s.%s" % (prefix, name): function for name, function in table.items()})
            signed = blocks(item.get("certificate"))
            if signed:
                desired["certificate"] = signed[0]
        super().__init__(mounts, item, desired)

    @staticmethod
    def _settings(prefix: str, values: Mapping[str, Any], mount: str) -> dict[str, Any]:
        return {"%s.%s" % (prefix, name): value for name, value in with_mount(values, mount).items()}

    def check(self) -> None:
        super().check()
        if self.desired is None:
            return
        if not self.desired.get("common_name"):
            raise InvalidInput('"common_name" is missing', remedy="say how the authority is called")
        if self.item.get("new_issuer") and not self.desired.get("issuer_name"):
            raise InvalidInput('"new_issuer" without an "issuer_name"', remedy="name the new issuer")
        check_key(self.desired.get("key_type"), self.desired.get("key_bits"))
        for name, value in self.desired.items():
            if name in self.fields:
                self.fields[name](value)
        normalise.seconds(self.desired.get("ttl"))
        if self.desired.get("not_after"):
            instant(self.desired["not_after"])
            if self.desired.get("ttl"):
                raise InvalidInput('"ttl" and "not_after" contradict each other', remedy="give one of the two")
        check_addresses("ip_sans", self.desired.get("ip_sans") or ())
        if not self.intermediate:
            for option in ("issuer_mount", "certificate", "issuer_ref"):
                if self.item.get(option):
                    raise InvalidInput(
                        '"%s" is for an intermediate authority' % option,
                        remedy='remove it, or set "type: intermediate"',
                    )
        if self.issuer_mount and self.item.get("certificate"):
            raise InvalidInput('"issuer_mount" and "certificate" contradict each other', remedy="give one of the two")
        if self.issuer_mount == self.mount:
            raise InvalidInput(
                "it would sign itself", remedy='name another mount as "issuer_mount", or use "type: root"'
            )
        if self.item.get("certificate") and not self.signed:
            raise InvalidInput('"certificate" holds no PEM block', remedy="give the signed certificate as PEM")
        if any("PRIVATE" in block.splitlines()[0] for block in self.signed):
            raise InvalidInput('"certificate" holds a private key', remedy="give certificates only")
        if len(self.others) < len(self.item.get("issuers") or []):
            raise InvalidInput('"issuers" names one twice', remedy="keep one of the two")
        for option in ("issuer_name", "key_name", *("issuers.%s.issuer_name" % ref for ref in self.others)):
            if self.desired.get(option) and not plain(self.desired[option]):
                raise InvalidInput(
                    '%s "%s" holds characters that the server refuses' % (option, self.desired[option]),
                    remedy="use letters, digits, - _ and .",
                )
            if self.desired.get(option) == "default":
                raise InvalidInput('%s "default" is reserved by the server' % option, remedy="use another name")

    def preflight(self) -> None:
        if self.desired is not None:
            check_completed(
                partial(check_groups, self.declared), self.declared, lambda: self._read_groups("crl", "tidy")
            )

    # -- what is wanted in view of that -------------------------------------------------------------------------------

    def resolve(self, current: Mapping[str, Any] | None) -> Mapping[str, Any]:
        desired = super().resolve(current)
        check_groups(desired, {**self.groups, **desired})
        self._check_known()
        self._check_references()
        if self.issuer:
            self._warn(normalise.pem(self.issuer.get("certificate")))
        elif self.signed:
            self._check_signed()
        if not self.find():
            return desired
        if not self.issuer and not self.signed:
            self._check_limit()
        return desired if current is None else {**desired, **self._chains(desired)}

    def _chains(self, desired: Mapping[str, Any]) -> dict[str, list[str]]:
        """Return the declared chains with the issuers' names. Raises InvalidInput for a missing one."""
        names = self._called()
        found: dict[str, list[str]] = {}
        for prefix in (*(["issuer"] if self.issuer else []), *("issuers.%s" % ref for ref in self.others)):
            chain = prefix + ".manual_chain"
            if chain in desired:
                found[chain] = [names.get(key, key) for key in normalise.strings(desired[chain])]
        for name in (one for chain in found.values() for one in chain):
            if name not in (*names.values(), desired.get("issuer_name")):
                raise InvalidInput('there is no issuer "%s"' % name, remedy='correct "manual_chain"')
        return found

    def _check_signed(self) -> None:
        """Refuse a certificate that is not an issuer yet and cannot become one. Raises InvalidInput."""
        names = {entry.get("issuer_name") for entry in self.listed.values()} - {None, ""}
        if self.declared.get("issuer_name") in names:
            raise InvalidInput(
                'another certificate is the issuer "%s"' % self.declared["issuer_name"],
                remedy='declare a new "issuer_name" with the new certificate',
            )
        if not self.find():
            return
        if not self.csr:
            raise InvalidInput(
                "there is no key that the certificate could belong to",
                remedy='run without "certificate" first, and have the returned CSR signed',
            )
        if not same_key(self.signed[0], self.csr):
            raise InvalidInput(
                "the certificate is for another key than that of this mount's CSR",
                remedy="have the returned CSR signed, and give the certificate that comes of it",
            )

    def _check_references(self) -> None:
        """Refuse a reference to a missing issuer, before anything changes. Raises InvalidInput."""
        desired = self.declared
        called = (entry.get("issuer_name") for entry in self.listed.values())
        known = {desired.get("issuer_name"), *self.listed, *called}
        wanted = [("default_issuer", desired.get("default_issuer"))]
        if not self.issuer:
            wanted += [("issuers", ref) for ref in self.others]
            wanted += [
                ("manual_chain", one)
                for name, value in desired.items()
                if name.endswith(".manual_chain")
                for one in normalise.strings(value)
            ]
        for option, name in wanted:
            if name and name not in known:
                raise InvalidInput('there is no issuer "%s"' % name, remedy='correct "%s"' % option)

    def _check_limit(self) -> None:
        """Refuse a TTL that the server would cut: a certificate never changes. Raises InvalidInput."""
        signer = self.issuer_mount if self.intermediate else self.mount
        wanted, limit = (
            normalise.seconds(self.declared.get("ttl")) or 0,
            self.mounts.limit(signer) if signer else 0,
        )
        if limit and wanted > limit:
            raise InvalidInput(
                'ttl is longer than the mount "%s" allows, which is %d hours' % (signer, limit // 3600),
                remedy='shorten it, or raise "max_lease_ttl" of that mount first (module vault_secrets_engine, "tune")',
            )

    def _check_known(self) -> None:
        """Refuse fields that the server would drop silently. Raises InvalidInput."""
        for group in ("crl.", "tidy."):
            known = {name for name in self.groups if name.startswith(group)}
            for name in sorted(self.declared):
                if name.startswith(group) and known and name not in known:
                    raise InvalidInput('this server does not know "%s"' % name, remedy="remove it")

    def _warn(self, certificate: str) -> None:
        differences = certificate_differences(self.item, describe_certificate(certificate))
        if differences:
            self.warnings.append(
                "the existing certificate stays as it is, though its %s; for a new one declare another "
                '"issuer_name" with "new_issuer: true"' % "; its ".join(differences)
            )

    def compare(self, current: Mapping[str, Any], desired: Mapping[str, Any]) -> list[str]:
        stands = bool(self.issuer or self.signed or self.issuer_mount)
        # a key that waits for its certificate has no issuer with settings yet
        names = [name for name in desired if name in self.fields and (stands or not name.startswith("issuer."))]
        if self.issuer or self.signed or (self.csr and self.issuer_mount):
            names += [name for name in ("issuer_name", "default_issuer") if desired.get(name)]
        differing = normalise.differing(current, {name: desired[name] for name in names}, self.fields)
        if not self.issuer and (self.signed or self.issuer_mount):
            # a key without a certificate: interrupted, or the external CA has signed it now
            differing.append("certificate")
        return sorted(set(differing))

    # -- writing ------------------------------------------------------------------------------------------------------

    def write(self, change: Change) -> None:
        self.need_mount()
        # settings first: they become part of the certificates that are created afterwards
        for group in ("cluster", "urls", "crl", "tidy"):
            body = {
                name.split(".", 1)[1]: change.desired[name] for name in change.fields if name.startswith(group + ".")
            }
            if body:
                self.client.write("%s/config/%s" % (self.mount, PLACES.get(group, group)), normalise.spans(body, TIMES))
                change.touched = True
        further = bool(self.item.get("new_issuer"))
        if not self.issuer and not self.intermediate:
            self.issuer = self.read_issuer(self.make_root() or "default")
            if further:
                self.make_default(self.issuer["issuer_id"])
            self._warn(normalise.pem(self.issuer.get("certificate")))
        elif not self.issuer:
            if not self.csr:
                self.request_new()
            chain = self.signed or (self.sign() if self.issuer_mount else [])
            if not chain:
                self._write_others(change)
                return
            had_default = self.default_issuer()
            issuer = self.import_chain(chain)
            if further or not had_default:
                # in an imported chain only this issuer can sign
                self.make_default(issuer)
            self.issuer = self.read_issuer(issuer)
            self.info.pop("csr", None)
            self._warn(normalise.pem(self.issuer.get("certificate")))
        self.name_and_default()
        self._write_settings("issuer", str(self.issuer["issuer_id"]), change)
        self._write_others(change)
        self.tell_issuer()

    def _write_others(self, change: Change) -> None:
        for ref, found in self.others.items():
            self._write_settings("issuers.%s" % ref, str(found.get("issuer_id") or ref), change)

    def _write_settings(self, prefix: str, issuer: str, change: Change) -> None:
        start = len(prefix) + 1
        names = [name for name in change.fields if name.startswith(prefix + ".") and name[start:].isidentifier()]
        if names:
            self.patch(issuer, {name[start:]: change.desired[name] for name in names})
            change.touched = True

    def delete(self, change: Change) -> None:
        self.client.delete("%s/root" % self.mount)


def authorities(mounts: EngineMounts, items: Iterable[Mapping[str, Any]]) -> list[Authority]:
    """Return the resources of declared CAs, ranked so that an issuer comes before the CAs that it signs.

    Raises InvalidInput for a cycle.
    """
    resources = [Authority(mounts, item) for item in items]
    by_mount = {resource.mount: resource for resource in resources}
    for resource in resources:
        resource.needs = frozenset()
        # one that names itself is refused by its own check
        above = by_mount.get(resource.issuer_mount) if resource.issuer_mount != resource.mount else None
        seen = {resource.mount}
        while above is not None:
            if above.mount in seen:
                raise InvalidInput("signs itself in a circle with others", resource.label, 'correct "issuer_mount"')
            seen.add(above.mount)
            resource.rank += 1
            resource.needs |= {above.name}
            above = by_mount.get(above.issuer_mount)
    return resources


class PkiCas(Kind):
    """Certificate authorities of PKI mounts."""

    about = "Certificate authorities"
    tag = "pki"
    module = "vault_pki_ca"
    plural = "authorities"
    fields = FIELDS
    required = ("mount",)
    listings = (Listing("{mount}/issuers", "info", engine="pki", name="issuer_name", item="{mount}/issuer/{name}"),)

    def exported(self, found: Sequence[Found]) -> Sequence[Found]:
        return one_for_each_mount(found)

    def declaration(self, one: Found, view: View) -> dict[str, Any] | None:
        return authority(one, view)

    def resources(self, client: Client, items: Sequence[Mapping[str, Any]], context: RunContext) -> list[Any]:
        return authorities(EngineMounts(client), items)
