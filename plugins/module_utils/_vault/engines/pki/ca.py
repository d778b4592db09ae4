# Copyright: Contributors to the secretops.vault_eso project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# Private to this collection: what is here may change at any time. Other collections must not import it.
"""Certificate authorities of PKI mounts. Private keys are made by the server and never leave it.

Source: /api-docs/secret/pki.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from typing import Any
from urllib.parse import quote

from ...._engine import normalise
from ...._engine.errors import InvalidInput
from ...._engine.reconcile import Change, check_completed
from ...base.kind import Given, Kind
from ...base.listing import Listing
from ...base.mounts import EngineMounts
from ...base.naming import check_addresses, plain
from ...connection.answers import data_of
from ...connection.client import Client
from ...connection.errors import VaultError
from .ca_certificate import CERTIFICATE, certificate_differences, describe_certificate, instant, same_key
from .in_mount import InPkiMount, check_key
from .x509 import blocks

URLS: dict[str, normalise.Normaliser] = {
    "issuing_certificates": normalise.string_set,
    "crl_distribution_points": normalise.string_set,
    "ocsp_servers": normalise.string_set,
    "enable_templating": normalise.boolean,
}
CRL: dict[str, normalise.Normaliser] = {
    "expiry": normalise.seconds,
    "disable": normalise.boolean,
    "auto_rebuild": normalise.boolean,
    "auto_rebuild_grace_period": normalise.seconds,
    "enable_delta": normalise.boolean,
    "delta_rebuild_interval": normalise.seconds,
    "ocsp_disable": normalise.boolean,
    "ocsp_expiry": normalise.seconds,
    "allow_expired_cert_revocation": normalise.boolean,
}
CLUSTER: dict[str, normalise.Normaliser] = {"path": normalise.scalar, "aia_path": normalise.scalar}
TIDY_WHAT = (
    *("tidy_cert_store", "tidy_revoked_certs", "tidy_invalid_certs", "tidy_revoked_cert_issuer_associations"),
    *("tidy_expired_issuers", "tidy_move_legacy_ca_bundle", "tidy_acme"),
)
TIDY: dict[str, normalise.Normaliser] = {
    **dict.fromkeys(("enabled", "maintain_stored_certificate_counts", *TIDY_WHAT), normalise.boolean),
    "publish_stored_certificate_count_metrics": normalise.boolean,
    **dict.fromkeys(("interval_duration", "safety_buffer", "issuer_safety_buffer"), normalise.seconds),
    **dict.fromkeys(("revoked_safety_buffer", "acme_account_safety_buffer", "pause_duration"), normalise.seconds),
    "page_size": normalise.integer,
}
DURATIONS = frozenset(
    name for table in (CRL, TIDY) for name, function in table.items() if function is normalise.seconds
) | {"ttl"}
GROUPS = {"urls": URLS, "crl": CRL, "cluster": CLUSTER, "tidy": TIDY}
#: where a group stands below ``config``, when not under its own name
PLACES = {"tidy": "auto-tidy"}


def issuer_usage(value: Any) -> list[str]:
    """Return what an issuer may do; reading is always among it."""
    return sorted({*normalise.strings(value), "read-only"})


#: settings of one issuer
ISSUER: dict[str, normalise.Normaliser] = {
    "leaf_not_after_behavior": lambda value: normalise.scalar(value) or "err",
    "usage": issuer_usage,
    # its order is that of the chain
    "manual_chain": normalise.strings,
    "revocation_signature_algorithm": lambda value: normalise.scalar(value).lower(),
    **dict.fromkeys(("issuing_certificates", "crl_distribution_points", "ocsp_servers"), normalise.string_set),
    "enable_aia_url_templating": normalise.boolean,
}


def with_mount(urls: Mapping[str, Any], mount: str) -> dict[str, Any]:
    """Return url settings with ``{mount}`` or ``{{mount}}`` replaced by the mount's path."""

    def filled(value: Any) -> Any:
        if isinstance(value, list):
            return [filled(item) for item in value]
        return re.sub(r"\{\{\s*mount\s*\}\}|\{mount\}", mount, value) if isinstance(value, str) else value

    return {name: filled(value) for name, value in urls.items()}


class Authority(InPkiMount):
    """The authority of a PKI mount: its key and certificate, made once, and the settings around them."""

    kind = "PKI CA"
    holds_data = True
    fields = {
        "%s.%s" % (group, name): function
        for group, table in {**GROUPS, "issuer": ISSUER}.items()
        for name, function in table.items()
    }

    def __init__(self, mounts: EngineMounts, item: Mapping[str, Any]) -> None:
        mount = normalise.path(item["mount"])
        self.intermediate = item.get("type") == "intermediate"
        self.issuer_mount = normalise.path(item.get("issuer_mount"))
        self.signed = blocks(item.get("certificate"))
        self.issuer: dict[str, Any] = {}
        #: further issuers of the mount by how they are referred to
        self.others: dict[str, dict[str, Any]] = {}
        self.fields = dict(self.fields)
        self.key_ref = ""
        self.csr = ""
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
                self.others.setdefault(str(entry["ref"]), {})
                table: dict[str, normalise.Normaliser] = {**ISSUER, "issuer_name": normalise.scalar}
                self.fields.update({"%s.%s" % (prefix, name): function for name, function in table.items()})
            if self.signed:
                desired["certificate"] = self.signed[0]
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
        check_completed(self._check_groups, self.desired, self._read_groups)

    # -- reading ------------------------------------------------------------------------------------------------------

    def _choose_issuer(self, issuers: Mapping[str, Mapping[str, Any]]) -> str:
        """Return the id of the issuer that the declaration is about, '' when there is none."""
        # an intermediate's mount holds its issuers' certificates too, without keys; old servers do not list the keys
        own = {name: entry for name, entry in issuers.items() if entry.get("key_id", "unknown")}
        if not own and not self.intermediate:
            own = dict(issuers)
        if self.signed:
            # only an issuer with this very certificate will do
            return next(
                (name for name in issuers if blocks(self._read_issuer(name).get("certificate"))[:1] == self.signed[:1]),
                "",
            )
        wanted = (self.desired or {}).get("issuer_name")
        for name, entry in own.items():
            if wanted and wanted in (entry.get("issuer_name"), name):
                return name
        if wanted and own and self.item.get("new_issuer"):
            return ""
        if wanted and len(own) > 1:
            raise InvalidInput(
                'none of the %d issuers is called "%s"' % (len(own), wanted),
                remedy='correct the name, give one of them this name, or set "new_issuer: true" for one more',
            )
        return next((name for name, entry in own.items() if entry.get("is_default")), next(iter(own), ""))

    def _read_issuer(self, reference: str) -> dict[str, Any]:
        return self.client.read("%s/issuer/%s" % (self.mount, quote(reference, safe=""))) or {}

    def _choose_key(self, issuers: Mapping[str, Mapping[str, Any]]) -> str:
        """Return the id of the key that waits for its certificate, '' when there is none."""
        keys = self.listing("keys")
        wanted = (self.desired or {}).get("key_name")
        for name, entry in keys.items():
            if wanted and entry.get("key_name") == wanted:
                return name
        # of a mount with older issuers, the one key that has none yet; a certificate may be a renewed one
        held = {entry.get("key_id") for entry in issuers.values()}
        waiting = [name for name in keys if name not in held]
        if not waiting and (self.signed or not self.item.get("new_issuer")):
            waiting = list(keys)
        return waiting[0] if len(waiting) == 1 and not wanted else ""

    def read(self) -> Mapping[str, Any] | None:
        if not self.find():
            self._check_references({})
            return None
        issuers = self.listing("issuers")
        if self.desired is None:
            if issuers:
                return {"issuers": sorted(issuers)}
            # one that waits for its certificate
            waiting = sorted(self.listing("keys"))
            return {"key_ids": waiting} if waiting else None
        chosen = self._choose_issuer(issuers)
        current: dict[str, Any] = {}
        for group in GROUPS:
            if any(name.startswith(group + ".") for name in self.desired):
                found = self.client.read("%s/config/%s" % (self.mount, PLACES.get(group, group))) or {}
                current.update({"%s.%s" % (group, name): value for name, value in found.items()})
        self._check_groups({**current, **self.desired})
        self._check_known(current)
        self._check_references(issuers, bool(chosen))
        if chosen:
            self.issuer = self._read_issuer(chosen)
            self._tell_issuer()
            current["certificate"] = (blocks(self.issuer.get("certificate")) or [""])[0]
            current["issuer_name"] = self.issuer.get("issuer_name") or ""
            self._warn(current["certificate"])
        elif self.intermediate:
            self.key_ref = self._choose_key(issuers)
            if self.key_ref:
                self._request_existing()
        name_holder = next(
            (
                name
                for name, entry in issuers.items()
                if entry.get("issuer_name") and entry["issuer_name"] == self.desired.get("issuer_name")
            ),
            "",
        )
        if self.signed and not chosen and name_holder:
            raise InvalidInput(
                'another certificate is the issuer "%s"' % self.desired["issuer_name"],
                remedy='declare a new "issuer_name" with the new certificate',
            )
        if not chosen and not self.csr:
            if self.signed:
                raise InvalidInput(
                    "there is no key that the certificate could belong to",
                    remedy='run without "certificate" first, and have the returned CSR signed',
                )
            self._check_limit()
            return None
        if not chosen and not self.signed:
            self._check_limit()
        if self.signed and not chosen and not same_key(self.signed[0], self.csr):
            raise InvalidInput(
                "the certificate is for another key than that of this mount's CSR",
                remedy="have the returned CSR signed, and give the certificate that comes of it",
            )
        default = next((name for name, entry in issuers.items() if entry.get("is_default")), "")
        current["default_issuer"] = issuers.get(default, {}).get("issuer_name") or default
        if self.desired.get("default_issuer") == default:
            current["default_issuer"] = default
        if chosen:
            current.update(self._read_settings("issuer", self.issuer, issuers))
        for ref in self.others:
            current.update(self._read_other(ref, issuers))
        return current

    def _check_limit(self) -> None:
        """Refuse a TTL that the server would cut: a certificate stays as it was made. Raises InvalidInput."""
        signer = self.issuer_mount if self.intermediate else self.mount
        wanted, limit = (
            normalise.seconds((self.desired or {}).get("ttl")) or 0,
            self.mounts.limit(signer) if signer else 0,
        )
        if limit and wanted > limit:
            raise InvalidInput(
                'ttl is longer than the mount "%s" allows, which is %d hours' % (signer, limit // 3600),
                remedy='shorten it, or raise "max_lease_ttl" of that mount first (module vault_secrets_engine, "tune")',
            )

    def _read_settings(
        self, prefix: str, found: Mapping[str, Any], issuers: Mapping[str, Mapping[str, Any]]
    ) -> dict[str, Any]:
        """Return an issuer's settings; a chain names issuers as they are called, in the declaration too."""
        names = {key: str(entry.get("issuer_name") or key) for key, entry in issuers.items()}
        own, called = str(self.issuer.get("issuer_id") or ""), (self.desired or {}).get("issuer_name")
        if own in names and called:
            # by the time that a chain is written it has this name
            names[own] = called
        current = {"%s.%s" % (prefix, name): found.get(name) for name in (*ISSUER, "issuer_name")}
        chain = prefix + ".manual_chain"
        current[chain] = [names.get(key, key) for key in current[chain] or []]
        desired = self.desired or {}
        if chain in desired:
            desired[chain] = [names.get(key, key) for key in normalise.strings(desired[chain])]
            for name in desired[chain]:
                if name not in (*names.values(), desired.get("issuer_name")):
                    raise InvalidInput('there is no issuer "%s"' % name, remedy='correct "manual_chain"')
        return current

    def _read_other(self, ref: str, issuers: Mapping[str, Mapping[str, Any]]) -> dict[str, Any]:
        renamed = (self.desired or {}).get("issuers.%s.issuer_name" % ref)
        for wanted in (ref, renamed):
            for key, entry in issuers.items():
                if wanted and wanted in (key, entry.get("issuer_name")):
                    self.others[ref] = self._read_issuer(key)
                    return self._read_settings("issuers.%s" % ref, self.others[ref], issuers)
        raise InvalidInput(
            'there is no issuer "%s"' % ref, remedy='correct "issuers"; the names and ids are those of the mount'
        )

    def _check_references(self, issuers: Mapping[str, Mapping[str, Any]], stands: bool = False) -> None:
        """Refuse to name an issuer that there is not, before anything is made. Raises InvalidInput."""
        desired = self.desired or {}
        known = {desired.get("issuer_name"), *issuers, *(entry.get("issuer_name") for entry in issuers.values())}
        wanted = [("default_issuer", desired.get("default_issuer"))]
        if not stands and not self.csr:
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

    def _read_groups(self) -> dict[str, Any]:
        found: dict[str, Any] = {}
        for group in ("crl", "tidy") if self.find() else ():
            if any(name.startswith(group + ".") for name in self.desired or {}):
                answer = self.client.read("%s/config/%s" % (self.mount, PLACES.get(group, group))) or {}
                found.update({"%s.%s" % (group, name): value for name, value in answer.items()})
        return found

    def _check_groups(self, after: Mapping[str, Any]) -> None:
        """Refuse what the server would refuse of the settings, declared and standing. Raises InvalidInput."""
        if (self.desired or {}).get("crl.enable_delta") and not after.get("crl.auto_rebuild"):
            raise InvalidInput(
                '"enable_delta" is for lists that are rebuilt', remedy='set "auto_rebuild: true" as well'
            )
        grace, expiry = (
            normalise.seconds(after.get("crl." + name)) for name in ("auto_rebuild_grace_period", "expiry")
        )
        if after.get("crl.auto_rebuild") and grace and expiry and grace >= expiry:
            raise InvalidInput(
                '"auto_rebuild_grace_period" is no shorter than "expiry"', remedy="correct one of the two"
            )
        if (self.desired or {}).get("tidy.enabled") and not any(after.get("tidy.%s" % name) for name in TIDY_WHAT):
            raise InvalidInput(
                '"tidy" is enabled, and nothing is to be cleared up', remedy="set one of %s" % ", ".join(TIDY_WHAT)
            )

    def _check_known(self, current: Mapping[str, Any]) -> None:
        """Refuse what the server would drop without a word. Raises InvalidInput."""
        for group in ("crl.", "tidy."):
            known = {name for name in current if name.startswith(group)}
            for name in sorted(self.desired or {}):
                if name.startswith(group) and known and name not in known:
                    raise InvalidInput('this server knows no "%s"' % name, remedy="remove it")

    def _warn(self, certificate: str) -> None:
        differences = certificate_differences(self.item, describe_certificate(certificate))
        if differences:
            self.warnings.append(
                "the existing certificate stays as it is, though its %s; for a new one declare another "
                '"issuer_name" with "new_issuer: true"' % "; its ".join(differences)
            )

    def compare(self, current: Mapping[str, Any], desired: Mapping[str, Any]) -> list[str]:
        stands = bool(self.issuer or self.signed or self.issuer_mount)
        # a request that waits for its certificate has no issuer that could have settings
        names = [name for name in desired if name in self.fields and (stands or not name.startswith("issuer."))]
        if self.issuer or self.signed or (self.csr and self.issuer_mount):
            names += [name for name in ("issuer_name", "default_issuer") if desired.get(name)]
        differing = normalise.differing(current, {name: desired[name] for name in names}, self.fields)
        if not self.issuer and (self.signed or self.issuer_mount):
            # a key without certificate: interrupted, or the external authority has signed at last
            differing.append("certificate")
        return sorted(set(differing))

    # -- writing ------------------------------------------------------------------------------------------------------

    def _tell_issuer(self) -> None:
        self.info.update(
            issuer_id=self.issuer.get("issuer_id"),
            issuer_name=self.issuer.get("issuer_name") or "",
            key_id=self.issuer.get("key_id") or "",
            certificate=normalise.pem(self.issuer.get("certificate")),
            ca_chain=normalise.pem_list(self.issuer.get("ca_chain")),
        )

    def _body(self, *names: str) -> dict[str, Any]:
        body = {name: (self.desired or {})[name] for name in names if name in (self.desired or {})}
        if "alt_names" in body:
            # the one list that the API takes as text only
            body["alt_names"] = ",".join(body["alt_names"])
        if body.get("not_after"):
            body["not_after"] = instant(body["not_after"])
        return normalise.spans(body, DURATIONS)

    def _request_existing(self) -> None:
        """Ask for the CSR of the key that exists; the server makes it anew and stores nothing."""
        body = self._body(*(name for name in CERTIFICATE if name not in ("key_type", "key_bits", "ttl", "not_after")))
        answer = data_of(
            self.client.write("%s/intermediate/generate/existing" % self.mount, {**body, "key_ref": self.key_ref})
        )
        self.csr = normalise.pem(answer.get("csr"))
        self.info.update(csr=self.csr, key_id=self.key_ref)

    def _request_new(self) -> None:
        body = self._body(*(name for name in CERTIFICATE if name not in ("ttl", "not_after")), "key_name")
        answer = data_of(self.client.write("%s/intermediate/generate/internal" % self.mount, body, idempotent=False))
        self.key_ref, self.csr = answer.get("key_id") or "", normalise.pem(answer.get("csr"))
        self.info.update(csr=self.csr, key_id=self.key_ref)

    def _sign(self) -> list[str]:
        """Have the CSR signed by another mount of the server; return the certificate and its chain."""
        body = self._body(*(name for name in CERTIFICATE if name not in ("key_type", "key_bits")))
        path = "%s/issuer/%s/sign-intermediate" % (
            self.issuer_mount,
            quote(self.item.get("issuer_ref") or "default", safe=""),
        )
        answer = data_of(self.client.write(path, {**body, "csr": self.csr, "format": "pem"}, idempotent=False))
        return blocks([answer.get("certificate") or "", *(answer.get("ca_chain") or [answer.get("issuing_ca") or ""])])

    def _import(self, chain: Sequence[str]) -> str:
        """Store a signed certificate with its chain; return the id of the issuer that has our key."""
        answer = data_of(
            self.client.write("%s/intermediate/set-signed" % self.mount, {"certificate": "\n".join(chain)})
        )
        mapping = answer.get("mapping") or {}
        for issuer, key in mapping.items():
            if key and key == self.key_ref:
                return str(issuer)
        # imported before: the answer names new issuers only
        for issuer in self.listing("issuers"):
            found = self._read_issuer(issuer)
            if found.get("key_id") == self.key_ref and blocks(found.get("certificate"))[:1] == list(chain[:1]):
                return issuer
        raise VaultError(
            "the certificate was stored, but no issuer has the key %s" % self.key_ref,
            remedy="check that the certificate was made from the returned CSR",
        )

    def write(self, change: Change) -> None:
        self.need_mount()
        # settings first: they become part of the certificates that are made afterwards
        for group in ("cluster", "urls", "crl", "tidy"):
            body = {
                name.split(".", 1)[1]: (self.desired or {})[name]
                for name in change.fields
                if name.startswith(group + ".")
            }
            if body:
                self.client.write(
                    "%s/config/%s" % (self.mount, PLACES.get(group, group)), normalise.spans(body, DURATIONS)
                )
                change.touched = True
        further = bool(self.item.get("new_issuer"))
        if not self.issuer and not self.intermediate:
            self.issuer = self._read_issuer(self._make_root() or "default")
            if further:
                self._make_default(self.issuer["issuer_id"])
            self._warn(normalise.pem(self.issuer.get("certificate")))
        elif not self.issuer:
            if not self.csr:
                self._request_new()
            chain = self.signed or (self._sign() if self.issuer_mount else [])
            if not chain:
                self._write_others(change)
                return
            had_default = self._default()
            issuer = self._import(chain)
            if further or not had_default:
                # of an imported chain only this issuer can sign
                self._make_default(issuer)
            self.issuer = self._read_issuer(issuer)
            self.info.pop("csr", None)
            self._warn(normalise.pem(self.issuer.get("certificate")))
        self._name_and_default()
        self._write_settings("issuer", str(self.issuer["issuer_id"]), change)
        self._write_others(change)
        self._tell_issuer()

    def _make_root(self) -> str:
        """Make a certificate that signs itself, with a new key or one that has the declared name; return its id."""
        name = (self.desired or {}).get("key_name")
        keys = self.listing("keys") if name and self.item.get("new_issuer") else {}
        key = next((one for one, entry in keys.items() if entry.get("key_name") == name), "")
        body = self._body(*CERTIFICATE, "issuer_name", "key_name")
        if key:
            body = {k: v for k, v in body.items() if k not in ("key_name", "key_type", "key_bits")}
            body["key_ref"] = key
        how = "existing" if key else "internal"
        answer = data_of(self.client.write("%s/root/generate/%s" % (self.mount, how), body, idempotent=False))
        return str(answer.get("issuer_id") or "")

    def _make_default(self, issuer: str) -> None:
        if not (self.desired or {}).get("default_issuer"):
            self.client.write("%s/config/issuers" % self.mount, {"default": issuer})

    def _write_others(self, change: Change) -> None:
        for ref, found in self.others.items():
            self._write_settings("issuers.%s" % ref, str(found.get("issuer_id") or ref), change)

    def _write_settings(self, prefix: str, issuer: str, change: Change) -> None:
        start = len(prefix) + 1
        names = [name for name in change.fields if name.startswith(prefix + ".") and name[start:].isidentifier()]
        if names:
            self._patch(issuer, {name[start:]: (self.desired or {})[name] for name in names})
            change.touched = True

    def _patch(self, issuer: str, body: Mapping[str, Any]) -> None:
        self.client.request(
            "PATCH",
            "%s/issuer/%s" % (self.mount, quote(issuer, safe="")),
            {name: ",".join(value) if name == "usage" else value for name, value in body.items()},
            headers={"Content-Type": "application/merge-patch+json"},
            idempotent=True,
        )

    def _default(self) -> str:
        return str((self.client.read("%s/config/issuers" % self.mount) or {}).get("default") or "")

    def _name_and_default(self) -> None:
        name = (self.desired or {}).get("issuer_name")
        if name and self.issuer.get("issuer_name") != name:
            self._patch(self.issuer["issuer_id"], {"issuer_name": name})
            self.issuer["issuer_name"] = name
        wanted = (self.desired or {}).get("default_issuer")
        if wanted:
            reference = self.issuer["issuer_id"] if wanted == name else (self._read_issuer(wanted).get("issuer_id"))
            if not reference:
                raise InvalidInput('there is no issuer "%s"' % wanted, remedy='correct "default_issuer"')
            if self._default() != reference:
                self.client.write("%s/config/issuers" % self.mount, {"default": reference})

    def delete(self, change: Change) -> None:
        self.client.delete("%s/root" % self.mount)


def authorities(mounts: EngineMounts, items: Iterable[Mapping[str, Any]]) -> list[Authority]:
    """Return the resources of declared authorities, ranked so that an issuer stands before what it signs.

    Raises InvalidInput when authorities would sign each other in a circle.
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


STRINGS: dict[str, Any] = {"type": "list", "elements": "str"}
URL_OPTIONS: dict[str, Any] = {
    "issuing_certificates": STRINGS,
    "crl_distribution_points": STRINGS,
    "ocsp_servers": STRINGS,
    "enable_templating": {"type": "bool"},
}
CRL_OPTIONS: dict[str, Any] = {
    "expiry": {"type": "str"},
    "disable": {"type": "bool"},
    "auto_rebuild": {"type": "bool"},
    "auto_rebuild_grace_period": {"type": "str"},
    "enable_delta": {"type": "bool"},
    "delta_rebuild_interval": {"type": "str"},
    "ocsp_disable": {"type": "bool"},
    "ocsp_expiry": {"type": "str"},
    "allow_expired_cert_revocation": {"type": "bool"},
}
TIDY_OPTIONS: dict[str, Any] = {
    "enabled": {"type": "bool"},
    "interval_duration": {"type": "str"},
    **{name: {"type": "bool"} for name in TIDY_WHAT},
    "safety_buffer": {"type": "str"},
    "revoked_safety_buffer": {"type": "str"},
    "issuer_safety_buffer": {"type": "str"},
    "acme_account_safety_buffer": {"type": "str"},
    "pause_duration": {"type": "str"},
    "page_size": {"type": "int"},
    "maintain_stored_certificate_counts": {"type": "bool"},
    "publish_stored_certificate_count_metrics": {"type": "bool"},
}
ISSUER_OPTIONS: dict[str, Any] = {
    "leaf_not_after_behavior": {"type": "str", "choices": ["err", "truncate", "permit", "always_enforce_err"]},
    "usage": {
        "type": "list",
        "elements": "str",
        "choices": ["read-only", "issuing-certificates", "crl-signing", "ocsp-signing"],
    },
    "manual_chain": STRINGS,
    "revocation_signature_algorithm": {"type": "str"},
    "issuing_certificates": STRINGS,
    "crl_distribution_points": STRINGS,
    "ocsp_servers": STRINGS,
    "enable_aia_url_templating": {"type": "bool"},
}
ISSUERS_OPTIONS: dict[str, Any] = {
    "ref": {"type": "str", "required": True},
    "issuer_name": {"type": "str"},
    **ISSUER_OPTIONS,
}
ITEM: dict[str, Any] = {
    "mount": {"type": "str"},
    "type": {"type": "str", "choices": ["root", "intermediate"], "default": "root"},
    "common_name": {"type": "str"},
    "issuer_name": {"type": "str"},
    "new_issuer": {"type": "bool", "default": False},
    "key_name": {"type": "str", "no_log": False},
    "key_type": {"type": "str", "choices": ["rsa", "ec", "ed25519"]},
    "key_bits": {"type": "int", "no_log": False},
    "signature_bits": {"type": "int"},
    "ttl": {"type": "str"},
    "not_after": {"type": "str"},
    "alt_names": STRINGS,
    "ip_sans": STRINGS,
    "uri_sans": STRINGS,
    "exclude_cn_from_sans": {"type": "bool"},
    "max_path_length": {"type": "int"},
    "permitted_dns_domains": STRINGS,
    "organization": STRINGS,
    "ou": STRINGS,
    "country": STRINGS,
    "locality": STRINGS,
    "province": STRINGS,
    "street_address": STRINGS,
    "postal_code": STRINGS,
    "issuer_mount": {"type": "str"},
    "issuer_ref": {"type": "str"},
    "certificate": {"type": "str"},
    "default_issuer": {"type": "str"},
    "urls": {"type": "dict", "options": URL_OPTIONS},
    "crl": {"type": "dict", "options": CRL_OPTIONS},
    "cluster": {"type": "dict", "options": {"path": {"type": "str"}, "aia_path": {"type": "str"}}},
    "tidy": {"type": "dict", "options": TIDY_OPTIONS},
    "issuer": {"type": "dict", "options": ISSUER_OPTIONS},
    "issuers": {"type": "list", "elements": "dict", "options": ISSUERS_OPTIONS},
}


class PkiCas(Kind):
    """Certificate authorities of PKI mounts."""

    about = "Certificate authorities"
    tag = "pki"
    module = "vault_pki_ca"
    plural = "authorities"
    item = ITEM
    required = ("mount",)
    listings = (Listing("{mount}/issuers", "info", engine="pki", name="issuer_name", item="{mount}/issuer/{name}"),)

    def resources(self, client: Client, items: Sequence[Mapping[str, Any]], given: Given) -> list[Any]:
        return authorities(EngineMounts(client), items)
