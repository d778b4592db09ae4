# Copyright: Contributors to the secretops.vault_eso project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# Private to this collection: what is here may change at any time. Other collections must not import it.
"""Certificates of the PKI engine, kept valid in files.

Source: /api-docs/secret/pki (issue, sign, revoke, cert, issuer).
"""

from __future__ import annotations

import itertools
import os
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from ...._engine import normalise, private_file
from ...._engine.errors import InvalidInput, SecretopsError
from ...._engine.field import normalisers
from ...._engine.resource import Change
from ...._engine.secret_patterns import apparent_secrets
from ...base.kind import Kind, RunContext
from ...base.mounts import EngineMounts
from ...base.naming import check_addresses, plain
from ...connection.client import Client
from ...connection.errors import BadRequest, VaultError
from .certificate_fields import FIELDS
from .certificate_issuing import CertificateIssuing
from .x509 import (
    CRYPTOGRAPHY_ERROR,
    NAMES,
    Request,
    all_names,
    alternative_names,
    blocks,
    common_name,
    issued_by,
    moment,
    public_key,
    seconds_left,
    serial,
)

try:
    from cryptography import x509
    from cryptography.hazmat.primitives import serialization
except ImportError:
    # told by the module, see `CRYPTOGRAPHY_ERROR`
    pass

#: files of public text; the key is the one that is private
PUBLIC = ("cert_dest", "chain_dest", "fullchain_dest")
FILES = (*PUBLIC, "key_dest")
#: options for a CSR
REQUESTS = ("csr", "csr_file")
#: fields of a role about names in CSRs: the common name, and all others
OWN = ("use_csr_common_name", "use_csr_sans")


class Certificate(CertificateIssuing):
    """One certificate in files, named by the certificate's file: issued with its key, or signed for a CSR.

    A new one is issued when the current one is not valid or not as declared.
    """

    kind = "certificate"
    rank = 30
    fields = normalisers(FIELDS)

    def __init__(self, mounts: EngineMounts, item: Mapping[str, Any], check_mode: bool = False) -> None:
        self.check_mode = check_mode
        #: whether a CSR is signed; `check` loads it
        self.signed = any(item.get(name) is not None for name in REQUESTS)
        self.files = {name: os.path.abspath(str(item[name])) for name in FILES if item.get(name)}
        self.pem = ""
        self.private_key = ""
        desired: dict[str, Any] | None = None
        if item["state"] == "present":
            desired = {"role": item.get("role"), "state": "valid", "key": "matching", "issuer": "as declared"}
            desired.update({name: "current" for name in self.files if name not in ("cert_dest", "key_dest")})
            if not self.signed:
                desired.update({name: item.get(name) or [] for name in NAMES}, common_name=item.get("common_name"))
                desired["alt_names"] = all_names(
                    item.get("common_name"), desired["alt_names"], item.get("exclude_cn_from_sans")
                )
                desired["key_mode"] = "0600"
        super().__init__(mounts, item, desired)
        self.name = self.files.get("cert_dest", "")
        self.info.clear()

    # -- what cannot be right -----------------------------------------------------------------------------------------

    def check(self) -> None:
        super().check()
        if len(set(self.files.values())) < len(self.files):
            raise InvalidInput("two of the files are the same", remedy="name a file for each")
        if self.desired is None:
            return
        for name in ("role",) if self.signed else ("role", "common_name", "key_dest"):
            if not self.item.get(name):
                raise InvalidInput('"%s" is missing' % name, remedy="give it, or set state: absent")
        if self.signed:
            self._load_request()
        if not plain(str(self.item["role"])):
            raise InvalidInput('"%s" is not a role name' % self.item["role"], remedy="correct it")
        ttl, before = (normalise.seconds(self.item.get(name)) for name in ("ttl", "renew_before"))
        if before is not None and before < 0:
            raise InvalidInput("renew_before is negative", remedy="give a duration, such as 720h")
        if ttl and before and before >= ttl:
            raise InvalidInput(
                "renew_before is not shorter than ttl, so each run would issue another", remedy="correct one of the two"
            )
        check_addresses("ip_sans", self.item.get("ip_sans") or ())

    def _load_request(self) -> None:
        """Load the declared CSR; in check mode its file may not exist yet. Raises InvalidInput."""
        if all(self.item.get(name) is not None for name in REQUESTS):
            raise InvalidInput('"csr" and "csr_file" exclude each other', remedy="give one of the two")
        if self.item.get("key_dest") or self.item.get("private_key_format") == "pkcs8":
            raise InvalidInput(
                "the key of a request stays where it is: the server has none to write",
                remedy='leave out "key_dest" and "private_key_format"',
            )
        path = self.item.get("csr_file")
        if path is None:
            self.request = Request(str(self.item["csr"]), 'option "csr"')
            return
        self.request = Request.load(path)
        if self.request is None:
            if not self.check_mode:
                raise InvalidInput("there is no request in %s" % path, 'option "csr_file"', "make it first")
            self.warnings.append("there is no request in %s yet" % path)

    # -- reading ------------------------------------------------------------------------------------------------------

    def read(self) -> Mapping[str, Any] | None:
        text = private_file.read(self.files["cert_dest"])
        self.private_key = private_file.read(self.files["key_dest"]) or "" if "key_dest" in self.files else ""
        mounted = self.find()
        if text is None:
            if self.desired is None and any(os.path.exists(path) for path in self.files.values()):
                return {"state": "without certificate"}
            return None
        self.pem = (blocks(text) or [""])[0]
        try:
            self.certificate = x509.load_pem_x509_certificate(self.pem.encode())
        except ValueError:
            return {"state": "unreadable"}
        self._tell()
        names = self._describe(self.certificate)
        current: dict[str, Any] = {"role": self.item.get("role"), "state": "valid", **names}
        if self.desired is not None:
            current.update(self._look_at_files())
            current["state"] = self._state(mounted)
            current["issuer"] = "as declared" if not mounted or self._right_issuer() else "another"
        return current

    def resolve(self, current: Mapping[str, Any] | None) -> Mapping[str, Any]:
        desired = super().resolve(current)
        if not self.find() or (current is not None and self.certificate is None):
            return desired
        if current is None:
            self.read_role()
        names = {name: current[name] for name in self.fields} if current is not None else {}
        return {**desired, **self._expected(names)}

    def _tell(self) -> None:
        end = moment(self.certificate, "not_valid_after")
        self.info.update(
            serial_number=serial(self.certificate),
            not_after=end.isoformat(),
            issuer=self.certificate.issuer.rfc4514_string(),
        )

    @staticmethod
    def _describe(certificate: Any) -> dict[str, Any]:
        return {"common_name": common_name(certificate), **alternative_names(certificate)}

    def _expected(self, found: Mapping[str, Any]) -> dict[str, Any]:
        """Return the names from a CSR and its role. Raises InvalidInput for declared names that would be ignored.

        Where the role cannot be read, any of its settings that gives the ``found`` names is accepted.
        """
        if self.request is None:
            return {}
        role = self.read_role()
        if role is None:
            able = [
                self.request.expected(self.item, *flags)
                for flags in itertools.product((True, False), repeat=2)
                if not self.request.ignored(self.item, *flags)
            ]
            same = [one for one in able if not normalise.differing(found, one, self.fields)]
            return (same or able)[0]
        own_name, own_names = (normalise.boolean(role.get(name, True)) for name in OWN)
        ignored = self.request.ignored(self.item, own_name, own_names)
        if ignored:
            raise InvalidInput(
                'the role "%s" takes names from the request, so %s would be ignored'
                % (self.item["role"], " and ".join(ignored)),
                remedy='put them into the request, or set "%s: false" for the role'
                % OWN[0 if ignored[0] == "common_name" else 1],
            )
        expected = self.request.expected(self.item, own_name, own_names)
        if not expected["common_name"] and normalise.boolean(role.get("require_cn", True)):
            raise InvalidInput(
                'the role "%s" needs a common name, and takes none from the request' % self.item["role"],
                remedy='give "common_name", or set "require_cn: false" for the role',
            )
        return expected

    def _wanted_key(self) -> bytes | None:
        """Return the public key that the certificate must have, None without one."""
        if self.signed:
            return self.request.key if self.request else None
        try:
            return public_key(serialization.load_pem_private_key(self.private_key.encode(), None).public_key())
        except (ValueError, TypeError):
            return None

    def _look_at_files(self) -> dict[str, Any]:
        state: dict[str, Any] = {"key": "another", "key_mode": "0600"}
        if self._wanted_key() == public_key(self.certificate.public_key()):
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
        """Return how many seconds before its expiry a certificate is renewed."""
        begin, end = (moment(certificate, name) for name in ("not_valid_before", "not_valid_after"))
        before = normalise.seconds(self.item.get("renew_before"))
        return (end - begin).total_seconds() / 3 if before is None else float(before)

    def _state(self, mounted: bool) -> str:
        left = seconds_left(self.certificate)
        if left <= 0:
            return "expired"
        if mounted and self.revoked():
            return "revoked"
        return "valid" if left > self._renew_before(self.certificate) else "about to expire"

    def _right_issuer(self) -> bool:
        return any(self._signs(pem) for pem in self.issuers())

    def compare(self, current: Mapping[str, Any], desired: Mapping[str, Any]) -> list[str]:
        if current["state"] != "valid":
            # the other fields do not matter
            return ["state"]
        return super().compare(current, desired)

    # -- writing ------------------------------------------------------------------------------------------------------

    def write(self, change: Change) -> None:
        self.need_mount()
        for name, path in self.files.items():
            # the directory may belong to the service
            private_file.prepare(path, name, own=False)
        if change.current is not None and change.fields == ["key_mode"]:
            private_file.write(self.files["key_dest"], self.private_key)
            return
        answer = self.issue()
        try:
            self._check_made(answer, change.desired)
            change.touched = True
            self._store(answer)
        except SecretopsError:
            self._undo(answer)
            raise
        self._tell()

    def _check_made(self, answer: Mapping[str, Any], desired: Mapping[str, Any]) -> None:
        """Refuse an issued certificate that the next run would replace. Raises InvalidInput."""
        certificate = x509.load_pem_x509_certificate(str(answer["certificate"]).encode())
        names = self._describe(certificate)
        desired = {**desired, **self._expected(names)}
        wanted = {name: value for name, value in desired.items() if name in self.fields}
        other = normalise.differing(names, wanted, self.fields)
        if other:
            raise InvalidInput(
                "the server puts other values than declared into %s, so each run would issue another"
                % " and ".join(other),
                remedy="declare them as the server writes them: %s"
                % "; ".join("%s: %s" % (name, names[name]) for name in other),
            )
        left = seconds_left(certificate)
        if left <= self._renew_before(certificate):
            raise InvalidInput(
                "the server grants a TTL of %d seconds, which is not longer than renew_before, so each run would "
                "issue another" % left,
                remedy="shorten renew_before, or raise max_ttl of the role, max_lease_ttl of the mount, or the TTL of "
                "the issuer",
            )

    def _undo(self, answer: Mapping[str, Any]) -> None:
        try:
            self.revoke(str(answer["serial_number"]), str(answer["certificate"]))
        except VaultError as error:
            self.warnings.append(
                "the certificate %s is of no use and stays valid: %s" % (answer["serial_number"], error)
            )

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
        # the certificate last: after an interruption the key does not match it, and the next run sees that
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

    def delete(self, change: Change) -> None:
        if self.certificate is not None and not self.find():
            self.warnings.append("nothing is mounted at %s any more, so the certificate was not revoked" % self.mount)
        elif self.certificate is not None:
            try:
                self.revoke(serial(self.certificate), self.pem)
            except BadRequest as error:
                self.warnings.append("the certificate is not of this mount, and was not revoked (%s)" % error.what)
        elif self.pem:
            self.warnings.append("the certificate cannot be read, and was not revoked")
        for path in self.files.values():
            private_file.remove(path)


def certificates(
    mounts: EngineMounts, items: Sequence[Mapping[str, Any]], mount: str | None = None, check_mode: bool = False
) -> list[Certificate]:
    """Return the resources of declared certificates, in their own mount, else the module's, else ``pki``.

    Raises InvalidInput when two would write the same file; only a chain may be shared.
    """
    resources = [
        Certificate(mounts, {**item, "mount": item.get("mount") or mount or "pki"}, check_mode) for item in items
    ]
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


class PkiCertificates(Kind):
    """Certificates in files."""

    about = "Certificates that are kept in files of the controller"
    tag = "pki"
    module = "vault_pki_certificate"
    plural = "certificates"
    fields = FIELDS
    required = ("cert_dest",)
    libraries = (("cryptography", CRYPTOGRAPHY_ERROR),)
    unlisted = "they are files of the machine that keeps them, and the server knows serial numbers alone"

    def secrets(self, declared: Sequence[Mapping[str, Any]]) -> Iterable[str]:
        # a private key may be given instead of the CSR
        return apparent_secrets([item.get("csr") for item in declared])

    def resources(self, client: Client, items: Sequence[Mapping[str, Any]], context: RunContext) -> list[Any]:
        return certificates(EngineMounts(client), items, context.params.get("mount"), context.check_mode)
