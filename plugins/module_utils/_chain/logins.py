# Copyright: Contributors to the secretops.vault_eso project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# Private to this collection: what is here may change at any time. Other collections must not import it.
"""The operator's own logins, made from here: mount, credential, role, binding, audience, and at last the login."""

from __future__ import annotations

import base64
from collections.abc import Mapping, Sequence
from typing import Any, Callable

from .._engine.errors import SecretopsError
from .._engine.jwt import claims
from .._kubernetes.client import Client as Kubernetes
from .._kubernetes.errors import Forbidden, KubernetesError
from .._kubernetes.kind import SECRET, SERVICE_ACCOUNT
from .._vault.base.naming import in_url
from .._vault.connection.client import Client as Vault
from .._vault.connection.errors import BadRequest, PermissionDenied, VaultError
from .links import MOUNTS, Broken, Session, Untried, account, broken, globbed, listed, quoted

Warn = Callable[[str], None]
#: seconds that the operator asks a service account's token for
LIFE = 600


class Logins:
    """Logs in as the operator does, and revokes what it got."""

    def __init__(self, kubernetes: Kubernetes, vault: Vault, warn: Warn) -> None:
        self.kubernetes = kubernetes
        self.vault = vault
        self.warn = warn
        self._read: dict[tuple[str, str], Any] = {}
        self._warned: set[str] = set()

    def remember(self, space: str | None, path: str, what: str) -> Any:
        """Read a path of Vault once, in one of its namespaces; None when the connection's token may not."""
        key = (space or "", path)
        if key not in self._read:
            try:
                self._read[key] = self.vault.within(space).read(path) or {}
            except PermissionDenied as error:
                self._read[key] = None
                self.say("%s not verified: %s" % (what, error))
        return self._read[key]

    def say(self, text: str) -> None:
        if text not in self._warned:
            self._warned.add(text)
            self.warn(text)

    def log_in(self, session: Session) -> None:
        if session.error is not None:
            return
        try:
            if session.method == "tokenSecretRef":
                self._take_token(session)
                return
            if session.method not in MOUNTS:
                raise Untried("the auth method %s cannot be tried from here" % session.method)
            self._check_mount(session)
            path, body, explain = self._credentials(session)
            try:
                client = self.vault.within(session.auth_space)
                answer = client.request("POST", path, body, idempotent=False, authenticated=False) or {}
            except VaultError as error:
                if not error.status or error.status >= 500:
                    raise
                plain = isinstance(error, (BadRequest, PermissionDenied)) and error.said
                reason = plain or error.what
                raise broken("login", "%s is refused (%s)" % (explain[0], reason), session.where, explain[1]) from error
            auth = answer.get("auth") or {}
            session.policies = sorted({*(auth.get("policies") or []), *(auth.get("identity_policies") or [])})
            session.client = client.at(client.choose(), str(auth.get("client_token"))).within(session.space)
            session.revocable = auth.get("token_type") != "batch"
        except Broken as error:
            session.error = error
        except Untried as error:
            session.untried = str(error)
            self.say("%s: the login and the policies are not verified: %s" % (session.source.label, error))

    def _take_token(self, session: Session) -> None:
        token = self._secret(session, session.options)
        where = 'Secret "%s/%s"' % (session.home(session.options), session.options.get("name"))
        session.client = self.vault.at(self.vault.choose(), token).within(session.space)
        try:
            known = session.client.read("auth/token/lookup-self") or {}
        except PermissionDenied as error:
            raise broken(
                "login", "its token is invalid, expired or revoked", where, "put a valid token there"
            ) from error
        session.policies = sorted({*(known.get("policies") or []), *(known.get("identity_policies") or [])})

    def _check_mount(self, session: Session) -> None:
        methods = self.remember(session.auth_space, "sys/auth", "auth methods are")
        if methods is None:
            return
        wanted = MOUNTS[session.method][0]
        found = methods.get(session.mount + "/")
        if found is None:
            candidates = sorted(
                path.rstrip("/") for path, one in methods.items() if isinstance(one, dict) and one.get("type") in wanted
            )
            raise broken(
                "auth_mount",
                "no auth method is mounted there%s"
                % (", one of the type %s is at %s" % (wanted[0], quoted(candidates)) if candidates else ""),
                session.where,
                "mount it, or correct the mount in %s" % session.source.label,
            )
        if found.get("type") not in wanted:
            raise broken(
                "auth_mount",
                'it is of the type "%s", but %s logs in by %s'
                % (found.get("type"), session.source.label, session.method),
                session.where,
                "correct the mount in the store, or mount the method there",
            )

    def _role(self, session: Session, folder: str, name: str) -> Mapping[str, Any] | None:
        """Return a role, None when it may not be read. Raises Broken when it does not exist."""
        session.role = name
        base = "auth/%s/%s" % (session.mount, folder)
        found = self.remember(session.auth_space, "%s/%s" % (base, in_url(name)), 'role "%s" is' % name)
        if found == {}:
            try:
                others = self.vault.within(session.auth_space).list(base)
            except VaultError:
                others = []
            raise broken(
                "role",
                '%s "%s" does not exist%s'
                % (
                    "role" if folder == "role" else "user",
                    name,
                    ", there are %s" % quoted(sorted(others)[:8]) if others else "",
                ),
                session.where,
                "create it, or correct it in %s" % session.source.label,
            )
        return dict(found) if found else None

    def _secret(self, session: Session, reference: Mapping[str, Any], default: str = "") -> str:
        """Return the text behind a Secret reference. Raises Broken, Untried."""
        namespace, name = session.home(reference), str(reference.get("name") or "")
        key, where = str(reference.get("key") or default), 'Secret "%s/%s"' % (namespace, name)
        try:
            secret = self.kubernetes.get(SECRET.path("v1", namespace, name))
        except Forbidden as error:
            raise Untried(str(error)) from error
        if secret is None:
            raise broken("credential", "does not exist", where, "create it, or correct %s" % session.source.label)
        if key not in (secret.get("data") or {}):
            raise broken("credential", 'has no key "%s"' % key, where, "add it, or correct %s" % session.source.label)
        return base64.b64decode(secret["data"][key]).decode(errors="replace").strip()

    def _account_token(self, session: Session, reference: Mapping[str, Any], audiences: Sequence[str]) -> str:
        namespace, name = session.home(reference), str(reference.get("name") or "")
        path = SERVICE_ACCOUNT.path("v1", namespace, name) + "/token"
        body = {
            "apiVersion": "authentication.k8s.io/v1",
            "kind": "TokenRequest",
            "spec": {"audiences": list(audiences), "expirationSeconds": LIFE},
        }
        try:
            answer = self.kubernetes.request("POST", path, body, missing_ok=True)
        except Forbidden as error:
            raise Untried(str(error)) from error
        except KubernetesError as error:
            raise broken(
                "credential", error.what, 'service account "%s/%s"' % (namespace, name), error.remedy
            ) from error
        if answer is None:
            raise broken(
                "credential",
                "does not exist",
                'service account "%s/%s"' % (namespace, name),
                "create it, or correct %s" % session.source.label,
            )
        return str(answer["status"]["token"])

    def _credentials(self, session: Session) -> tuple[str, dict[str, Any], tuple[str, str]]:
        """Return login path, body, and how a refusal is explained. Raises Broken, Untried."""
        options, login = session.options, "auth/%s/login" % session.mount
        if session.method == "kubernetes":
            return login, *self._kubernetes(session)
        if session.method == "jwt":
            return login, *self._jwt(session)
        if session.method == "appRole":
            role = options.get("roleId") or self._secret(session, options.get("roleRef") or {})
            secret = self._secret(session, options.get("secretRef") or {})
            return (
                login,
                {"role_id": str(role).strip(), "secret_id": secret},
                (
                    "the login with the role ID and the secret ID",
                    "check both; the secret ID may have expired or be used up",
                ),
            )
        if session.method in ("userPass", "ldap"):
            user = str(options.get("username") or "").strip()
            if session.method == "userPass":
                self._role(session, "users", user)
            return (
                "%s/%s" % (login, user),
                {"password": self._secret(session, options.get("secretRef") or {})},
                ('the login of "%s"' % user, "check the user and the password in the Secret"),
            )
        raise Untried("the auth method %s cannot be tried from here" % session.method)

    def _kubernetes(self, session: Session) -> tuple[dict[str, Any], tuple[str, str]]:
        options, name = session.options, str(session.options.get("role") or "")
        role = self._role(session, "role", name)
        reference = options.get("serviceAccountRef")
        requested = listed((reference or {}).get("audiences"))
        untried = ""
        try:
            if reference:
                holder = (session.home(reference), str(reference.get("name") or ""))
                token = self._account_token(session, reference, requested)
            elif options.get("secretRef"):
                token = self._secret(session, options["secretRef"], "token")
                holder = account(claims(token))
            else:
                raise Untried("the token of the operator's own pod is used")
        except Untried as error:
            token, untried = "", str(error)
            holder = holder if reference else ("", "")
        audiences = listed(claims(token).get("aud")) or requested
        if role is not None and all(holder):
            self._check_binding(session, role, holder)
        if role is not None and audiences:
            wanted = str(role.get("audience") or "")
            if wanted and wanted not in audiences:
                raise broken(
                    "audience",
                    'role "%s" wants the audience "%s", but the token is for %s' % (name, wanted, quoted(audiences)),
                    session.where,
                    "add it to serviceAccountRef.audiences in %s" % session.source.label,
                )
        if untried:
            raise Untried(untried)
        if role is not None and requested and not role.get("audience"):
            remedy = "set the role's audience to one of %s" % quoted(requested)
        else:
            remedy = "check kubernetes_host, the CA and the reviewer in %s/config" % session.where
            host = str(self._config(session).get("kubernetes_host") or "")
            if "kubernetes.default" in host:
                remedy += (
                    ": %s is reached from inside the cluster only; write the address at which Vault reaches the API "
                    "server, unless Vault runs in this cluster" % host
                )
        remedy += (
            "; where the token is its own reviewer, the service account needs the cluster role system:auth-delegator "
            "and the audiences must hold the API server's own as well"
        )
        who = 'the login of the service account "%s/%s" with role "%s"' % (*holder, name)
        return {"role": name, "jwt": token}, (who, remedy)

    def _config(self, session: Session) -> Mapping[str, Any]:
        """Return the configuration of the auth method, {} when it may not be read."""
        try:
            return self.vault.within(session.auth_space).read("%s/config" % session.where) or {}
        except VaultError:
            return {}

    def _check_binding(self, session: Session, role: Mapping[str, Any], holder: tuple[str, str]) -> None:
        namespace, name = holder
        spaces, names = (
            listed(role.get(field)) for field in ("bound_service_account_namespaces", "bound_service_account_names")
        )
        if not globbed(spaces, namespace) and not role.get("bound_service_account_namespace_selector"):
            raise broken(
                "binding",
                'role "%s" binds %s %s, but the service account is in "%s"'
                % (
                    session.role,
                    "namespace" if len(spaces) == 1 else "the namespaces",
                    quoted(spaces) or "(none)",
                    namespace,
                ),
                session.where,
                "add it to bound_service_account_namespaces",
            )
        if not globbed(names, name):
            raise broken(
                "binding",
                'role "%s" binds the service account %s, but %s uses "%s"'
                % (session.role, quoted(names) or "(none)", session.source.label, name),
                session.where,
                "add it to bound_service_account_names",
            )

    def _jwt(self, session: Session) -> tuple[dict[str, Any], tuple[str, str]]:
        options, name = session.options, str(session.options.get("role") or "").strip()
        role = self._role(session, "role", name) if name else None
        if options.get("secretRef"):
            token = self._secret(session, options["secretRef"])
        else:
            source = options.get("kubernetesServiceAccountToken") or {}
            reference = source.get("serviceAccountRef") or {}
            more = ["vault"] if source.get("audiences") is None else listed(source["audiences"])
            token = self._account_token(session, reference, [*listed(reference.get("audiences")), *more])
        found = claims(token)
        if role is not None:
            bound, audiences = listed(role.get("bound_audiences")), listed(found.get("aud"))
            if bound and not set(bound) & set(audiences):
                raise broken(
                    "audience",
                    'role "%s" wants the audience %s, but the token is for %s'
                    % (name, quoted(bound), quoted(audiences)),
                    session.where,
                    "add one of them to the audiences in %s" % session.source.label,
                )
            subject = str(role.get("bound_subject") or "")
            if subject and subject != found.get("sub"):
                raise broken(
                    "binding",
                    'role "%s" binds the subject "%s", but the token is of "%s"' % (name, subject, found.get("sub")),
                    session.where,
                    "correct bound_subject",
                )
        return {"role": name, "jwt": token}, (
            'the login of "%s" with role "%s"' % (found.get("sub") or "the token", name),
            "check the issuer, the keys and the bound claims in %s/config and the role" % session.where,
        )

    def revoke(self, sessions: Sequence[Session]) -> None:
        for session in sessions:
            if session.client is not None and session.revocable:
                try:
                    session.client.request("POST", "auth/token/revoke-self", {}, idempotent=True)
                except SecretopsError as error:
                    self.warn(
                        "%s: its token could not be revoked and lives until it expires: %s"
                        % (session.source.label, error)
                    )
