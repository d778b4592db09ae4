# Copyright: Contributors to the secretops.vault_eso project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# Private to this collection: what is here may change at any time. Other collections must not import it.
"""The key and the certificate of a CA: created, signed, imported, named."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any
from urllib.parse import quote

from ...._engine import normalise
from ...._engine.errors import InvalidInput
from ...base.mounts import EngineMounts
from ...connection.answers import data_of
from ...connection.errors import VaultError
from .ca_certificate import instant
from .ca_fields import CERTIFICATE, TIMES
from .in_mount import InPkiMount
from .x509 import blocks


class CaIssuing(InPkiMount):
    """The requests to the server for the key and the certificate of a CA."""

    def __init__(self, mounts: EngineMounts, item: Mapping[str, Any], desired: Mapping[str, Any] | None) -> None:
        self.issuer_mount = normalise.path(item.get("issuer_mount"))
        #: the CA's own issuer, from the server
        self.issuer: dict[str, Any] = {}
        #: the key that waits for its certificate, and the request for that
        self.key_ref = ""
        self.csr = ""
        super().__init__(mounts, item, desired)

    @property
    def declared(self) -> Mapping[str, Any]:
        """The declaration; empty for a CA that is to be absent."""
        return self.desired or {}

    def read_issuer(self, reference: str) -> dict[str, Any]:
        return self.client.read("%s/issuer/%s" % (self.mount, quote(reference, safe=""))) or {}

    def tell_issuer(self) -> None:
        self.info.update(
            issuer_id=self.issuer.get("issuer_id"),
            issuer_name=self.issuer.get("issuer_name") or "",
            key_id=self.issuer.get("key_id") or "",
            certificate=normalise.pem(self.issuer.get("certificate")),
            ca_chain=normalise.pem_list(self.issuer.get("ca_chain")),
        )

    def _body(self, names: Iterable[str]) -> dict[str, Any]:
        body = {name: self.declared[name] for name in sorted(names) if name in self.declared}
        if "alt_names" in body:
            # the one list that the API takes as text only
            body["alt_names"] = ",".join(body["alt_names"])
        if body.get("not_after"):
            body["not_after"] = instant(body["not_after"])
        return normalise.spans(body, TIMES)

    def request_existing(self) -> None:
        """Request the CSR of the existing key; the server creates it again and stores nothing."""
        body = self._body(CERTIFICATE - {"key_type", "key_bits", "ttl", "not_after"})
        answer = data_of(
            self.client.write("%s/intermediate/generate/existing" % self.mount, {**body, "key_ref": self.key_ref})
        )
        self.csr = normalise.pem(answer.get("csr"))
        self.info.update(csr=self.csr, key_id=self.key_ref)

    def request_new(self) -> None:
        body = self._body({*CERTIFICATE, "key_name"} - {"ttl", "not_after"})
        answer = data_of(self.client.write("%s/intermediate/generate/internal" % self.mount, body, idempotent=False))
        self.key_ref, self.csr = answer.get("key_id") or "", normalise.pem(answer.get("csr"))
        self.info.update(csr=self.csr, key_id=self.key_ref)

    def sign(self) -> list[str]:
        """Have the CSR signed by another mount of the server; return the certificate and its chain."""
        body = self._body(CERTIFICATE - {"key_type", "key_bits"})
        path = "%s/issuer/%s/sign-intermediate" % (
            self.issuer_mount,
            quote(self.item.get("issuer_ref") or "default", safe=""),
        )
        answer = data_of(self.client.write(path, {**body, "csr": self.csr, "format": "pem"}, idempotent=False))
        return blocks([answer.get("certificate") or "", *(answer.get("ca_chain") or [answer.get("issuing_ca") or ""])])

    def import_chain(self, chain: Sequence[str]) -> str:
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
            found = self.read_issuer(issuer)
            if found.get("key_id") == self.key_ref and blocks(found.get("certificate"))[:1] == list(chain[:1]):
                return issuer
        raise VaultError(
            "the certificate was stored, but no issuer has the key %s" % self.key_ref,
            remedy="check that the certificate was made from the returned CSR",
        )

    def make_root(self) -> str:
        """Create a self-signed certificate, with a new or the named key; return the issuer's ID."""
        name = self.declared.get("key_name")
        keys = self.listing("keys") if name and self.item.get("new_issuer") else {}
        key = next((one for one, entry in keys.items() if entry.get("key_name") == name), "")
        body = self._body({*CERTIFICATE, "issuer_name", "key_name"})
        if key:
            body = {k: v for k, v in body.items() if k not in ("key_name", "key_type", "key_bits")}
            body["key_ref"] = key
        how = "existing" if key else "internal"
        answer = data_of(self.client.write("%s/root/generate/%s" % (self.mount, how), body, idempotent=False))
        return str(answer.get("issuer_id") or "")

    def make_default(self, issuer: str) -> None:
        if not self.declared.get("default_issuer"):
            self.client.write("%s/config/issuers" % self.mount, {"default": issuer})

    def patch(self, issuer: str, body: Mapping[str, Any]) -> None:
        self.client.request(
            "PATCH",
            "%s/issuer/%s" % (self.mount, quote(issuer, safe="")),
            {name: ",".join(value) if name == "usage" else value for name, value in body.items()},
            headers={"Content-Type": "application/merge-patch+json"},
            idempotent=True,
        )

    def default_issuer(self) -> str:
        return str((self.client.read("%s/config/issuers" % self.mount) or {}).get("default") or "")

    def name_and_default(self) -> None:
        name = self.declared.get("issuer_name")
        if name and self.issuer.get("issuer_name") != name:
            self.patch(self.issuer["issuer_id"], {"issuer_name": name})
            self.issuer["issuer_name"] = name
        wanted = self.declared.get("default_issuer")
        if wanted:
            reference = self.issuer["issuer_id"] if wanted == name else (self.read_issuer(wanted).get("issuer_id"))
            if not reference:
                raise InvalidInput('there is no issuer "%s"' % wanted, remedy='correct "default_issuer"')
            if self.default_issuer() != reference:
                self.client.write("%s/config/issuers" % self.mount, {"default": reference})
