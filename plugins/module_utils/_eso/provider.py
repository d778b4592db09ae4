# Copyright: Contributors to the secretops.vault_eso project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# Private to this collection: what is here may change at any time. Other collections must not import it.
"""How a store or a generator reaches Vault: its options, its part of a manifest, what is wrong with it."""

from __future__ import annotations

import base64
import binascii
import re
from collections.abc import Iterator, Mapping
from typing import Any

from .._engine import normalise
from .._engine.addresses import has_credentials
from .._engine.errors import InvalidInput
from .._engine.field import Field
from .._engine.secret_patterns import shown_url
from .values import manifest_names

_CERTIFICATE = re.compile(r"-----BEGIN CERTIFICATE-----\s[^-]+-----END CERTIFICATE-----")
#: the operator takes the first of several and says nothing; here more than one is an error
AUTH_METHODS = ("tokenSecretRef", "appRole", "kubernetes", "ldap", "userPass", "jwt", "cert", "iam", "gcp")
#: fields that people write and that do not exist: what to write instead
NO_SUCH_VAULT_FIELD = {
    "clientTimeout": "a store has no timeout; remove it",
    "timeout": "a store has no timeout; remove it",
    "tlsServerName": "the name in Vault's certificate must match the host in server; remove it",
    "tls.serverName": "the name in Vault's certificate must match the host in server; remove it",
    "tls.clientCert": "write tls.certSecretRef and tls.keySecretRef",
    "tls.clientKey": "write tls.certSecretRef and tls.keySecretRef",
    "clientCert": "write tls.certSecretRef and tls.keySecretRef",
    "clientKey": "write tls.certSecretRef and tls.keySecretRef",
    "cache": "a store caches nothing; a flag of the operator keeps tokens: eso_vault_token_cache of the role eso",
    "caching": "a store caches nothing; a flag of the operator keeps tokens: eso_vault_token_cache of the role eso",
    "tls.caBundle": "caBundle stands beside tls, not in it",
    "tls.insecureSkipVerify": "certificates are always checked; give the CA by caBundle or caProvider",
    "caCert": "write caBundle, the base64 of the PEM, or the option ca_bundle with the PEM itself",
    "auth.approle": "write auth.appRole",
    "auth.userpass": "write auth.userPass",
    "auth.token": "write auth.tokenSecretRef with name and key",
    "auth.kubernetes.path": "write auth.kubernetes.mountPath",
    "auth.kubernetes.audience": "write auth.kubernetes.serviceAccountRef.audiences, a list",
    "auth.kubernetes.serviceAccount": "write auth.kubernetes.serviceAccountRef",
    "auth.jwt.serviceAccountRef": "write auth.jwt.kubernetesServiceAccountToken.serviceAccountRef",
    "auth.jwt.audience": "write auth.jwt.kubernetesServiceAccountToken.serviceAccountRef.audiences, a list",
}


def reference(name: str, description: str, elsewhere: str) -> Field:
    """Return the field for a reference to a key of a Secret; ``elsewhere`` says what its namespace means."""
    return Field(
        name,
        description,
        "dict",
        fields=(
            Field("name", "Name of the Secret.", required=True),
            Field("key", "Key in the Secret."),
            Field("namespace", elsewhere),
        ),
    )


def service_account(elsewhere: str, required: bool = False) -> Field:
    """Return the field for a service account that a token is requested for."""
    return Field(
        "service_account",
        "Service account to request a token for.",
        "dict",
        required=required,
        fields=(
            Field("name", "Name of the service account.", required=True),
            Field("namespace", elsewhere),
            Field(
                "audiences",
                "Audiences of the token; the role's O(ignore:audience) must be among them.",
                "list",
                elements="str",
            ),
        ),
    )


def vault_fields(elsewhere: str, ca_elsewhere: str) -> tuple[Field, ...]:
    """Return the fields that say how to reach a Vault: of a store and of a generator.

    ``elsewhere``, ``ca_elsewhere``: what the namespaces of references, and of the CA, mean.
    """
    return (
        Field("server", "URL of Vault as the operator's pods reach it, V(https://vault.example.com:8200)."),
        Field("vault_namespace", "Vault namespace."),
        Field(
            "ca_bundle",
            (
                "PEM text of the CA certificates that Vault's certificate is checked against. It is "
                "encoded as the API wants it."
            ),
        ),
        Field(
            "ca_provider",
            "Where the cluster keeps these certificates, instead of C(ca_bundle).",
            "dict",
            fields=(
                Field("type", "What holds them.", choices=("Secret", "ConfigMap"), required=True),
                Field("name", "Its name.", required=True),
                Field("key", "The key in it."),
                Field("namespace", ca_elsewhere),
            ),
        ),
        Field(
            "auth",
            "How the operator logs in. Exactly one method.",
            "dict",
            fields=(
                Field("namespace", "Vault namespace of the auth method, when it is another than the secrets'."),
                Field(
                    "kubernetes",
                    "Log in with a service account's token.",
                    "dict",
                    fields=(
                        Field("mount_path", "Mount of the auth method.", default="kubernetes"),
                        Field("role", "Role of the auth method.", required=True),
                        service_account(elsewhere),
                        reference("secret_ref", "Secret that holds the credential.", elsewhere),
                    ),
                ),
                Field(
                    "app_role",
                    "Log in with an AppRole.",
                    "dict",
                    fields=(
                        Field("path", "Mount of the auth method."),
                        Field("role_id", "Role ID."),
                        reference("role_ref", "Secret that holds the role ID, instead of C(role_id).", elsewhere),
                        reference("secret_ref", "Secret that holds the secret ID.", elsewhere),
                    ),
                ),
                Field(
                    "jwt",
                    "Log in with a JSON web token.",
                    "dict",
                    fields=(
                        Field("path", "Mount of the auth method."),
                        Field("role", "Role of the auth method."),
                        reference("secret_ref", "Secret that holds the credential.", elsewhere),
                        Field(
                            "kubernetes_service_account_token",
                            "Request a service account's token and log in with that.",
                            "dict",
                            fields=(
                                service_account(elsewhere, required=True),
                                Field(
                                    "audiences",
                                    "Audiences of the token. New versions want them in the service account reference.",
                                    "list",
                                    elements="str",
                                ),
                                Field("expiration_seconds", "Life of the token in seconds.", "int"),
                            ),
                        ),
                    ),
                ),
                reference("token_secret_ref", "Use a token that stands in a Secret.", elsewhere),
                Field(
                    "user_pass",
                    "Log in by user name and password.",
                    "dict",
                    fields=(
                        Field("path", "Mount of the auth method."),
                        Field("username", "User name.", required=True),
                        reference("secret_ref", "Secret that holds the password.", elsewhere),
                    ),
                ),
                Field(
                    "ldap",
                    "Log in by LDAP.",
                    "dict",
                    fields=(
                        Field("path", "Mount of the auth method."),
                        Field("username", "User name.", required=True),
                        reference("secret_ref", "Secret that holds the password.", elsewhere),
                    ),
                ),
                Field(
                    "cert",
                    "Log in with a client certificate.",
                    "dict",
                    fields=(
                        Field("path", "Mount of the auth method."),
                        Field("vault_role", "Role of the auth method."),
                        reference("client_cert", "Secret that holds the certificate.", elsewhere),
                        reference("secret_ref", "Secret that holds the private key.", elsewhere),
                    ),
                ),
                Field("iam", "Log in as an AWS identity; the fields of the manifest.", "dict"),
                Field("gcp", "Log in as a Google Cloud identity; the fields of the manifest.", "dict"),
            ),
        ),
        Field(
            "tls",
            "Client certificate for the connection. Both or neither.",
            "dict",
            fields=(
                reference("cert_secret_ref", "Secret that holds the certificate.", elsewhere),
                reference("key_secret_ref", "Secret that holds the private key.", elsewhere),
            ),
        ),
        Field(
            "read_your_writes",
            "Send Vault's consistency header. Acts only together with C(forward_inconsistent).",
            "bool",
        ),
        Field(
            "forward_inconsistent",
            (
                "Have reads that a standby cannot answer consistently forwarded. Acts only together with "
                "C(read_your_writes)."
            ),
            "bool",
        ),
        Field(
            "headers",
            "Further HTTP headers. They stand in the object for all to read and are no place for credentials.",
            "dict",
        ),
    )


def ca_bundle(pem: str) -> str:
    """Return the base64 of PEM certificates. Raises InvalidInput for any other text."""
    if "-----BEGIN CERTIFICATE-----" not in pem:
        raise InvalidInput(
            "ca_bundle holds no PEM certificate",
            remedy='give the CA certificate\'s text, from "-----BEGIN CERTIFICATE-----" on',
        )
    if "PRIVATE KEY" in pem:
        raise InvalidInput("ca_bundle holds a private key", remedy="give certificates only")
    return base64.b64encode((normalise.pem(pem) + "\n").encode()).decode()


def same_bundle(value: Any) -> str:
    """Normalise base64 of PEM to the PEM. The order of certificates has no meaning."""
    try:
        text = normalise.pem(base64.b64decode(str(value or ""), validate=False).decode())
    except (binascii.Error, ValueError):
        return str(value)
    certificates = _CERTIFICATE.findall(text)
    only = certificates and not _CERTIFICATE.sub("", text).strip()
    return "\n".join(sorted(set(certificates))) if only else text


def trusted(vault: Mapping[str, Any]) -> str:
    """Return the certificates of a provider's bundle in PEM, and nothing else that may stand there."""
    return "\n".join(_CERTIFICATE.findall(same_bundle(vault.get("caBundle"))))


PROVIDER_OPTIONS = (
    "server",
    "path",
    "version",
    "ca_provider",
    "auth",
    "tls",
    "read_your_writes",
    "forward_inconsistent",
    "headers",
)


def vault_provider(item: Mapping[str, Any]) -> dict[str, Any]:
    """Return how to reach a Vault, as a manifest has it, from options. Raises InvalidInput."""
    vault = dict(manifest_names({name: item.get(name) for name in PROVIDER_OPTIONS}))
    vault["namespace"] = item.get("vault_namespace")
    if item.get("ca_bundle"):
        vault["caBundle"] = ca_bundle(item["ca_bundle"])
    return vault


def references(value: Any, path: str = "") -> Iterator[tuple[str, Mapping[str, Any]]]:
    """Yield every reference (``…Ref``, ``clientCert``) in a manifest, with its path."""
    if isinstance(value, Mapping):
        for key, item in value.items():
            where = "%s.%s" % (path, key) if path else str(key)
            if isinstance(item, Mapping) and (key.endswith("Ref") or key == "clientCert") and "name" in item:
                yield where, item
            yield from references(item, where)


def check_vault(where: str, vault: Mapping[str, Any]) -> list[str]:
    """Refuse what cannot be right in the description of a Vault; return warnings. Raises InvalidInput."""
    for name, advice in NO_SUCH_VAULT_FIELD.items():
        value: Any = vault
        for part in name.split("."):
            value = value.get(part) if isinstance(value, Mapping) else None
        if value is not None:
            raise InvalidInput("%s.%s does not exist" % (where, name), remedy=advice)
    server = str(vault.get("server") or "")
    if not re.fullmatch(r"https?://[^/\s]+(/\S*)?", server):
        raise InvalidInput(
            'the server "%s" is not a URL' % shown_url(server) if server else "no server is given",
            remedy="write the URL as the operator's pods reach it, https://vault.example.com:8200",
        )
    if has_credentials(server):
        raise InvalidInput(
            "the server's address holds a user, a password or a token, which everybody who may read stores would see",
            remedy='take them out; to log in use "auth"',
        )
    if vault.get("version", "v2") not in ("v1", "v2"):
        raise InvalidInput('the KV version "%s" does not exist' % vault["version"], remedy='write "v1" or "v2"')
    if (vault.get("checkAndSet") or {}).get("required") and vault.get("version") == "v1":
        raise InvalidInput("KV version 1 has no check-and-set", remedy="remove check_and_set, or use version v2")
    bundle = vault.get("caBundle")
    if bundle and "-----BEGIN" in str(bundle):
        raise InvalidInput(
            "caBundle holds PEM text where the API wants its base64",
            remedy="encode it, or use the option ca_bundle, which takes PEM",
        )
    if bundle and "BEGIN CERTIFICATE" not in same_bundle(bundle):
        raise InvalidInput(
            "caBundle is not the base64 of PEM certificates",
            remedy="encode the CA's PEM file once, or use the option ca_bundle, which takes PEM",
        )
    if bundle and vault.get("caProvider"):
        raise InvalidInput("caBundle and caProvider contradict each other", remedy="give one of the two")
    if bundle and server.startswith("http://"):
        raise InvalidInput(
            "a CA is given, but the server's address is http://", remedy="write https://, or drop the CA"
        )
    if vault.get("caProvider") and not vault["caProvider"].get("key"):
        raise InvalidInput("%s.caProvider lacks key" % where, remedy="name the key in the Secret or ConfigMap")
    tls = vault.get("tls") or {}
    if bool(tls.get("certSecretRef")) != bool(tls.get("keySecretRef")):
        raise InvalidInput("tls needs certSecretRef and keySecretRef", remedy="give both or neither")
    if vault.get("auth") is None:
        return [
            "%s has no auth: the operator sends no token, which only an agent or a proxy of Vault that logs in by "
            "itself lets through" % where
        ]
    check_auth(vault["auth"])
    return []


def check_auth(auth: Mapping[str, Any]) -> None:
    """Refuse anything but exactly one complete auth method. Raises InvalidInput."""
    methods = [name for name in AUTH_METHODS if auth.get(name) is not None]
    if len(methods) != 1:
        raise InvalidInput(
            "%d auth methods are given (%s); the operator would take %s and say nothing"
            % (len(methods), ", ".join(methods), methods[0])
            if methods
            else "no auth method is given",
            remedy="give exactly one of %s" % ", ".join(AUTH_METHODS),
        )
    name = methods[0]
    method = auth[name]

    def need(*fields: str) -> None:
        missing = [field for field in fields if not method.get(field)]
        if missing:
            raise InvalidInput("auth.%s lacks %s" % (name, " and ".join(missing)), remedy="add it")

    def one_of(first: str, second: str, at_least: bool = True) -> None:
        count = bool(method.get(first)) + bool(method.get(second))
        if count > 1 or (at_least and count == 0):
            raise InvalidInput(
                "auth.%s has %s %s and %s" % (name, "both" if count else "neither", first, second),
                remedy="give %s of the two" % ("exactly one" if at_least else "at most one"),
            )

    if name == "kubernetes":
        need("role")
        one_of("serviceAccountRef", "secretRef", at_least=False)
    elif name == "appRole":
        one_of("roleId", "roleRef")
        need("secretRef")
    elif name == "jwt":
        one_of("secretRef", "kubernetesServiceAccountToken")
        if method.get("kubernetesServiceAccountToken") and not (
            method["kubernetesServiceAccountToken"].get("serviceAccountRef") or {}
        ).get("name"):
            raise InvalidInput("auth.jwt.kubernetesServiceAccountToken lacks serviceAccountRef", remedy="add it")
    elif name in ("ldap", "userPass"):
        need("username", "secretRef")
    elif name == "cert":
        need("clientCert", "secretRef")
    elif name == "tokenSecretRef":
        need("name", "key")


def auth_method(vault: Mapping[str, Any]) -> str:
    """Return the name of the auth method in the description of a Vault, "" without one."""
    return next((name for name in AUTH_METHODS if (vault.get("auth") or {}).get(name)), "")
