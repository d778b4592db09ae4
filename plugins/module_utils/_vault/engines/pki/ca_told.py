# Copyright: Contributors to the secretops.vault_eso project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# Private to this collection: what is here may change at any time. Other collections must not import it.
"""The certificate authorities that are there, as declarations. Keys stay where they are."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from ...._engine import normalise
from ...base.declaring import Omitted, View, declare, duration_text, placed
from ...base.listing import Found
from .ca_certificate import HAS_CRYPTOGRAPHY, describe_certificate
from .ca_fields import CLUSTER, CRL, FIELDS, ISSUER, PLACES, TIDY, URLS
from .in_mount import DEFAULT_BITS, SUBJECT
from .x509 import alternative_names, common_name, issued_by, permitted_domains

if HAS_CRYPTOGRAPHY:
    from cryptography import x509

#: seconds by which the server dates a certificate back
DATED_BACK = 30


def one_for_each_mount(found: Sequence[Found]) -> list[Found]:
    """Return of each mount the issuer that issues: its default one, if the mount has the key of that."""
    chosen = []
    for mount in dict.fromkeys(one.mount for one in found):
        mine = [one for one in found if one.mount == mount]
        own = [one for one in mine if one.about.get("key_id")] or mine
        first = next((one for one in own if one.about.get("is_default")), own[0])
        first.beside = [one for one in found if one is not first]
        chosen.append(first)
    return chosen


def authority(one: Found, view: View) -> dict[str, Any]:
    """Return the declaration of the authority of a mount. Raises Omitted, SecretopsError."""
    told = one.told or {}
    if not told.get("key_id"):
        raise Omitted("the mount has certificates of authorities, but the key of none")
    if not HAS_CRYPTOGRAPHY:
        raise Omitted("its certificate cannot be read without the Python library cryptography")
    item = {"mount": one.mount, **_certificate(one, view)}
    if told.get("issuer_name"):
        item["issuer_name"] = told["issuer_name"]
    key = (view.client.read("%s/key/%s" % (one.mount, told["key_id"])) or {}).get("key_name")
    item.update({"key_name": key} if key else {})
    for group, fields in (("urls", URLS), ("crl", CRL), ("cluster", CLUSTER), ("tidy", TIDY)):
        path = "%s/config/%s" % (one.mount, PLACES.get(group, group))
        values = declare(fields, view.client.read(path) or {}, view.usual(path, "pki config %s" % group))
        item.update({group: values} if values else {})
    settings = _settings(one, view)
    item.update({"issuer": settings} if settings else {})
    for other in one.beside:
        if other.mount == one.mount and _settings(other.told_as(_issuer(other, view)), view):
            # to be declared it has to exist, and another server makes one issuer only
            what = "settings of a further issuer; they can be declared as issuers of the authority"
            view.note("%s issuer %s" % (one.mount, other.name), what)
    order = [field.name for field in FIELDS]
    return {**placed(FIELDS, one), **{name: item[name] for name in sorted(item, key=order.index)}}


def _issuer(one: Found, view: View) -> dict[str, Any]:
    """Return what the server says of an issuer, read once."""
    path = one.place()[0]
    found: dict[str, Any] = view.once("issuer:%s" % path, lambda: view.client.read(path) or {})
    return found


def _settings(one: Found, view: View) -> dict[str, Any]:
    told = dict(one.told or {})
    names = {other.key: str(other.about.get("issuer_name") or other.key) for other in (one, *one.beside)}
    told["manual_chain"] = [names.get(key, key) for key in normalise.strings(told.get("manual_chain"))] or None
    return declare(ISSUER, told, view.usual_of(one))


def _certificate(one: Found, view: View) -> dict[str, Any]:
    """Return what the certificate says, by the options that make one like it."""
    pem = normalise.scalar((one.told or {}).get("certificate"))
    facts = describe_certificate(pem)
    if not facts or not facts.get("common_name"):
        raise Omitted("its certificate cannot be read, or has no common name")
    certificate = x509.load_pem_x509_certificate(pem.encode())
    item: dict[str, Any] = {name: facts[name] for name in ("common_name", *SUBJECT) if facts.get(name)}
    if facts["key_type"] != "rsa":
        item["key_type"] = facts["key_type"]
    if facts["key_bits"] != DEFAULT_BITS[facts["key_type"]]:
        item["key_bits"] = facts["key_bits"]
    # not to the second: it is measured from the moment of its making
    item["ttl"] = duration_text(round((facts["ttl"] - DATED_BACK) / 60) * 60)
    if facts.get("max_path_length", -1) >= 0:
        item["max_path_length"] = facts["max_path_length"]
    for name, values in alternative_names(certificate).items():
        values = [value for value in values if value != common_name(certificate).lower()]
        item.update({name: values} if values else {})
    domains = permitted_domains(certificate)
    item.update({"permitted_dns_domains": domains} if domains else {})
    if certificate.issuer == certificate.subject:
        return item
    item["type"] = "intermediate"
    for other in one.beside:
        signer = _issuer(other, view) if other.mount != one.mount and other.about.get("key_id") else {}
        if signer.get("certificate"):
            above = x509.load_pem_x509_certificate(str(signer["certificate"]).encode())
            if issued_by(certificate, above):
                item["issuer_mount"] = other.mount
                if not other.about.get("is_default"):
                    item["issuer_ref"] = str(other.about.get("issuer_name") or other.key)
                return item
    return item
