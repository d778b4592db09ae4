# Copyright: Contributors to the secretops.vault_eso project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# Private to this collection: what is here may change at any time. Other collections must not import it.
"""The requests to a PKI mount for a certificate: read role and issuers, issue, revoke.

Source: /api-docs/secret/pki (issue, sign, revoke, cert, issuer).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any
from urllib.parse import quote

from ...._engine import normalise, wording
from ...._engine.errors import InvalidInput
from ...base.mounts import EngineMounts
from ...connection.answers import data_of
from ...connection.errors import BadRequest, PermissionDenied, VaultError
from .in_mount import InPkiMount
from .x509 import NAMES, Request, serial


class CertificateIssuing(InPkiMount):
    """The server's side of a certificate."""

    def __init__(self, mounts: EngineMounts, item: Mapping[str, Any], desired: Mapping[str, Any] | None) -> None:
        self.request: Request | None = None
        #: the existing or the new certificate
        self.certificate: Any = None
        self._role: dict[str, Any] | None = None
        self._role_asked = False
        super().__init__(mounts, item, desired)

    def revoked(self) -> bool:
        try:
            stored = self.client.read("%s/cert/%s" % (self.mount, serial(self.certificate))) or {}
        except VaultError as error:
            # with no_store the server does not know this certificate
            if isinstance(error, PermissionDenied) or error.status in (400, 404):
                return False
            raise
        return bool(stored.get("revocation_time"))

    def read_role(self) -> dict[str, Any] | None:
        """Return the role, None when it does not exist or the token may only issue."""
        if self._role_asked:
            return self._role
        try:
            self._role = self.client.read("%s/roles/%s" % (self.mount, self.item["role"]))
        except PermissionDenied:
            self._role = None
        self._role_asked = True
        if self._role is not None and normalise.boolean(self._role.get("generate_lease")):
            self._warn_of_lease()
        return self._role

    def _warn_of_lease(self) -> None:
        text = (
            'the role "%s" has generate_lease, so the server revokes the certificate together with the token that '
            'asked for it, at the end of the play at the latest; set "generate_lease: false" for the role'
            % self.item["role"]
        )
        if text not in self.warnings:
            self.warnings.append(text)

    def issuers(self) -> Iterator[str]:
        """Yield the certificates of the possible issuers: the declared one, else the role's, else all."""
        reference = self.item.get("issuer_ref")
        if not reference:
            role = self.read_role()
            reference = role.get("issuer_ref") or "default" if role is not None else None
        for one in [reference] if reference else self.client.list("%s/issuers" % self.mount):
            # needs no permission, unlike the issuer itself
            answer = self.client.request(
                "GET", "%s/issuer/%s/json" % (self.mount, quote(one, safe="")), missing_ok=True
            )
            if answer:
                yield str(data_of(answer).get("certificate") or "")

    def issue(self) -> dict[str, Any]:
        body: dict[str, Any] = {"format": "pem"}
        if self.item.get("common_name"):
            body["common_name"] = self.item["common_name"]
        # the API takes these lists as text only
        body.update({name: ",".join(self.item[name]) for name in NAMES if self.item.get(name)})
        if self.item.get("ttl"):
            body["ttl"] = "%ss" % normalise.seconds(self.item["ttl"])
        if self.item.get("exclude_cn_from_sans"):
            body["exclude_cn_from_sans"] = True
        if self.item.get("private_key_format") == "pkcs8":
            body["private_key_format"] = "pkcs8"
        if self.request is not None:
            body["csr"] = self.request.pem
        path = "%s/%s" % ("sign" if self.request else "issue", self.item["role"])
        if self.item.get("issuer_ref"):
            path = "issuer/%s/%s" % (quote(self.item["issuer_ref"], safe=""), path)
        # never retried: each attempt that reaches the server leaves a certificate there
        try:
            answer = self.client.write("%s/%s" % (self.mount, path), body, idempotent=False)
            if answer.get("lease_id"):
                self._warn_of_lease()
            return data_of(answer)
        except BadRequest as error:
            if wording.pki_role_unknown(error.said):
                raise InvalidInput(
                    'the mount "%s" has no role "%s"' % (self.mount, self.item["role"]),
                    remedy="declare it with vault_pki_role, or correct the name",
                ) from None
            raise

    def revoke(self, number: str, pem: str) -> None:
        """Revoke a certificate; one that the server did not store is sent along. Raises VaultError."""
        try:
            self.client.write("%s/revoke" % self.mount, {"serial_number": number})
        except VaultError as error:
            if not wording.certificate_unknown(error.said):
                raise
            self.client.write("%s/revoke" % self.mount, {"certificate": pem})
