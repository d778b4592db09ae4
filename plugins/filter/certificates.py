# Copyright: Contributors to the secretops.vault_eso project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Filters of the role vault_certificates: what is declared, which pair is due, why a new one must not be used. Pure."""

from __future__ import annotations

import datetime
import re
from collections.abc import Iterable, Iterator, Mapping
from typing import Any, Callable

from ansible.errors import AnsibleFilterError

from ansible_collections.secretops.vault_eso.plugins.module_utils._engine import normalise
from ansible_collections.secretops.vault_eso.plugins.module_utils._engine.errors import InvalidInput
from ansible_collections.secretops.vault_eso.plugins.module_utils._host import tls
from ansible_collections.secretops.vault_eso.plugins.plugin_utils import _server_certificate as server_certificate

#: what each source needs of a pair, and what belongs to another source
NEEDED = {"pki": ("role", "common_name"), "ca": ("ca_dir", "common_name"), "files": ("cert_src", "key_src")}
OWN = {
    "pki": ("mount", "role", "ttl", "issuer_ref"),
    "ca": ("ca_dir", "days"),
    "files": ("cert_src", "key_src", "ca_src"),
}
DEFAULTS: Mapping[str, Any] = {
    **dict.fromkeys(("ca_file", "owner", "group"), ""),
    **dict.fromkeys(("common_name", "renew_before", "role", "ttl", "issuer_ref"), ""),
    **dict.fromkeys(("cert_src", "key_src", "ca_src", "ca_dir", "service", "url"), ""),
    **dict.fromkeys(("sans", "reload_command"), ()),
    "key_mode": "0600",
    "key_type": "ec",
    "mount": "pki",
    "days": 397,
    "action": "reloaded",
}
PLACES = ("cert_file", "key_file", "ca_file")
#: of what a renewal makes beside each file; no other program has them, so that what a cut run left can be removed
ENDINGS = (".vault-new", ".vault-old")
_SHARE = re.compile(r"(\d{1,2})%")
#: a third of the validity
_THIRD = 1 / 3


def vault_certificates_resolved(pairs: Iterable[Mapping[str, Any]]) -> dict[str, Any]:
    """Return the declared key pairs by name with their defaults as ``pairs``, and ``problems``, one sentence each.

    To each are added ``request_sans`` (as OpenSSL writes them), ``names`` (by which clients reach it), ``paths`` (its files, the
    key first) and ``copies`` (the files that a renewal makes beside them).
    """
    resolved: dict[str, dict[str, Any]] = {}
    problems: list[str] = []
    taken: dict[str, str] = {}
    for given in pairs:
        pair = {**DEFAULTS, **{key: value for key, value in given.items() if value is not None}}
        name = str(pair["name"])
        if name in resolved:
            problems.append('vault_certificates_pairs: the name "%s" stands twice; give each pair its own' % name)
        said = list(_pair_problems(pair, given))
        pair["paths"] = [str(pair[place]) for place in ("key_file", "cert_file", "ca_file") if pair[place]]
        pair["copies"] = [path + ending for path in pair["paths"] for ending in ENDINGS]
        for path in pair["paths"]:
            if taken.setdefault(path, name) != name or pair["paths"].count(path) > 1:
                said.append("%s is the file of another pair too; give each file its own path" % path)
        problems += ['vault_certificates_pairs "%s": %s' % (name, one) for one in said]
        names = ([pair["common_name"]] if pair["common_name"] else []) + list(pair["sans"])
        pair["request_sans"] = server_certificate.vault_server_sans(names)
        pair["names"] = [one.partition(":")[2] for one in pair["request_sans"] if _reached_by(one)]
        resolved[name] = pair
    return {"problems": problems, "pairs": resolved}


def _reached_by(san: str) -> bool:
    return san.startswith(("DNS:", "IP:")) and "*" not in san


def _pair_problems(pair: Mapping[str, Any], given: Mapping[str, Any]) -> Iterator[str]:
    source = str(pair["source"])
    for name in NEEDED[source]:
        if not pair[name]:
            yield "%s is missing, which the source %s needs" % (name, source)
    foreign = [name for other, names in OWN.items() if other != source for name in names if given.get(name)]
    if foreign:
        yield "%s does not go with the source %s; remove it" % (" and ".join(foreign), source)
    for place in PLACES:
        if pair[place] and not str(pair[place]).startswith("/"):
            yield "%s is not an absolute path; correct it" % place
    if pair["service"] and pair["reload_command"]:
        yield "service and reload_command contradict each other; give one of the two"
    if source == "files" and pair["ca_file"] and not pair["ca_src"]:
        yield "ca_file needs ca_src, the file on the controller"
    if pair["url"] and not re.match(r"https://[^/\s]+", str(pair["url"])):
        yield "url is not an https address; correct it"
    try:
        _margin(pair, datetime.timedelta(days=1))
    except InvalidInput as error:
        yield "renew_before: %s" % error


def _margin(pair: Mapping[str, Any], validity: datetime.timedelta) -> datetime.timedelta:
    """Return how long before its end a certificate is renewed. Raises InvalidInput."""
    text = str(pair["renew_before"] or "").strip()
    share = _SHARE.fullmatch(text)
    if not text or share:
        return validity * (int(share.group(1)) / 100 if share else _THIRD)
    return datetime.timedelta(seconds=normalise.seconds(text) or 0)


def vault_certificates_due(
    looked: Iterable[Mapping[str, Any]], pairs: Mapping[str, Mapping[str, Any]], now: datetime.datetime | None = None
) -> dict[str, Any]:
    """Return which of the ``pairs`` are to be renewed and why, from what the module vault_host_state tells of each.

    ``looked`` are the results of a loop over the names. Returns ``renew`` (reasons by name), ``reload`` (names of pairs that
    stand while the service presents another certificate), ``attributes`` (files with another owner, group or mode), ``left``
    (copies that a cut run left beside a pair that stands) and ``problems``.
    """
    moment = now or datetime.datetime.now(datetime.timezone.utc)
    if not server_certificate.HAS_CRYPTOGRAPHY:
        raise AnsibleFilterError("the Python library cryptography is missing on the controller; install it there")
    found: dict[str, Any] = {"renew": {}, "reload": [], "attributes": [], "left": [], "problems": []}
    for look in looked:
        name = str(look["item"])
        pair = pairs[name]
        found["problems"] += ['vault_certificates_pairs "%s": %s' % (name, one) for one in _source_problems(pair, look)]
        reasons = list(_reasons(pair, look, moment))
        if reasons:
            found["renew"][name] = reasons
            continue
        found["attributes"] += list(_attributes(pair, look))
        found["left"] += [path for path in pair["copies"] if _type(look, path) != "missing"]
        if pair["url"] and _presents_another(look):
            found["reload"].append(name)
    return found


def _type(look: Mapping[str, Any], path: str) -> str:
    return str(((look.get("files") or {}).get(path) or {}).get("type", "missing"))


def _source_problems(pair: Mapping[str, Any], look: Mapping[str, Any]) -> Iterator[str]:
    """Yield why the source gives no certificate that could be used."""
    if pair["source"] == "ca":
        authority = look.get("authority") or {}
        if not authority.get("has_key"):
            yield (
                "ca_dir (%s) holds no ca.crt with its ca.key on this controller, or vault_certificates_ca_passphrase does not"
                " open it; correct one of the two" % pair["ca_dir"]
            )
    elif pair["source"] == "files":
        provided = look.get("provided") or {}
        yield from server_certificate.pair_problems(
            provided,
            "cert_src (%s)" % pair["cert_src"],
            "key_src (%s)" % pair["key_src"],
            "ca_src (%s)" % pair["ca_src"],
            "sans",
        )


def _reasons(pair: Mapping[str, Any], look: Mapping[str, Any], now: datetime.datetime) -> Iterator[str]:
    """Yield why a pair has to be renewed."""
    for place in PLACES:
        if not pair[place]:
            continue
        if _type(look, pair[place]) != "file":
            yield "%s is missing" % pair[place]
        elif look["files"][pair[place]].get("same") is False:
            yield "%s differs from its source" % pair[place]
    certificate = look.get("certificate") or {}
    if certificate.get("pem") and not certificate.get("has_key"):
        yield "the key does not belong to the certificate"
    if pair["source"] == "files" or not certificate.get("has_key"):
        return
    try:
        yield from _certificate_reasons(pair, look, server_certificate.load(certificate["pem"]), now)
    except ValueError:
        yield "the certificate cannot be read"


def _certificate_reasons(
    pair: Mapping[str, Any], look: Mapping[str, Any], certificate: Any, now: datetime.datetime
) -> Iterator[str]:
    if server_certificate.sans_of(certificate) != {server_certificate.same_san(one) for one in pair["request_sans"]}:
        yield "its names are not as declared"
    begin, end = (server_certificate.moment_of(certificate, name) for name in ("not_valid_before", "not_valid_after"))
    if now < begin:
        yield "it is not yet valid"
    if now >= end:
        yield "it has expired"
    elif end - now < _margin(pair, end - begin):
        yield "it ends soon"
    authority = tls.split(str((look.get("authority") or {}).get("pem") or ""))
    if pair["source"] == "ca" and authority and not server_certificate.is_of(look["certificate"]["pem"], authority[0]):
        yield "it is not of the CA that signs"


def _attributes(pair: Mapping[str, Any], look: Mapping[str, Any]) -> Iterator[dict[str, str]]:
    for place in PLACES:
        path = pair[place]
        if not path:
            continue
        seen = (look.get("files") or {}).get(path) or {}
        wanted = {"mode": str(pair["key_mode"]) if place == "key_file" else "0644"}
        wanted.update({name: str(pair[name]) for name in ("owner", "group") if pair[name]})
        if any(seen.get(name) != value for name, value in wanted.items()):
            yield {"path": str(path), **wanted}


def _presents_another(look: Mapping[str, Any]) -> bool:
    """Tell whether a service presents another certificate than the one in its file; one that does not answer does not."""
    own = tls.split(str((look.get("certificate") or {}).get("pem") or ""))[:1]
    return bool(own) and any(
        not server_certificate.is_same(own[0], presented) for presented in (look.get("presented") or {}).values()
    )


def vault_certificates_served(look: Mapping[str, Any]) -> bool:
    """Tell whether a service presents the certificate in its file; ``look`` is a result of vault_host_state."""
    return bool(look.get("presented")) and not _presents_another(look)


def vault_certificates_refused(
    look: Mapping[str, Any], pair: Mapping[str, Any], now: datetime.datetime | None = None
) -> list[str]:
    """Return why a new pair must not take the place of the present one, one sentence each."""
    moment = now or datetime.datetime.now(datetime.timezone.utc)
    found = look.get("certificate") or {}
    said = list(server_certificate.pair_problems(found, "the new certificate", "its key", str(pair["ca_file"]), "sans"))
    if said or pair["source"] == "files":
        return said
    reasons = list(_certificate_reasons(pair, {"certificate": found}, server_certificate.load(found["pem"]), moment))
    if reasons:
        said.append(
            "the next run would have to replace the new certificate, as %s; correct renew_before, the TTL or the names"
            % " and ".join(reasons)
        )
    return said


class FilterModule:
    """The filters of this file."""

    def filters(self) -> dict[str, Callable[..., Any]]:
        """Return the filters by name."""
        return {
            "vault_certificates_due": vault_certificates_due,
            "vault_certificates_refused": vault_certificates_refused,
            "vault_certificates_served": vault_certificates_served,
            "vault_certificates_resolved": vault_certificates_resolved,
        }
