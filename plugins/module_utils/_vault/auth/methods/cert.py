# Copyright: Contributors to the secretops.vault_eso project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# Private to this collection: what is here may change at any time. Other collections must not import it.
"""TLS certificates: clients log in with a certificate of a trusted CA. Source: /api-docs/auth/cert."""

from __future__ import annotations

from typing import Any

from ...._engine import normalise
from ...base import valid
from ...connection.client import Client
from ...connection.login import AUTH_ROLE, Login
from ...products import VAULT
from ..method_type import Config, Entries, MethodField, MethodType, Values, fields_of


class CertLogin(Login):
    """Source: /api-docs/auth/cert#login-with-tls-certificate-method. The certificate is an option of the connection."""

    method = "cert"
    options = (AUTH_ROLE,)

    def validate(self) -> None:
        self.need("client_cert", "client_key")

    def ask(self, client: Client, mount: str) -> Any:
        # hvac requires the files of certificate and CA again, although the connection has them
        body = {"name": self.params["auth_role"]} if self.params.get("auth_role") else {}
        return client.request("POST", "auth/%s/login" % mount, body, idempotent=False, authenticated=False) or {}


CONFIG = Config(
    fields=(
        *fields_of("disable_binding enable_identity_alias_metadata", normalise.boolean),
        MethodField("enable_metadata_on_failures", normaliser=normalise.boolean, only=VAULT),
        MethodField("ocsp_cache_size", normaliser=normalise.integer, check=valid.between(2, 100_000)),
        MethodField("role_cache_size", normaliser=normalise.integer, only=VAULT),
    ),
)


def as_stored(certificate: Values, name: str) -> Values:
    """Return a declaration with the server's default display name."""
    return {**certificate, "display_name": name.lower()} if certificate.get("display_name") == "" else certificate


CERTIFICATES = Entries(
    folder="certs",
    fields=(
        MethodField(
            "certificate", normaliser=normalise.pem, check=valid.all_of(valid.not_empty, valid.pem("CERTIFICATE"))
        ),
        *fields_of(
            "allowed_names allowed_common_names allowed_dns_sans allowed_email_sans allowed_uri_sans "
            "allowed_organizational_units allowed_metadata_extensions required_extensions",
            normalise.string_set,
        ),
        MethodField("display_name", normaliser=normalise.scalar),
        *fields_of("ocsp_enabled ocsp_fail_open ocsp_query_all_servers", normalise.boolean),
        MethodField("ocsp_ca_certificates", normaliser=normalise.pem, check=valid.pem("CERTIFICATE")),
        MethodField("ocsp_servers_override", normaliser=normalise.strings),
        *fields_of("allowed_organizations ocsp_max_retries ocsp_this_update_max_age", only=VAULT),
    ),
    also="policies bound_cidrs lease max_ttl name period ttl",
    as_stored=as_stored,
)

METHOD = MethodType("cert", login=CertLogin, config=CONFIG, entries=(CERTIFICATES,))
