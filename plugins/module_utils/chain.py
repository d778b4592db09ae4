# Copyright: Contributors to the secretops.vault_eso project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The whole way from an ExternalSecret to a value in Vault, link by link: which one breaks first, and what to do.

The operator's own login is made (TokenRequest, login, revoked at the end), so that what is found is what the operator
meets. Of secrets only the names of their keys are kept. Requests grow with the number of logins and of distinct
secrets, not with that of ExternalSecrets.
"""

from __future__ import annotations

import base64
import binascii
import fnmatch
import json
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from typing import Any, Callable, NamedTuple

from .errors import InvalidInput, SecretopsError
from .kubernetes import external_secrets as eso
from .kubernetes import generator as generators
from .kubernetes.client import SECRET, Forbidden, Kind, KubernetesError, Object
from .kubernetes.client import Client as Kubernetes
from .module import Module
from .vault.client import Client as Vault
from .vault.client import PermissionDenied, VaultError
from .vault.module import LOGIN_SPEC, connect, logged_in

Warn = Callable[[str], None]
NAMESPACE = Kind("Namespace", "namespaces", "", ("v1",), False)
#: auth method of a store: types of auth method in Vault that answer to it, and the mount that the operator assumes
MOUNTS: Mapping[str, tuple[tuple[str, ...], str]] = {
    "kubernetes": (("kubernetes",), "kubernetes"),
    "appRole": (("approle",), "approle"),
    "jwt": (("jwt", "oidc"), "jwt"),
    "userPass": (("userpass",), "userpass"),
    "ldap": (("ldap",), "ldap"),
    "cert": (("cert",), "cert"),
}
#: seconds that the operator asks a service account's token for
LIFE = 600
#: paths in one request to sys/capabilities-self
PATHS = 500


class Broken(SecretopsError):
    """A link that does not hold; ``link`` is its name."""

    link = ""


def broken(link: str, what: str, where: str, remedy: str) -> Broken:
    """Return the error for a link."""
    error = Broken(what, where, remedy)
    error.link = link
    return error


class Untried(Exception):
    """A link that cannot be tried from here; the message says why."""


class Source(NamedTuple):
    """What an ExternalSecret reads from: a store or a generator."""

    kind: str
    namespace: str
    name: str
    vault: Mapping[str, Any]
    cluster: bool
    live: Mapping[str, Any]

    @property
    def label(self) -> str:
        """The object as messages name it."""
        return '%s "%s"' % (self.kind, "%s/%s" % (self.namespace, self.name) if self.namespace else self.name)


class Wish(NamedTuple):
    """What is wanted of a source: a path of the API, any of some capabilities on it, and what is to be there."""

    path: str
    capabilities: tuple[str, ...]
    #: "secret", "metadata", "folder", or "" for what must not be tried
    what: str
    key: str = ""
    property: str = ""
    version: str = ""
    tolerated: bool = False


def api_path(vault: Mapping[str, Any], key: str, part: str = "data") -> str:
    """Return the API path of a KV secret from the store's ``path`` and a key, as the operator builds it."""
    mount, version = vault.get("path"), vault.get("version") or "v2"
    if mount is None:
        if version == "v1":
            return key
        if "/data/" in key:
            return key.replace("/data/", "/%s/" % part, 1)
        first, _slash, rest = key.partition("/")
        return "%s/%s/%s" % (first, part, rest)
    mount = str(mount).strip("/")
    rest = key[len(mount) + 1 :] if key.startswith(mount + "/") else key
    if version == "v1":
        return "%s/%s" % (mount, rest)
    return "%s/%s/%s" % (mount, part, rest[len("data/") :] if rest != key and rest.startswith("data/") else rest)


def claims(token: str) -> dict[str, Any]:
    """Return what a JSON web token says, {} when it is none. Nothing is checked here."""
    try:
        body = token.split(".")[1]
        found = json.loads(base64.urlsafe_b64decode(body + "=" * (-len(body) % 4)))
    except (IndexError, ValueError, binascii.Error):
        return {}
    return found if isinstance(found, dict) else {}


def account(found: Mapping[str, Any]) -> tuple[str, str]:
    """Return namespace and name of the service account that a token's claims are about."""
    inner = found.get("kubernetes.io") or {}
    namespace = inner.get("namespace") or found.get("kubernetes.io/serviceaccount/namespace") or ""
    name = (inner.get("serviceaccount") or {}).get("name")
    return namespace, name or found.get("kubernetes.io/serviceaccount/service-account.name") or ""


def listed(value: Any) -> list[str]:
    """Return a list of texts from one, many or none."""
    return [str(one) for one in (value if isinstance(value, (list, tuple)) else [value] if value else [])]


def quoted(values: Iterable[str]) -> str:
    """Return texts as messages name them: ``"a", "b"``."""
    return ", ".join('"%s"' % value for value in values)


def globbed(values: Iterable[str], name: str) -> bool:
    """Tell whether a name is among values that may hold ``*``, as roles of the Kubernetes method take them."""
    return any(fnmatch.fnmatchcase(name, re.sub(r"([\[?])", r"[\1]", value)) for value in values)


def has_property(data: Mapping[str, Any], name: str) -> bool:
    """Tell whether a secret has a property: a literal key, else a dotted path; other queries are taken for true."""
    if name in data:
        return True
    current: Any = data
    for part in re.split(r"(?<!\\)\.", name):
        part = part.replace("\\.", ".")
        if re.search(r"[*?|#\\@!{}()\[\]]", part):
            return True
        if isinstance(current, str):
            # the operator looks into documents that are values
            try:
                current = json.loads(current)
            except ValueError:
                return False
        if isinstance(current, Mapping) and part in current:
            current = current[part]
        elif isinstance(current, list) and part.isdigit() and int(part) < len(current):
            current = current[int(part)]
        else:
            return False
    return True


def selects(selector: Mapping[str, Any], labels: Mapping[str, str]) -> bool:
    """Tell whether a label selector takes labels. Source: Kubernetes API, LabelSelector."""
    if any(labels.get(key) != value for key, value in (selector.get("matchLabels") or {}).items()):
        return False
    for rule in selector.get("matchExpressions") or []:
        held, values = labels.get(rule["key"]), rule.get("values") or []
        holds = {
            "In": held in values,
            "NotIn": held not in values,
            "Exists": held is not None,
            "DoesNotExist": held is None,
        }.get(rule["operator"], False)
        if not holds:
            return False
    return True


def wishes(spec: Mapping[str, Any], entry: Mapping[str, Any], vault: Mapping[str, Any]) -> list[Wish]:
    """Return what one entry of ``data`` or ``dataFrom`` wants of a store."""
    policy = (spec.get("target") or {}).get("deletionPolicy") or "Retain"
    find = entry.get("find")
    if find is not None:
        folder = str(find.get("path") or "").strip("/")
        path = api_path(vault, folder + "/" if folder else "", "metadata")
        return [Wish(path, ("list",), "folder", folder)]
    remote = entry.get("remoteRef") or entry.get("extract") or {}
    key = str(remote.get("key") or "")
    common: dict[str, Any] = {
        "key": key,
        "property": str(remote.get("property") or ""),
        "tolerated": policy != "Retain",
    }
    if remote.get("metadataPolicy") == "Fetch":
        return [Wish(api_path(vault, key, "metadata"), ("read",), "metadata", **common)]
    return [Wish(api_path(vault, key), ("read",), "secret", version=str(remote.get("version") or ""), **common)]


class Session:
    """One login of the operator: the source, the namespace that it is used from, and what came of it."""

    def __init__(self, source: Source, namespace: str) -> None:
        self.source = source
        self.namespace = namespace
        self.error: Broken | None = None
        #: why the login was not tried
        self.untried = ""
        self.client: Vault | None = None
        self.revocable = False
        self.role = ""
        self.policies: list[str] = []
        self.wishes: dict[Wish, Broken | None] = {}
        auth = source.vault.get("auth") or {}
        self.method = next((name for name in eso.AUTH_METHODS if auth.get(name) is not None), "")
        self.options: Mapping[str, Any] = auth.get(self.method) or {}
        self.space = source.vault.get("namespace")
        self.auth_space = auth.get("namespace") or self.space
        default = MOUNTS.get(self.method, ((), ""))[1]
        self.mount = str(self.options.get("mountPath") or self.options.get("path") or default).strip("/")

    @property
    def where(self) -> str:
        """The auth method as messages name it."""
        return "auth/%s" % self.mount

    def home(self, reference: Mapping[str, Any]) -> str:
        """Return the namespace in which the operator looks a reference up."""
        if self.source.cluster and reference.get("namespace"):
            return str(reference["namespace"])
        return self.namespace


class Chain:
    """Verifies many ExternalSecrets over one connection to each side."""

    def __init__(self, kubernetes: Kubernetes, vault: Vault, warn: Warn, ready: bool = True, workers: int = 4) -> None:
        self.kubernetes = kubernetes
        self.vault = vault
        self.warn = warn
        self.ready = ready
        self.workers = max(workers, 1)
        self.versions = {
            kind.name: kubernetes.version_of(kind) for kind in (eso.STORE, eso.CLUSTER_STORE, eso.EXTERNAL_SECRET)
        }
        self._stores: dict[tuple[str, str, str], Object] = {}
        self._generators: dict[tuple[str, str, str], Object | None] = {}
        self._labels: dict[str, Mapping[str, str]] | None = None
        self._sessions: dict[tuple[str, str, str, str], Session] = {}
        self._read: dict[tuple[str, str], Any] = {}
        self._warned: set[str] = set()

    def survey(self, wanted: Mapping[str, Any]) -> list[dict[str, Any]]:
        """Verify what is there. ``wanted``: namespaces, name, label_selector. Raises SecretopsError."""
        spaces = wanted.get("namespaces")
        query = {"labelSelector": wanted["label_selector"]} if wanted.get("label_selector") else None
        kind = eso.EXTERNAL_SECRET
        found = [
            one
            for space in (spaces if spaces is not None else [None])
            for one in self.kubernetes.list_objects(kind.path(self.versions[kind.name], space), query)
            if wanted.get("name") in (None, one["metadata"]["name"])
        ]
        self.look(spaces)
        return self.verify(found, lone=not query and wanted.get("name") is None)

    def reasons(self, objects: Sequence[Mapping[str, Any] | None]) -> list[str]:
        """Return for each object which link does not hold, "" for none and for what is no ExternalSecret."""
        self._sessions.clear()
        found = [one for one in objects if one is not None and one["metadata"].get("namespace")]
        told = iter(self.verify(found))
        return [
            next(told)["message"] if one is not None and one["metadata"].get("namespace") else "" for one in objects
        ]

    # -- what is there ------------------------------------------------------------------------------------------------

    def look(self, namespaces: Sequence[str] | None) -> None:
        """Read the stores of all or some namespaces, and those of the cluster."""
        for kind, spaces in ((eso.STORE, namespaces), (eso.CLUSTER_STORE, None)):
            for space in spaces if spaces is not None else [None]:
                for one in self.kubernetes.list_objects(kind.path(self.versions[kind.name], space)):
                    meta = one["metadata"]
                    self._stores[kind.name, meta.get("namespace") or "", meta["name"]] = one

    def remember(self, space: str | None, path: str, what: str) -> Any:
        """Read a path of Vault once, in one of its namespaces; None when the connection's token may not."""
        key = (space or "", path)
        if key not in self._read:
            try:
                self._read[key] = self.vault.within(space).read(path) or {}
            except PermissionDenied as error:
                self._read[key] = None
                self._say("%s not verified: %s" % (what, error))
        return self._read[key]

    def _say(self, text: str) -> None:
        if text not in self._warned:
            self._warned.add(text)
            self.warn(text)

    def source(self, namespace: str, reference: Mapping[str, Any]) -> Source | None:
        """Return the store behind a reference, None when it is not Vault's. Raises Broken."""
        kind = reference.get("kind") or eso.STORE.name
        name = str(reference.get("name") or "")
        space = "" if kind == eso.CLUSTER_STORE.name else namespace
        label = '%s "%s"' % (kind, "%s/%s" % (space, name) if space else name)
        store = self._stores.get((kind, space, name))
        if store is None:
            raise broken("store", "does not exist", label, "create it, or correct the reference to it")
        spec = store.get("spec") or {}
        vault = (spec.get("provider") or {}).get("vault")
        if vault is None:
            return None
        try:
            eso.check_store(kind, space or None, spec)
        except InvalidInput as error:
            raise broken("store", error.what, label, error.remedy) from error
        if kind == eso.CLUSTER_STORE.name and not self._allowed(spec.get("conditions") or [], namespace):
            raise broken(
                "store",
                'its conditions do not let the namespace "%s" use it' % namespace,
                label,
                "add the namespace to its conditions",
            )
        return Source(kind, space, name, vault, kind == eso.CLUSTER_STORE.name, store)

    def _allowed(self, conditions: Sequence[Mapping[str, Any]], namespace: str) -> bool:
        if not conditions:
            return True
        for one in conditions:
            if namespace in (one.get("namespaces") or []):
                return True
            if any(re.search(pattern, namespace) for pattern in one.get("namespaceRegexes") or []):
                return True
            if one.get("namespaceSelector") is not None:
                if self._labels is None:
                    self._labels = {
                        item["metadata"]["name"]: item["metadata"].get("labels") or {}
                        for item in self.kubernetes.list_objects(NAMESPACE.path("v1"))
                    }
                # old API servers do not set this label themselves
                labels = {"kubernetes.io/metadata.name": namespace, **(self._labels.get(namespace) or {})}
                if selects(one["namespaceSelector"], labels):
                    return True
        return False

    def generator(self, namespace: str, reference: Mapping[str, Any]) -> tuple[Source, Wish] | None:
        """Return a generator that asks Vault and what it asks, None for any other. Raises Broken."""
        kind, name = str(reference.get("kind") or ""), str(reference.get("name") or "")
        if kind not in ("VaultDynamicSecret", "ClusterGenerator"):
            return None
        api = generators.KINDS[kind]
        space = namespace if api.namespaced else ""
        key = (kind, space, name)
        if key not in self._generators:
            path = api.path(self.kubernetes.version_of(api), space or None, name)
            self._generators[key] = self.kubernetes.get(path)
        label = '%s "%s"' % (kind, "%s/%s" % (space, name) if space else name)
        live = self._generators[key]
        if live is None:
            raise broken("store", "does not exist", label, "create it, or correct the reference to it")
        spec = live.get("spec") or {}
        try:
            generators.check_generator(kind, space or None, spec)
        except InvalidInput as error:
            raise broken("store", error.what, label, error.remedy) from error
        if kind == "ClusterGenerator":
            spec = (spec.get("generator") or {}).get(generators.FIELDS["VaultDynamicSecret"])
            if spec is None:
                return None
        method = spec.get("method") or "GET"
        needed = {"GET": ("read",), "LIST": ("list",), "DELETE": ("delete",)}.get(method, ("create", "update"))
        return Source(kind, space, name, spec["provider"], False, live), Wish(str(spec["path"]), needed, "")

    def session(self, source: Source, namespace: str) -> Session:
        """Return the login that a source makes from a namespace; shared where it is the same."""
        auth = source.vault.get("auth") or {}
        bound = source.cluster and all(ref.get("namespace") for _where, ref in eso.references(auth))
        effective = "" if bound else namespace
        return self._sessions.setdefault(
            (source.kind, source.namespace, source.name, effective), Session(source, effective)
        )

    # -- verifying ----------------------------------------------------------------------------------------------------

    def verify(self, external_secrets: Sequence[Mapping[str, Any]], lone: bool = False) -> list[dict[str, Any]]:
        """Return an entry for each ExternalSecret, with ``lone`` one for each store that none of them uses as well.

        Raises SecretopsError when a side cannot be asked. No login outlives this call.
        """
        plans = [self._plan(one) for one in external_secrets]
        others = self._lone_stores() if lone else []
        sessions = list(self._sessions.values())
        try:
            with ThreadPoolExecutor(max_workers=self.workers) as pool:
                list(pool.map(self._log_in, sessions))
                for session in sessions:
                    if session.error is None:
                        self._check_paths(session)
                        self._check_contents(session, pool)
        finally:
            self._revoke(sessions)
        results = [self._judge(one, *plan) for one, plan in zip(external_secrets, plans)]
        return results + [self._judge_store(session) for session in others]

    def _plan(self, current: Mapping[str, Any]) -> tuple[list[tuple[Session, Wish]], Broken | None]:
        spec, namespace = current.get("spec") or {}, current["metadata"]["namespace"]
        steps: list[tuple[Session, Wish]] = []
        for entry in [*(spec.get("data") or []), *(spec.get("dataFrom") or [])]:
            other = entry.get("sourceRef") or {}
            try:
                if other.get("generatorRef"):
                    made = self.generator(namespace, other["generatorRef"])
                    if made is not None:
                        steps.append((self.session(made[0], namespace), made[1]))
                    continue
                source = self.source(namespace, other.get("storeRef") or spec.get("secretStoreRef") or {})
            except Broken as error:
                return steps, error
            if source is not None:
                session = self.session(source, namespace)
                steps += [(session, wish) for wish in wishes(spec, entry, source.vault)]
        for session, wish in steps:
            session.wishes[wish] = None
        return steps, None

    def _lone_stores(self) -> list[Session]:
        used = {(one.source.kind, one.source.namespace, one.source.name) for one in self._sessions.values()}
        lone = []
        for key in sorted(set(self._stores) - used):
            spec = self._stores[key].get("spec") or {}
            vault = (spec.get("provider") or {}).get("vault")
            cluster = key[0] == eso.CLUSTER_STORE.name
            if vault is None:
                continue
            source = Source(*key, vault, cluster, self._stores[key])
            if cluster and any(not ref.get("namespace") for _where, ref in eso.references(vault.get("auth") or {})):
                # whose credentials it takes is known only where it is used
                continue
            session = self.session(source, key[1])
            try:
                eso.check_store(key[0], key[1] or None, spec)
            except InvalidInput as error:
                session.error = broken("store", error.what, source.label, error.remedy)
            lone.append(session)
        return lone

    # -- logging in ---------------------------------------------------------------------------------------------------

    def _log_in(self, session: Session) -> None:
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
                reason = error.what.replace("login refused: ", "").replace("the server refuses it: ", "")
                raise broken("login", "%s is refused (%s)" % (explain[0], reason), session.where, explain[1]) from error
            auth = answer.get("auth") or {}
            session.policies = sorted({*(auth.get("policies") or []), *(auth.get("identity_policies") or [])})
            session.client = client.at(client.choose(), str(auth.get("client_token"))).within(session.space)
            session.revocable = auth.get("token_type") != "batch"
        except Broken as error:
            session.error = error
        except Untried as error:
            session.untried = str(error)
            self._say("%s: the login and the policies are not verified: %s" % (session.source.label, error))

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
        found = self.remember(session.auth_space, "%s/%s" % (base, name), 'role "%s" is' % name)
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
        path = "/api/v1/namespaces/%s/serviceaccounts/%s/token" % (namespace, name)
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
        remedy += (
            "; where the token is its own reviewer, the service account needs the cluster role system:auth-delegator "
            "and the audiences must hold the API server's own as well"
        )
        who = 'the login of the service account "%s/%s" with role "%s"' % (*holder, name)
        return {"role": name, "jwt": token}, (who, remedy)

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

    def _revoke(self, sessions: Sequence[Session]) -> None:
        for session in sessions:
            if session.client is not None and session.revocable:
                try:
                    session.client.request("POST", "auth/token/revoke-self", {}, idempotent=True)
                except SecretopsError as error:
                    self.warn(
                        "%s: its token could not be revoked and lives until it expires: %s"
                        % (session.source.label, error)
                    )

    # -- what a login can do ------------------------------------------------------------------------------------------

    def _check_paths(self, session: Session) -> None:
        """Hold the wishes against engines and policies."""
        vault = session.source.vault
        mounts = self.remember(session.space, "sys/mounts", "engines are") if session.wishes else None
        for wish in session.wishes:
            session.wishes[wish] = self._engine(mounts, vault, wish) if mounts else None
        paths = sorted({wish.path for wish, error in session.wishes.items() if error is None})
        if session.client is None or not paths:
            return
        held: dict[str, list[str]] = {}
        try:
            for start in range(0, len(paths), PATHS):
                part = paths[start : start + PATHS]
                answer = session.client.write("sys/capabilities-self", {"paths": part})
                held.update(answer.get("data") or answer)
        except PermissionDenied:
            self._say(
                "%s: its policies do not let it ask for its capabilities: paths are tried instead"
                % session.source.label
            )
            return
        for wish, error in session.wishes.items():
            allowed = held.get(wish.path) or []
            if error is None and not {"root", *wish.capabilities} & set(allowed):
                session.wishes[wish] = self._denied(session, wish)

    @staticmethod
    def _denied(session: Session, wish: Wish) -> Broken:
        verb = {"read": "read", "list": "list", "delete": "delete"}.get(wish.capabilities[0], "write to")
        whose = 'role "%s"' % session.role if session.role else session.source.label
        where = session.where if session.mount else session.source.label
        return broken(
            "policy",
            'the policies of %s (%s) do not let it %s "%s"'
            % (whose, ", ".join(session.policies) or "none", verb, wish.path),
            where,
            'add path "%s" { capabilities = [%s] } to one of them' % (wish.path, quoted(wish.capabilities)),
        )

    @staticmethod
    def _engine(mounts: Mapping[str, Any], vault: Mapping[str, Any], wish: Wish) -> Broken | None:
        mount = max((path for path in mounts if (wish.path + "/").startswith(path)), key=len, default="")
        if not mount:
            name = str(vault.get("path") or wish.path.partition("/")[0])
            return broken(
                "engine", "no secrets engine is mounted there", name, "mount it, or correct path in the store"
            )
        if not wish.what:
            return None
        engine, version = mounts[mount] or {}, vault.get("version") or "v2"
        actual = "v%s" % ((engine.get("options") or {}).get("version") or "1")
        if engine.get("type") not in ("kv", "generic"):
            return broken(
                "engine",
                'it is of the type "%s", and the provider reads KV only' % engine.get("type"),
                mount.rstrip("/"),
                "declare a VaultDynamicSecret generator and use it in data_from by source_ref.generator_ref",
            )
        if actual != version:
            return broken(
                "engine",
                "it is KV version %s, but the store says %s" % (actual[1:], version),
                mount.rstrip("/"),
                "set version to %s in the store" % actual,
            )
        return None

    def _check_contents(self, session: Session, pool: ThreadPoolExecutor) -> None:
        """Read each distinct secret once, with the operator's login where there is one."""
        places: dict[tuple[str, str, str], list[Wish]] = {}
        for wish, error in session.wishes.items():
            if error is None and wish.what:
                places.setdefault((wish.path, wish.version, wish.what), []).append(wish)

        def look(item: tuple[tuple[str, str, str], list[Wish]]) -> None:
            (path, version, what), wanted = item
            try:
                data = self._contents(session, path, version, what)
            except Untried as error:
                self._say("%s: not verified: %s" % (path, error))
                return
            except Broken as error:
                for wish in wanted:
                    session.wishes[wish] = None if wish.tolerated and error.link == "secret" else error
                return
            for wish in wanted:
                if wish.property and not has_property(data, wish.property):
                    session.wishes[wish] = broken(
                        "property",
                        'it has no key "%s", only %s' % (wish.property, quoted(sorted(data)[:12]) or "none at all"),
                        'secret "%s"' % path,
                        "write it, or correct property",
                    )

        list(pool.map(look, list(places.items())))

    def _contents(self, session: Session, path: str, version: str, what: str) -> Mapping[str, Any]:
        client = session.client or self.vault.within(session.space)
        where = 'secret "%s"' % path
        try:
            if what == "folder":
                if not client.list(path):
                    raise broken("secret", "nothing is below it", 'folder "%s"' % path, "correct find.path")
                return {}
            data = client.read(path, {"version": version} if version else None)
        except PermissionDenied as error:
            if session.client is None:
                raise Untried(str(error)) from error
            raise self._denied(session, Wish(path, ("list" if what == "folder" else "read",), what)) from error
        except VaultError as error:
            if not error.status or error.status >= 500:
                raise
            raise broken("secret", error.what, where, error.remedy or "look at the engine") from error
        if data is None:
            which = "does not exist" if not version else "has no version %s" % version
            raise broken("secret", which, where, "write it, or correct the key")
        if what == "metadata" or (session.source.vault.get("version") or "v2") == "v1":
            return data
        if data.get("data") is None:
            which = "version %s" % version if version else "its newest version"
            raise broken("secret", "%s is deleted" % which, where, "undelete it, or write a new one")
        return dict(data["data"])

    # -- judging ------------------------------------------------------------------------------------------------------

    def _judge(
        self, current: Mapping[str, Any], steps: Sequence[tuple[Session, Wish]], error: Broken | None
    ) -> dict[str, Any]:
        metadata = current["metadata"]
        first = next((session.error for session, _wish in steps if session.error), None) or error
        first = first or next((session.wishes[wish] for session, wish in steps if session.wishes[wish]), None)
        if first is None and self.ready:
            first = next((lacking for lacking in (self._unready(session) for session, _wish in steps) if lacking), None)
            lacking = eso.synced(dict(current))
            if first is None and lacking:
                why = eso.cause(self.kubernetes, eso.EXTERNAL_SECRET.name, dict(current))
                first = broken(
                    "status",
                    "everything in Vault holds, but it %s%s" % (lacking, ": " + why if why else ""),
                    "",
                    "force a sync, and look at the operator's log",
                )
        kind = eso.EXTERNAL_SECRET.name
        untried = sorted({session.untried for session, _wish in steps if session.untried})
        return self._entry(kind, metadata.get("namespace") or "", metadata["name"], first, untried)

    def _judge_store(self, session: Session) -> dict[str, Any]:
        first = session.error or (self._unready(session) if self.ready else None)
        source = session.source
        return self._entry(
            source.kind, source.namespace, source.name, first, [session.untried] if session.untried else []
        )

    @staticmethod
    def _entry(kind: str, namespace: str, name: str, error: Broken | None, untried: Sequence[str]) -> dict[str, Any]:
        return {
            "kind": kind,
            "namespace": namespace,
            "name": name,
            "holds": error is None,
            "link": error.link if error else "",
            "message": str(error) if error else "",
            "not_verified": list(untried),
        }

    def _unready(self, session: Session) -> Broken | None:
        source = session.source
        if source.kind not in (eso.STORE.name, eso.CLUSTER_STORE.name):
            return None
        lacking = eso.ready(dict(source.live))
        if not lacking:
            return None
        why = eso.cause(self.kubernetes, source.kind, dict(source.live))
        return broken(
            "status",
            "everything in Vault holds, but it %s%s" % (lacking, ": " + why if why else ""),
            source.label,
            "check that the operator's pods reach %s and trust its CA" % source.vault.get("server"),
        )


@contextmanager
def connected(kubernetes: Kubernetes, module: Module) -> Iterator[Chain]:
    """Give a chain over a module's connection to a cluster and its option ``vault``; errors end the module."""
    params = module.params["vault"]
    secrets = [params[name] for name, option in LOGIN_SPEC.items() if option.get("no_log") and params.get(name)]
    warn = module.ansible.warn
    with module.failing_clearly(secrets), logged_in(connect(params), params, secrets, warn) as vault:
        yield Chain(kubernetes, vault, warn, module.params.get("ready", True), module.params["workers"])


def sentence(results: Sequence[Mapping[str, Any]]) -> str:
    """Return one text for what does not hold: each cause once, with the objects that it hits."""
    causes: dict[str, list[str]] = {}
    for one in results:
        if not one["holds"]:
            name = "%s/%s" % (one["namespace"], one["name"]) if one["namespace"] else one["name"]
            causes.setdefault(one["message"], []).append('%s "%s"' % (one["kind"], name))
    parts = []
    for message, hit in list(causes.items())[:5]:
        others = " and %d more" % (len(hit) - 2) if len(hit) > 2 else ""
        parts.append("%s%s: %s" % (", ".join(hit[:2]), others, message))
    if len(causes) > 5:
        parts.append("and %d more causes, see results" % (len(causes) - 5))
    return ". ".join(parts)
