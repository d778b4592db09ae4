# Copyright: Contributors to the secretops.vault_eso project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Certificates of the PKI engine, kept valid in files.

Source: /api-docs/secret/pki (issue, revoke, cert, issuer).
"""

from __future__ import annotations

import datetime
import ipaddress
import os
import re
import traceback
from collections.abc import Iterator, Mapping, Sequence
from typing import Any
from urllib.parse import quote

from .. import normalise, private_file
from ..errors import InvalidInput, SecretopsError
from ..reconcile import Change
from .client import BadRequest, PermissionDenied, VaultError, data_of
from .naming import check_addresses, plain
from .pki import Inside, blocks
from .secrets_engine import Mounted

try:
    from cryptography import x509
    from cryptography.hazmat.primitives import serialization

    CRYPTOGRAPHY_ERROR = None
except ImportError:
    CRYPTOGRAPHY_ERROR = traceback.format_exc()

#: files of public text; the key is the one that is private
PUBLIC = ("cert_dest", "chain_dest", "fullchain_dest")
FILES = (*PUBLIC, "key_dest")
NAMES = ("alt_names", "ip_sans", "uri_sans")


def address(value: Any) -> str:
    """Return an IP address in one form; what is none stays what it is."""
    try:
        return str(ipaddress.ip_address(normalise.scalar(value).strip()))
    except ValueError:
        return normalise.scalar(value)


def lower_set(value: Any) -> list[str]:
    """Return names of hosts and mailboxes as a set in lower case."""
    return sorted({name.lower() for name in normalise.strings(value)})


def hostname(name: str) -> bool:
    """Tell whether a common name is one that the engine adds to the alternative names as a host."""
    labels = name[2:] if name.startswith("*.") else name
    return bool(re.fullmatch(r"(?!-)[A-Za-z0-9_-]{1,63}(?<!-)(\.(?!-)[A-Za-z0-9_-]{1,63}(?<!-))*\.?", labels))


def moment(certificate: Any, name: str) -> datetime.datetime:
    """Return ``not_valid_before`` or ``not_valid_after`` in UTC, of old and new versions of the library."""
    # the older names warn on new versions, the newer are missing on old ones
    found = getattr(certificate, name + "_utc", None) or getattr(certificate, name)
    return found if found.tzinfo else found.replace(tzinfo=datetime.timezone.utc)


def seconds_left(certificate: Any) -> float:
    """Return how many seconds a certificate is still valid."""
    return (moment(certificate, "not_valid_after") - datetime.datetime.now(datetime.timezone.utc)).total_seconds()


def public_key(key: Any) -> bytes:
    """Return a public key in the one form in which equality means equality."""
    return bytes(key.public_bytes(serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo))


def serial(certificate: Any) -> str:
    """Return a serial number as the API writes it: ``0a:1b:...``."""
    text = "%x" % certificate.serial_number
    text = text.zfill(len(text) + len(text) % 2)
    return ":".join(text[at : at + 2] for at in range(0, len(text), 2))


def alternative_names(certificate: Any) -> dict[str, list[str]]:
    """Return the alternative names by the options that they come from."""
    try:
        names = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    except x509.ExtensionNotFound:
        return {name: [] for name in NAMES}
    return {
        "alt_names": lower_set([*names.get_values_for_type(x509.DNSName), *names.get_values_for_type(x509.RFC822Name)]),
        "ip_sans": sorted(str(one) for one in names.get_values_for_type(x509.IPAddress)),
        "uri_sans": sorted(names.get_values_for_type(x509.UniformResourceIdentifier)),
    }


def issued_by(certificate: Any, issuer: Any) -> bool:
    """Tell whether a certificate was signed by an issuer."""
    if certificate.issuer != issuer.subject:
        return False
    try:
        certificate.verify_directly_issued_by(issuer)
    except AttributeError:
        # cryptography below 40: the key identifiers must do
        try:
            theirs = issuer.extensions.get_extension_for_class(x509.SubjectKeyIdentifier).value.digest
            ours = certificate.extensions.get_extension_for_class(x509.AuthorityKeyIdentifier).value.key_identifier
        except x509.ExtensionNotFound:
            return True
        return bool(ours == theirs)
    except Exception:  # noqa: BLE001  # pylint: disable=broad-except
        # InvalidSignature, or a kind of key that cannot have signed this
        return False
    return True


class Certificate(Inside):
    """One certificate with its key in files, named by the certificate's file: issued when that will not do."""

    kind = "certificate"
    rank = 30
    fields = {
        "common_name": normalise.scalar,
        "alt_names": lower_set,
        "ip_sans": lambda value: sorted({address(one) for one in normalise.strings(value)}),
        "uri_sans": normalise.string_set,
    }

    def __init__(self, mounted: Mounted, item: Mapping[str, Any]) -> None:
        self.item = item
        self.files = {name: os.path.abspath(str(item[name])) for name in FILES if item.get(name)}
        self.certificate: Any = None
        self.pem = ""
        self.private_key = ""
        desired: dict[str, Any] | None = None
        if item["state"] == "present":
            desired = {"role": item.get("role"), "common_name": item.get("common_name"), "state": "valid"}
            desired.update({name: item.get(name) or [] for name in NAMES})
            desired["alt_names"] = self._all_names(desired["alt_names"])
            desired.update({name: "current" for name in self.files if name not in ("cert_dest", "key_dest")})
            desired.update(key="matching", key_mode="0600", issuer="as declared")
        super().__init__(mounted, normalise.path(item["mount"]), self.files.get("cert_dest", ""), desired)

    def _all_names(self, names: Sequence[str]) -> list[str]:
        """Return the alternative names that the engine makes of the declared ones and the common name."""
        common = normalise.scalar(self.item.get("common_name"))
        named = "@" in common or hostname(common)
        return lower_set([*names, *([common] if named and not self.item.get("exclude_cn_from_sans") else [])])

    # -- what cannot be right -----------------------------------------------------------------------------------------

    def check(self) -> None:
        super().check()
        if len(set(self.files.values())) < len(self.files):
            raise InvalidInput("two of the files are the same", remedy="name a file for each")
        if self.desired is None:
            return
        for name in ("role", "common_name", "key_dest"):
            if not self.item.get(name):
                raise InvalidInput('"%s" is missing' % name, remedy="give it, or set state: absent")
        if not plain(str(self.item["role"])):
            raise InvalidInput('"%s" is no name of a role' % self.item["role"], remedy="correct it")
        ttl, before = (normalise.seconds(self.item.get(name)) for name in ("ttl", "renew_before"))
        if before is not None and before < 0:
            raise InvalidInput("renew_before is negative", remedy="give a duration, such as 720h")
        if ttl and before and before >= ttl:
            raise InvalidInput(
                "renew_before is no shorter than ttl, so each run would issue another", remedy="correct one of the two"
            )
        check_addresses("ip_sans", self.item.get("ip_sans") or ())

    # -- reading ------------------------------------------------------------------------------------------------------

    def read(self) -> Mapping[str, Any] | None:
        text = private_file.read(self.files["cert_dest"])
        self.private_key = private_file.read(self.files["key_dest"]) or "" if "key_dest" in self.files else ""
        mounted = self.find()
        if text is None:
            if self.desired is None and any(os.path.exists(path) for path in self.files.values()):
                return {"state": "without certificate"}
            if self.desired is not None and mounted:
                self._read_role()
            return None
        self.pem = (blocks(text) or [""])[0]
        try:
            self.certificate = x509.load_pem_x509_certificate(self.pem.encode())
        except ValueError:
            return {"state": "unreadable"}
        self._tell()
        current: dict[str, Any] = {"role": self.item.get("role"), "state": "valid", **self._describe()}
        if self.desired is not None:
            current.update(self._look_at_files())
            current["state"] = self._state(mounted)
            current["issuer"] = "as declared" if not mounted or self._right_issuer() else "another"
        return current

    def _tell(self) -> None:
        end = moment(self.certificate, "not_valid_after")
        self.info.update(
            serial_number=serial(self.certificate),
            not_after=end.isoformat(),
            issuer=self.certificate.issuer.rfc4514_string(),
        )

    def _describe(self) -> dict[str, Any]:
        common = self.certificate.subject.get_attributes_for_oid(x509.NameOID.COMMON_NAME)
        return {"common_name": "".join(str(part.value) for part in common), **alternative_names(self.certificate)}

    def _look_at_files(self) -> dict[str, Any]:
        state: dict[str, Any] = {"key": "another", "key_mode": "0600"}
        try:
            key = (
                serialization.load_pem_private_key(self.private_key.encode(), None).public_key()
                if self.private_key
                else None
            )
        except (ValueError, TypeError):
            key = None
        if key is not None and public_key(key) == public_key(self.certificate.public_key()):
            state["key"] = "matching"
        if self.private_key and not private_file.is_private(self.files["key_dest"]):
            state["key_mode"] = "open to others"
        if "fullchain_dest" in self.files:
            begin = blocks(private_file.read(self.files["fullchain_dest"]))[:1]
            state["fullchain_dest"] = "current" if begin == [self.pem] else "missing or another"
        if "chain_dest" in self.files:
            chain = blocks(private_file.read(self.files["chain_dest"]))
            state["chain_dest"] = "current" if chain and self._signs(chain[0]) else "missing or another"
        return state

    def _signs(self, pem: Any) -> bool:
        try:
            return issued_by(self.certificate, x509.load_pem_x509_certificate(str(pem).encode()))
        except ValueError:
            return False

    def _renew_before(self, certificate: Any) -> float:
        """Return how many seconds before its end a certificate is to be renewed."""
        begin, end = (moment(certificate, name) for name in ("not_valid_before", "not_valid_after"))
        before = normalise.seconds(self.item.get("renew_before"))
        return (end - begin).total_seconds() / 3 if before is None else float(before)

    def _state(self, mounted: bool) -> str:
        left = seconds_left(self.certificate)
        if left <= 0:
            return "expired"
        if mounted and self._revoked():
            return "revoked"
        return "valid" if left > self._renew_before(self.certificate) else "about to expire"

    def _revoked(self) -> bool:
        try:
            stored = self.client.read("%s/cert/%s" % (self.mount, serial(self.certificate))) or {}
        except VaultError as error:
            # a server that does not store certificates of a role knows nothing of this one
            if isinstance(error, PermissionDenied) or error.status in (400, 404):
                return False
            raise
        return bool(stored.get("revocation_time"))

    def _read_role(self) -> dict[str, Any] | None:
        """Return the role, None when there is none, or the token may only issue."""
        try:
            role = self.client.read("%s/roles/%s" % (self.mount, self.item["role"]))
        except PermissionDenied:
            return None
        if role is not None and normalise.boolean(role.get("generate_lease")):
            self._warn_of_lease()
        return role

    def _warn_of_lease(self) -> None:
        text = (
            'the role "%s" has generate_lease, so the server revokes the certificate together with the token that '
            'asked for it, at the end of the play at the latest; set "generate_lease: false" for the role'
            % self.item["role"]
        )
        if text not in self.warnings:
            self.warnings.append(text)

    def _issuers(self) -> Iterator[str]:
        """Yield the certificates of the issuers that may have signed: the declared one, else the role's, else any."""
        reference = self.item.get("issuer_ref")
        if not reference:
            role = self._read_role()
            reference = role.get("issuer_ref") or "default" if role is not None else None
        for one in [reference] if reference else self.client.list("%s/issuers" % self.mount):
            # needs no permission, unlike the issuer itself
            answer = self.client.request(
                "GET", "%s/issuer/%s/json" % (self.mount, quote(one, safe="")), missing_ok=True
            )
            if answer:
                yield str(data_of(answer).get("certificate") or "")

    def _right_issuer(self) -> bool:
        return any(self._signs(pem) for pem in self._issuers())

    def compare(self, current: Mapping[str, Any], desired: Mapping[str, Any]) -> list[str]:
        if current["state"] != "valid":
            # the rest of it does not matter any more
            return ["state"]
        return super().compare(current, desired)

    # -- writing ------------------------------------------------------------------------------------------------------

    def write(self, change: Change) -> None:
        self.need_mount()
        for name, path in self.files.items():
            # a service's own directory belongs to the service
            private_file.prepare(path, name, own=False)
        if change.current is not None and change.fields == ["key_mode"]:
            private_file.write(self.files["key_dest"], self.private_key)
            return
        answer = self._issue()
        try:
            self._check_life(answer)
            change.touched = True
            self._store(answer)
        except SecretopsError:
            self._undo(answer)
            raise
        self._tell()

    def _check_life(self, answer: Mapping[str, Any]) -> None:
        """Refuse a certificate that the next run would replace. Raises InvalidInput."""
        certificate = x509.load_pem_x509_certificate(str(answer["certificate"]).encode())
        left = seconds_left(certificate)
        if left <= self._renew_before(certificate):
            raise InvalidInput(
                "the server grants a life of %d seconds, which is no longer than renew_before, so each run would "
                "issue another" % left,
                remedy="shorten renew_before, or raise max_ttl of the role, max_lease_ttl of the mount, or the TTL of "
                "the issuer",
            )

    def _undo(self, answer: Mapping[str, Any]) -> None:
        try:
            self._revoke(str(answer["serial_number"]), str(answer["certificate"]))
        except VaultError as error:
            self.warnings.append(
                "the certificate %s is of no use and stays valid: %s" % (answer["serial_number"], error)
            )

    def _issue(self) -> dict[str, Any]:
        body: dict[str, Any] = {"common_name": self.item["common_name"], "format": "pem"}
        # lists that the API takes as text only
        body.update({name: ",".join(self.item[name]) for name in NAMES if self.item.get(name)})
        if self.item.get("ttl"):
            body["ttl"] = "%ss" % normalise.seconds(self.item["ttl"])
        if self.item.get("exclude_cn_from_sans"):
            body["exclude_cn_from_sans"] = True
        if self.item.get("private_key_format") == "pkcs8":
            body["private_key_format"] = "pkcs8"
        path = "%s/issue/%s" % (self.mount, self.item["role"])
        if self.item.get("issuer_ref"):
            path = "%s/issuer/%s/issue/%s" % (self.mount, quote(self.item["issuer_ref"], safe=""), self.item["role"])
        # never repeated: each attempt that reaches the server leaves a certificate there
        try:
            answer = self.client.write(path, body, idempotent=False)
            if answer.get("lease_id"):
                self._warn_of_lease()
            return data_of(answer)
        except BadRequest as error:
            if "unknown role" in error.what:
                raise InvalidInput(
                    'the mount "%s" has no role "%s"' % (self.mount, self.item["role"]),
                    remedy="declare it with vault_pki_role, or correct the name",
                ) from None
            raise

    def _store(self, answer: Mapping[str, Any]) -> None:
        self.pem = normalise.pem(answer.get("certificate"))
        chain = blocks(answer.get("ca_chain") or [answer.get("issuing_ca") or ""])
        self.certificate = x509.load_pem_x509_certificate(self.pem.encode())
        content = {
            "key_dest": normalise.pem(answer.get("private_key")),
            "chain_dest": "\n".join(chain),
            "fullchain_dest": "\n".join([self.pem, *chain]),
            "cert_dest": self.pem,
        }
        # the certificate last: a run cut off before is found by a key that does not match
        for name, text in content.items():
            if name in self.files:
                private_file.write(self.files[name], text)
                if name in PUBLIC:
                    self._open(self.files[name])

    @staticmethod
    def _open(path: str) -> None:
        try:
            os.chmod(path, 0o644)
        except OSError as error:
            raise SecretopsError("its mode cannot be set (%s)" % error.strerror, path, "check its owner") from error

    def _revoke(self, number: str, pem: str) -> None:
        """Revoke a certificate; one that the server did not store is shown to it. Raises VaultError."""
        try:
            self.client.write("%s/revoke" % self.mount, {"serial_number": number})
        except VaultError as error:
            if "not found" not in error.what:
                raise
            self.client.write("%s/revoke" % self.mount, {"certificate": pem})

    def delete(self, change: Change) -> None:
        if self.certificate is not None and not self.find():
            self.warnings.append("nothing is mounted at %s any more, so the certificate was not revoked" % self.mount)
        elif self.certificate is not None:
            try:
                self._revoke(serial(self.certificate), self.pem)
            except BadRequest as error:
                self.warnings.append("the certificate is not of this mount, and was not revoked (%s)" % error.what)
        elif self.pem:
            self.warnings.append("the certificate cannot be read, and was not revoked")
        for path in self.files.values():
            private_file.remove(path)


def certificates(mounted: Mounted, items: Sequence[Mapping[str, Any]], mount: str | None = None) -> list[Certificate]:
    """Return the resources of declared certificates, in their own mount, else the module's, else ``pki``.

    Raises InvalidInput when two would write one file in turn; only a chain may be that of both.
    """
    resources = [Certificate(mounted, {**item, "mount": item.get("mount") or mount or "pki"}) for item in items]
    owners: dict[str, Certificate] = {}
    for resource in resources:
        for name, path in resource.files.items():
            owner = owners.setdefault(path, resource)
            both = {name, *(other for other, found in owner.files.items() if found == path)}
            if owner.name != resource.name and both != {"chain_dest"}:
                raise InvalidInput(
                    '%s "%s" is a file of %s too' % (name, path, owner.label), resource.label, "name a file for each"
                )
    return resources
