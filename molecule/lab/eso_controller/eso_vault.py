# Copyright: Contributors to the secretops.vault_eso project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The Vault side of a store: connection, login, KV reads, revocation.

One `VaultSession` serves one refresh and is closed after it, as the operator does without its token cache.
Error messages carry what the server said, never a token, a credential or a value.
"""

from __future__ import annotations

import base64
import binascii
import json
import os
import re
import ssl
import time
from urllib.parse import quote, urlencode

import urllib3
from eso_kube import ApiError, Kube, Object, core
from eso_values import dump_json, kv_metadata_path, kv_path, load_json, seconds

AUTH_ORDER = ("tokenSecretRef", "appRole", "kubernetes", "ldap", "userPass", "jwt", "cert", "iam", "gcp")
NOT_EMULATED = ("cert", "iam", "gcp")
#: how the operator begins to tell of a refused login
LOGIN_ERRORS = {
    "appRole": "unable to log in to auth method: unable to log in with app role auth: ",
    "kubernetes": "unable to log in to auth method: unable to log in with Kubernetes auth: ",
    "ldap": "unable to log in to auth method: unable to log in with LDAP auth: ",
    "userPass": "unable to log in to auth method: unable to log in with userpass auth: ",
}
REDIRECTS = urllib3.Retry(total=None, connect=0, read=0, status=0, other=0, redirect=2)


class VaultError(Exception):
    """Anything that keeps Vault from being used: configuration, credentials, connection, an error answer."""

    def __init__(self, message: str, status: int = 0) -> None:
        super().__init__(message)
        self.status = status


class NoSecret(Exception):
    """The secret, or the version asked for, does not exist (any more)."""

    def __init__(self) -> None:
        super().__init__("Secret does not exist")


def chosen_auth(auth: Object) -> str | None:
    """The one method that is used when several are given: the first in the operator's order."""
    return next((name for name in AUTH_ORDER if auth.get(name)), None)


def references(auth: Object) -> list[tuple[str, Object]]:
    """Every Secret or ServiceAccount reference of an auth section, with its place in words."""
    found: list[tuple[str, Object]] = []

    def add(label: str, reference: Object | None) -> None:
        if reference:
            found.append((label, reference))

    add("Auth.TokenSecretRef", auth.get("tokenSecretRef"))
    approle = auth.get("appRole") or {}
    add("Auth.AppRole.SecretRef", approle.get("secretRef"))
    kubernetes = auth.get("kubernetes") or {}
    add("Auth.Kubernetes.ServiceAccountRef", kubernetes.get("serviceAccountRef"))
    add("Auth.Kubernetes.SecretRef", kubernetes.get("secretRef"))
    add("Auth.Ldap.SecretRef", (auth.get("ldap") or {}).get("secretRef"))
    add("Auth.UserPass.SecretRef", (auth.get("userPass") or {}).get("secretRef"))
    jwt = auth.get("jwt") or {}
    add("Auth.Jwt.SecretRef", jwt.get("secretRef"))
    add(
        "Auth.Jwt.KubernetesServiceAccountToken.ServiceAccountRef",
        (jwt.get("kubernetesServiceAccountToken") or {}).get("serviceAccountRef"),
    )
    add("Auth.Cert.SecretRef", (auth.get("cert") or {}).get("secretRef"))
    return found


def is_referent(vault: Object) -> bool:
    """Whether a cluster store's credentials depend on the namespace of each ExternalSecret."""
    return any(not reference.get("namespace") for _, reference in references(vault.get("auth") or {}))


def store_problem(store: Object) -> str | None:
    """What the operator's admission webhook would refuse in a store, or what is not emulated; None when fine."""
    provider = store["spec"].get("provider") or {}
    others = sorted(set(provider) - {"vault"})
    if others:
        return f"provider {', '.join(others)} is not emulated; only vault is"
    vault = provider.get("vault")
    if not vault:
        return "invalid vault provider"
    auth = vault.get("auth") or {}
    namespace = store["metadata"].get("namespace")
    if store["kind"] == "SecretStore":
        for label, reference in references(auth) + [
            (f"ClientTLS.{name}", vault["tls"][name])
            for name in ("certSecretRef", "keySecretRef")
            if (vault.get("tls") or {}).get(name)
        ]:
            if reference.get("namespace") not in (None, "", namespace):
                return (
                    f"invalid {label}: namespace should either be empty or match the namespace of the SecretStore "
                    "for a namespaced SecretStore"
                )
    approle = auth.get("appRole")
    if approle and not approle.get("roleId") and not approle.get("roleRef"):
        return "neither `roleId` nor `roleRef` was supplied for appRole authentication"
    jwt = auth.get("jwt")
    if jwt and not jwt.get("secretRef") and not jwt.get("kubernetesServiceAccountToken"):
        return (
            "neither `secretRef` nor `kubernetesServiceAccountToken` was supplied as token source for jwt "
            "authentication"
        )
    tls = vault.get("tls") or {}
    if bool(tls.get("certSecretRef")) != bool(tls.get("keySecretRef")):
        return "when provided, both ClientTLS.ClientCert and ClientTLS.SecretRef should be provided"
    if (vault.get("checkAndSet") or {}).get("required") and vault.get("version") == "v1":
        return "checkAndSet is not supported with Vault KV version v1"
    method = chosen_auth(auth)
    if method in NOT_EMULATED:
        return f"Vault auth method {method} is not emulated"
    return None


def secret_value(kube: Kube, cluster_store: bool, namespace: str, reference: Object, key: str | None = None) -> bytes:
    """The bytes behind a Secret reference. Raise VaultError naming the Secret when they are not there."""
    where = (reference.get("namespace") or namespace) if cluster_store else namespace
    name = reference.get("name", "")
    key = reference.get("key") or key or ""
    secret = kube.find(core("secrets", where, name)) if name else None
    if secret is None:
        raise VaultError(f'cannot get Kubernetes secret "{name}" from namespace "{where}": secrets "{name}" not found')
    if key not in (secret.get("data") or {}):
        raise VaultError(f'cannot find secret data for key: "{key}"')
    return base64.b64decode(secret["data"][key])


class VaultSession:
    """A connection to the server of one store, logged in by the store's method."""

    def __init__(
        self, kube: Kube, vault: Object, cluster_store: bool, namespace: str, retry: Object | None = None
    ) -> None:
        self.kube, self.vault, self.cluster_store, self.namespace = kube, vault, cluster_store, namespace
        self.server = str(vault.get("server", "")).rstrip("/")
        self.version = vault.get("version") or "v2"
        self.mount: str | None = vault.get("path")
        self.token = ""
        self.revocable = False
        retry = retry or {}
        self.retries = int(retry.get("maxRetries", 2 if not retry else 0))
        self.wait = seconds(retry["retryInterval"]) if retry.get("retryInterval") else 1.0
        self.pool = self._connect()

    def _connect(self) -> urllib3.PoolManager:
        if not re.match(r"https?://", self.server):
            raise VaultError(f'Vault server "{self.server}" is not an http(s) URL')
        authority = self._authority()
        if authority is None:
            # reads the system's certificates, which takes longer than a refresh
            context = ssl.create_default_context()
        else:
            context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
            try:
                context.load_verify_locations(cadata=authority)
            except (ssl.SSLError, ValueError):
                raise VaultError("failed to parse certificates from CertPool: the CA is not PEM") from None
        tls = self.vault.get("tls") or {}
        if tls.get("certSecretRef"):
            self._client_certificate(context, tls)
        return urllib3.PoolManager(ssl_context=context, timeout=urllib3.Timeout(connect=5, read=10), retries=False)

    def _authority(self) -> str | None:
        """PEM of the CA: caBundle (base64 of PEM) first, then caProvider."""
        if self.vault.get("caBundle"):
            try:
                return base64.b64decode(self.vault["caBundle"], validate=True).decode("ascii")
            except (binascii.Error, UnicodeDecodeError):
                raise VaultError("caBundle is not the base64 of a PEM certificate") from None
        provider = self.vault.get("caProvider")
        if not provider:
            return None
        if self.cluster_store and not provider.get("namespace"):
            raise VaultError("missing namespace on caProvider secret")
        if provider.get("type") == "Secret":
            return secret_value(self.kube, self.cluster_store, self.namespace, provider).decode("utf-8", "replace")
        where = provider["namespace"] if self.cluster_store else self.namespace
        name, key = provider["name"], provider.get("key", "")
        found = self.kube.find(core("configmaps", where, name))
        if found is None or key not in (found.get("data") or {}):
            raise VaultError(f'caProvider: ConfigMap "{where}/{name}" with key "{key}" not found')
        return str(found["data"][key])

    def _client_certificate(self, context: ssl.SSLContext, tls: Object) -> None:
        chain = secret_value(self.kube, self.cluster_store, self.namespace, tls["certSecretRef"], "tls.crt")
        key = secret_value(self.kube, self.cluster_store, self.namespace, tls["keySecretRef"], "tls.key")
        # OpenSSL wants a file name: anonymous memory keeps the key off the disk
        handle = os.memfd_create("client-certificate", os.MFD_CLOEXEC)
        try:
            os.write(handle, chain + b"\n" + key)
            context.load_cert_chain(f"/proc/self/fd/{handle}")
        except ssl.SSLError:
            raise VaultError("the client certificate or key of tls is not valid PEM") from None
        finally:
            os.close(handle)

    def call(
        self,
        method: str,
        path: str,
        body: Object | None = None,
        query: Object | None = None,
        namespace: str | None = None,
    ) -> Object | None:
        """One API request; None for 404 and for an empty answer. Raise VaultError otherwise."""
        headers = {"X-Vault-Request": "true", **(self.vault.get("headers") or {})}
        namespace = self.vault.get("namespace") if namespace is None else namespace
        if namespace:
            headers["X-Vault-Namespace"] = namespace
        if self.vault.get("readYourWrites") and self.vault.get("forwardInconsistent"):
            headers["X-Vault-Inconsistent"] = "forward-active-node"
        if self.token:
            headers["X-Vault-Token"] = self.token
        url = f"{self.server}/v1/{quote(path.strip('/'), safe='/')}"
        if query:
            url += "?" + urlencode(query, doseq=True)
        payload = dump_json(body).encode() if body is not None else None
        for attempt in range(self.retries + 1):
            last = attempt == self.retries
            try:
                response = self.pool.request(method, url, body=payload, headers=headers, retries=REDIRECTS)
            except urllib3.exceptions.HTTPError as error:
                if last:
                    cause = error.reason if isinstance(error, urllib3.exceptions.MaxRetryError) else error
                    raise VaultError(f"{method} {url}: {cause}") from None
            else:
                if last or not (response.status >= 500 or response.status == 412):
                    break
            time.sleep(self.wait)
        if response.status == 404:
            return None
        if response.status >= 400:
            try:
                errors = [str(item) for item in (json.loads(response.data).get("errors") or [])]
            except (ValueError, AttributeError):
                errors = []
            said = " ".join(f"* {item}" for item in errors)
            raise VaultError(
                f"Error making API request. URL: {method} {url} Code: {response.status}. Errors: {said}",
                response.status,
            )
        return load_json(response.data) if response.data else None

    # login -----------------------------------------------------------------------------------------------------

    def login(self) -> None:
        """Get a token by the first configured method. Raise VaultError when that fails."""
        auth = self.vault.get("auth")
        if auth is None:
            return
        method = chosen_auth(auth)
        if method is None:
            raise VaultError("cannot initialize Vault client: no valid auth method specified")
        if method in NOT_EMULATED:
            raise VaultError(f"Vault auth method {method} is not emulated")
        options = auth[method]
        if method == "tokenSecretRef":
            self.token = self._secret(options).decode().strip()
            return
        path, body = getattr(self, f"_login_{method.lower()}")(options)
        try:
            answer = self.call("PUT", path, body, namespace=auth.get("namespace"))
        except VaultError as error:
            raise VaultError(f"{LOGIN_ERRORS.get(method, '')}{error}", error.status) from None
        token = ((answer or {}).get("auth") or {}).get("client_token")
        if not token:
            raise VaultError(f"unable to log in to auth method {method}: no token in the answer of {path}")
        self.token, self.revocable = token, True

    def _secret(self, reference: Object, key: str | None = None) -> bytes:
        return secret_value(self.kube, self.cluster_store, self.namespace, reference, key)

    def _login_approle(self, options: Object) -> tuple[str, Object]:
        role = options.get("roleId") or self._secret(options["roleRef"]).decode().strip()
        secret = self._secret(options["secretRef"]).decode().strip()
        return f"auth/{options.get('path') or 'approle'}/login", {"role_id": role.strip(), "secret_id": secret}

    def _login_kubernetes(self, options: Object) -> tuple[str, Object]:
        if options.get("serviceAccountRef"):
            jwt = self._service_account_token(options["serviceAccountRef"], [], 600)
        elif options.get("secretRef"):
            jwt = self._secret(options["secretRef"], "token").decode()
        else:
            raise VaultError(
                "cannot read Kubernetes service account token from file system: this controller does not "
                "run in a pod; set serviceAccountRef or secretRef"
            )
        return f"auth/{options.get('mountPath') or 'kubernetes'}/login", {"role": options["role"], "jwt": jwt}

    def _login_jwt(self, options: Object) -> tuple[str, Object]:
        if options.get("secretRef"):
            jwt = self._secret(options["secretRef"]).decode()
        else:
            source = options["kubernetesServiceAccountToken"]
            audiences = ["vault"] if source.get("audiences") is None else source["audiences"]
            expiration = int(source.get("expirationSeconds") or 600)
            jwt = self._service_account_token(source["serviceAccountRef"], audiences, expiration)
        body = {"role": (options.get("role") or "").strip(), "jwt": jwt}
        return f"auth/{options.get('path') or 'jwt'}/login", body

    def _login_userpass(self, options: Object) -> tuple[str, Object]:
        return self._password_login(options, "userpass")

    def _login_ldap(self, options: Object) -> tuple[str, Object]:
        return self._password_login(options, "ldap")

    def _password_login(self, options: Object, mount: str) -> tuple[str, Object]:
        user = (options.get("username") or "").strip()
        password = self._secret(options["secretRef"]).decode()
        return f"auth/{options.get('path') or mount}/login/{user}", {"password": password}

    def _service_account_token(self, reference: Object, more: list[str], expiration: int) -> str:
        namespace = (reference.get("namespace") or self.namespace) if self.cluster_store else self.namespace
        spec: Object = {"audiences": [*(reference.get("audiences") or []), *more], "expirationSeconds": expiration}
        try:
            answer = self.kube.call(
                "POST",
                core("serviceaccounts", namespace, reference["name"], "token"),
                None,
                {"apiVersion": "authentication.k8s.io/v1", "kind": "TokenRequest", "spec": spec},
            )
        except ApiError as error:
            missing = f'cannot get Kubernetes service account "{reference["name"]}": '
            cause = f'{missing}ServiceAccount "{reference["name"]}" not found' if error.status == 404 else str(error)
            raise VaultError(
                f'cannot request Kubernetes service account token for service account "{reference["name"]}": {cause}'
            ) from None
        return str(answer["status"]["token"])

    def check(self) -> None:
        """auth/token/lookup-self, as the operator validates a store. Raise VaultError when the token is no good."""
        try:
            if self.call("GET", "auth/token/lookup-self") is None:
                raise VaultError("no response nor error for token lookup")
        except VaultError as error:
            raise VaultError(f"invalid vault credentials: {error}", error.status) from None

    def close(self) -> None:
        """Look the token up and revoke it, unless it was given from outside. Raise VaultError."""
        if self.token and self.revocable:
            found = self.call("GET", "auth/token/lookup-self")
            if found and (found.get("data") or {}).get("type") != "batch":
                self.call("PUT", "auth/token/revoke-self")
        self.token = ""
        self.pool.clear()

    # KV --------------------------------------------------------------------------------------------------------

    def read(self, key: str, version: str | None = None) -> Object:
        """A KV secret's data. Raise NoSecret for a missing secret or a deleted version."""
        try:
            query = {"version": version} if version else None
            answer = self.call("GET", kv_path(self.mount, self.version, key), query=query)
        except VaultError as error:
            raise VaultError(f"cannot read secret data from Vault: {error}", error.status) from None
        if answer is None:
            raise NoSecret
        data = answer.get("data") or {}
        if self.version == "v1":
            return data
        if "data" not in data:
            raise VaultError("failed to find data field: is this mount KV version 2?")
        if data["data"] is None:
            raise NoSecret
        return data["data"]

    def metadata(self, key: str) -> Object:
        """The metadata that metadataPolicy Fetch and find by tags see."""
        answer = self.call("GET", kv_metadata_path(self.mount, self.version, key))
        if answer is None:
            raise VaultError("secret not found")
        data = answer.get("data") or {}
        found: Object = {}
        if self.version == "v2":
            for name in ("created_time", "current_version", "delete_version_after"):
                if data.get(name) is not None:
                    found[name] = str(data[name])
        for name, value in (data.get("custom_metadata") or {}).items():
            found[name] = str(value)
        return found

    def list(self, path: str = "") -> list[str]:
        """All secrets below a path (which ends with a slash when not empty), folders walked through."""
        answer = self.call("GET", kv_metadata_path(self.mount, self.version, path), query={"list": "true"})
        if answer is None:
            raise NoSecret
        names: list[str] = []
        for name in (answer.get("data") or {}).get("keys") or []:
            full = path + name
            names += self.list(full) if name.endswith("/") else [full]
        return names
