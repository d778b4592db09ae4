# Copyright: Contributors to the secretops.vault_eso project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# Private to this collection: what is here may change at any time. Other collections must not import it.
"""The kinds of External Secrets Operator: what they are, what the operator would refuse, what their status means.

Options become the manifest first; the rules look at the manifest, so that typed options and a raw ``spec`` are judged
alike. Source of fields and rules: External Secrets Operator 0.9 to 2.9, API reference and admission webhooks.
"""

from __future__ import annotations

import base64
import binascii
import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, ClassVar

from .._engine import normalise, redact
from .._engine.errors import InvalidInput
from .._kubernetes.apply import KubeObject, about, camel, condition, without_none, words
from .._kubernetes.client import METADATA_ONLY, Client
from .._kubernetes.errors import Forbidden
from .._kubernetes.kind import SECRET, Kind, Object
from .._kubernetes.schema import not_a_pattern
from .._kubernetes.waiting import Expectation, Look

OPERATOR = "External Secrets Operator"
GROUP = "external-secrets.io"
#: v1beta1 was served up to 0.16, v1 since 0.16
VERSIONS = ("v1", "v1beta1")
STORE = Kind("SecretStore", "secretstores", GROUP, VERSIONS, True, OPERATOR)
CLUSTER_STORE = Kind("ClusterSecretStore", "clustersecretstores", GROUP, VERSIONS, False, OPERATOR)
EXTERNAL_SECRET = Kind("ExternalSecret", "externalsecrets", GROUP, VERSIONS, True, OPERATOR)
CLUSTER_EXTERNAL_SECRET = Kind("ClusterExternalSecret", "clusterexternalsecrets", GROUP, VERSIONS, False, OPERATOR)
#: never became v1
PUSH_SECRET = Kind("PushSecret", "pushsecrets", GROUP, ("v1alpha1",), True, OPERATOR)

#: the operator takes the first of several and says nothing; here more than one is an error
AUTH_METHODS = ("tokenSecretRef", "appRole", "kubernetes", "ldap", "userPass", "jwt", "cert", "iam", "gcp")
CREATION_POLICIES = ("Owner", "Orphan", "Merge", "None", "CreateOrMerge")
DELETION_POLICIES = ("Retain", "Delete", "Merge")
REFRESH_POLICIES = ("Periodic", "OnChange", "CreatedOnce")
#: with it a node could join the cluster. Source: External Secrets Operator, threat model of templates
REFUSED_TYPES = ("bootstrap.kubernetes.io/token",)

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
NO_SUCH_TEMPLATE_FUNCTION = {
    "base64decode": "b64dec",
    "base64encode": "b64enc",
    "base64_decode": "b64dec",
    "base64_encode": "b64enc",
    "b64decode": "b64dec",
    "b64encode": "b64enc",
    "urlencode": "urlquery",
    "to_json": "toJson",
}
#: paths of engines that make what they give: by a POST, which the provider never sends, and by a GET
_ISSUED = re.compile(r"pki[^/]*/(issue|sign|sign-verbatim)/")
_LEASED = re.compile(r"database/(static-)?creds/")
#: user and password in a URL, with actions of a template in them; an action without a function; one as a JSON text
_LOGIN_IN_URL = re.compile(r"://((?:\{\{.*?\}\}|[^/\s@{}?#])*)@", re.S)
_BARE = re.compile(r"\{\{-?\s*\.(\w+)\s*-?\}\}")
_QUOTED = re.compile(r"\"\{\{-?\s*\.(\w+)\s*-?\}\}\"")
#: the operator's own pattern. Source: CRD of ExternalSecrets, syncWindows
_SCHEDULE = re.compile(r"@(annually|yearly|monthly|weekly|daily|midnight|hourly)|@every [^\s]+.*|[^\s]+( [^\s]+){4}")
_SECRET_KEY = re.compile(r"[-._a-zA-Z0-9]{1,253}")
#: mappings whose keys are the user's own words
_VERBATIM = frozenset(("labels", "annotations", "data", "tags", "headers", "match_labels", "matchLabels"))


def manifest_names(value: Any) -> Any:
    """Return options with their names as a manifest has them: ``remote_ref`` becomes ``remoteRef``.

    Raises InvalidInput where the user's own words are no text.
    """
    if isinstance(value, Mapping):
        return {
            camel(str(key)): words(str(key), item)
            if key in _VERBATIM and isinstance(item, Mapping)
            else manifest_names(item)
            for key, item in value.items()
        }
    if isinstance(value, (list, tuple)):
        return [manifest_names(item) for item in value]
    return value


def ca_bundle(pem: str) -> str:
    """Return the base64 of PEM certificates. Raises InvalidInput when the text is none."""
    if "-----BEGIN CERTIFICATE-----" not in pem:
        raise InvalidInput(
            "ca_bundle holds no PEM certificate",
            remedy='give the CA certificate\'s text, from "-----BEGIN CERTIFICATE-----" on',
        )
    if "PRIVATE KEY" in pem:
        raise InvalidInput("ca_bundle holds a private key", remedy="give certificates only")
    return base64.b64encode((normalise.pem(pem) + "\n").encode()).decode()


def same_bundle(value: Any) -> str:
    """Normalise base64 of PEM to the PEM."""
    try:
        return normalise.pem(base64.b64decode(str(value or ""), validate=False).decode())
    except (binascii.Error, ValueError):
        return str(value)


def duration(value: Any) -> Any:
    """Normalise a duration to seconds; a missing one stays missing, which is not zero."""
    try:
        return None if value is None else normalise.seconds(value)
    except InvalidInput:
        return str(value)


# -- stores -----------------------------------------------------------------------------------------------------------

STORE_OPTIONS = ("controller", "conditions", "refresh_interval", "retry_settings")
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


def store_spec(item: Mapping[str, Any]) -> dict[str, Any]:
    """Return the manifest's spec from the options of a store, or its raw ``spec``. Raises InvalidInput."""
    if item.get("spec"):
        given = sorted(
            name
            for name in (*PROVIDER_OPTIONS, *STORE_OPTIONS, "ca_bundle", "vault_namespace", "check_and_set")
            if item.get(name) not in (None, [], {})
        )
        if given:
            raise InvalidInput('"spec" excludes %s' % ", ".join(given), remedy="put everything into one of the two")
        return dict(without_none(item["spec"]))
    vault = vault_provider(item)
    if vault.get("version") is None:
        vault["version"] = "v2"
    if item.get("check_and_set"):
        vault["checkAndSet"] = {"required": True}
    spec = manifest_names({name: item.get(name) for name in STORE_OPTIONS})
    spec["refreshInterval"] = (
        None if spec["refreshInterval"] is None else int(normalise.seconds(spec["refreshInterval"]) or 0)
    )
    return dict(without_none({**spec, "provider": {"vault": vault}}))


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


def check_store(kind: str, namespace: str | None, spec: Mapping[str, Any]) -> list[str]:
    """Refuse what the operator refuses, ignores or misreads in a store's spec; return warnings. Raises InvalidInput."""
    provider = spec.get("provider") or {}
    if len(provider) != 1:
        raise InvalidInput(
            "a store has exactly one provider, this one has %d" % len(provider), remedy="give provider.vault"
        )
    if "vault" not in provider:
        return []
    check_retries(spec)
    vault = provider["vault"]
    warnings = check_vault("provider.vault", vault)
    warnings += check_namespaces(kind, namespace, vault)
    account = ((vault.get("auth") or {}).get("kubernetes") or {}).get("serviceAccountRef") or {}
    if account.get("name") and not account.get("audiences"):
        warnings.append(
            "auth.kubernetes.serviceAccountRef has no audiences: its token is for the API server, which roles with an "
            "audience refuse; write that of the role, such as audiences: [vault]"
        )
    if bool(vault.get("readYourWrites")) != bool(vault.get("forwardInconsistent")):
        warnings.append("readYourWrites and forwardInconsistent act only together")
    if spec.get("conditions") and kind == STORE.name:
        raise InvalidInput("conditions are for a ClusterSecretStore", remedy="remove them")
    for number, entry in enumerate(spec.get("conditions") or []):
        for index, pattern in enumerate(entry.get("namespaceRegexes") or []):
            check_pattern("conditions[%d].namespace_regexes[%d]" % (number, index), pattern)
    return warnings


def check_pattern(where: str, pattern: Any) -> None:
    """Refuse a regular expression that the operator, which is written in Go, cannot compile. Raises InvalidInput."""
    reason = not_a_pattern(str(pattern))
    if reason:
        raise InvalidInput(
            '%s: "%s" is no regular expression of Go (%s)' % (where, pattern, reason),
            remedy="correct it; RE2 has no look-around and no references back",
        )


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
            'the server "%s" is not a URL' % redact.url(server) if server else "no server is given",
            remedy="write the URL as the operator's pods reach it, https://vault.example.com:8200",
        )
    if redact.has_credentials(server):
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


def check_namespaces(kind: str, namespace: str | None, vault: Mapping[str, Any]) -> list[str]:
    """Refuse references that the operator would not follow; return warnings. Raises InvalidInput."""
    found = list(references(vault))
    provider = vault.get("caProvider")
    if kind == STORE.name:
        for where, reference in found:
            if reference.get("namespace") and reference["namespace"] != namespace:
                raise InvalidInput(
                    '%s points into the namespace "%s", which a SecretStore may not' % (where, reference["namespace"]),
                    remedy="move it to the store's own namespace, or use a ClusterSecretStore",
                )
        if provider and provider.get("namespace") not in (None, namespace):
            raise InvalidInput("caProvider may not name another namespace in a SecretStore", remedy="remove it")
        return []
    if provider and not provider.get("namespace"):
        raise InvalidInput("caProvider needs a namespace in a ClusterSecretStore", remedy="add it")
    open_ends = [where for where, reference in found if not reference.get("namespace")]
    if open_ends:
        return [
            "%s has no namespace: it is looked up in each ExternalSecret's own, and the operator shows the store "
            "as Ready without ever having tried it" % ", ".join(open_ends)
        ]
    return []


class Store(KubeObject):
    """A SecretStore: how a namespace reaches Vault."""

    kind = STORE.name
    api: ClassVar[Kind] = STORE
    rank = 0
    compared = {"spec.provider.vault.caBundle": same_bundle}

    def __init__(self, client: Client, item: Mapping[str, Any], **options: Any) -> None:
        with about(self.kind, item):
            self.spec = store_spec(item) if item["state"] == "present" else None
        super().__init__(client, item, {"spec": self.spec}, **options)

    def check(self) -> None:
        super().check()
        if self.spec is not None:
            self.warnings += check_store(self.kind, self.namespace, self.spec)


class ClusterStore(Store):
    """A ClusterSecretStore: how all namespaces, or those of its conditions, reach Vault."""

    kind = CLUSTER_STORE.name
    api = CLUSTER_STORE


def store(client: Client, item: Mapping[str, Any], **options: Any) -> Store:
    """Return the resource for a store of either kind."""
    return (ClusterStore if item.get("kind") == CLUSTER_STORE.name else Store)(client, item, **options)


def store_kinds(stores: Sequence[Store]) -> list[Kind]:
    """Return the kinds among declared stores; a SecretStore's at least, for a purge by namespace."""
    return [kind for kind in (STORE, CLUSTER_STORE) if kind is STORE or any(one.api is kind for one in stores)]


# -- external secrets -------------------------------------------------------------------------------------------------

EXTERNAL_SECRET_OPTIONS = ("refresh_interval", "refresh_policy", "sync_windows", "target", "data", "data_from")


def external_secret_spec(item: Mapping[str, Any]) -> dict[str, Any]:
    """Return the manifest's spec from the options of an ExternalSecret, or its raw ``spec``. Raises InvalidInput."""
    if item.get("spec"):
        given = sorted(name for name in (*EXTERNAL_SECRET_OPTIONS, "store") if item.get(name) not in (None, [], {}))
        if given:
            raise InvalidInput('"spec" excludes %s' % ", ".join(given), remedy="put everything into one of the two")
        return dict(without_none(item["spec"]))
    spec = manifest_names({name: item.get(name) for name in EXTERNAL_SECRET_OPTIONS})
    spec["secretStoreRef"] = manifest_names(item.get("store"))
    return dict(without_none(spec))


def check_external_secret(name: str, spec: Mapping[str, Any]) -> list[str]:
    """Refuse what the operator refuses or misreads in an ExternalSecret's spec; return warnings.

    Raises InvalidInput.
    """
    data, data_from = spec.get("data") or [], spec.get("dataFrom") or []
    if not data and not data_from:
        raise InvalidInput("neither data nor data_from is given", remedy="say which secrets of Vault it holds")
    reference = spec.get("secretStoreRef") or {}
    if reference.get("namespace"):
        raise InvalidInput(
            "a store in another namespace cannot be used",
            remedy="use a SecretStore of the same namespace, or a ClusterSecretStore",
        )
    if not reference.get("name") and not all(entry.get("sourceRef") for entry in [*data, *data_from]):
        raise InvalidInput("no store is given", remedy='set "store" to its name and kind')
    check_choice("refreshPolicy", spec.get("refreshPolicy"), REFRESH_POLICIES)
    check_interval("refresh interval", spec.get("refreshInterval"))
    check_windows(spec)
    check_target(spec.get("target") or {})
    warnings = check_data(data)
    for number, entry in enumerate(data_from):
        warnings += check_data_from("data_from[%d]" % number, entry)
    return warnings


def check_windows(spec: Mapping[str, Any]) -> None:
    """Refuse windows that the operator would ignore, or fail at. Raises InvalidInput."""
    windows = spec.get("syncWindows")
    if not windows:
        return
    if frozen(spec) or spec.get("refreshPolicy") == "OnChange":
        raise InvalidInput(
            "sync_windows are for periodic refreshes only, and %s" % (frozen(spec) or "its refresh policy is OnChange"),
            remedy="remove them, or use the refresh policy Periodic with an interval",
        )
    check_choice("syncWindows.kind", windows.get("kind"), ("allow", "deny"))
    for number, window in enumerate(windows.get("windows") or []):
        where = "sync_windows.windows[%d]" % number
        check_interval("duration of %s" % where, window.get("duration"))
        schedule = str(window.get("schedule") or "")
        if not _SCHEDULE.fullmatch(schedule):
            raise InvalidInput(
                '%s: the schedule "%s" is none of cron' % (where, schedule),
                remedy='write five fields such as "0 22 * * 1-5", in UTC, or a word such as "@daily"',
            )


def check_retries(spec: Mapping[str, Any]) -> None:
    """Refuse retry settings that cannot be parsed. Raises InvalidInput."""
    settings = spec.get("retrySettings") or {}
    check_interval("retry interval", settings.get("retryInterval"))
    if settings.get("maxRetries") is not None and int(settings["maxRetries"]) < 0:
        raise InvalidInput("max_retries is less than 0", remedy="give 0 for none, or leave it out")


def check_interval(what: str, value: Any) -> None:
    """Refuse what is no duration of the API: days are none. Raises InvalidInput."""
    if value is not None and not re.fullmatch(r"0|((\d+(\.\d*)?|\.\d+)(ns|us|\u00b5s|\u03bcs|ms|s|m|h))+", str(value)):
        raise InvalidInput(
            'the %s "%s" is no duration of the API' % (what, value),
            remedy='write hours, minutes and seconds, such as "15m" or "1h30m0s"',
        )


def check_choice(what: str, value: Any, choices: Sequence[str]) -> None:
    """Refuse a value that is not among the choices. Raises InvalidInput."""
    if value is not None and value not in choices:
        raise InvalidInput('%s "%s" does not exist' % (what, value), remedy="use %s" % ", ".join(choices))


def check_target(target: Mapping[str, Any]) -> None:
    """Refuse contradictory policies, and templates that cannot render. Raises InvalidInput."""
    creation, deletion = target.get("creationPolicy") or "Owner", target.get("deletionPolicy") or "Retain"
    check_choice("creationPolicy", creation, CREATION_POLICIES)
    check_choice("deletionPolicy", deletion, DELETION_POLICIES)
    if deletion == "Delete" and creation in ("Merge", "None", "CreateOrMerge"):
        raise InvalidInput(
            "deletionPolicy Delete contradicts creationPolicy %s" % creation,
            remedy="only a Secret that the operator created may be deleted: use Owner, or Retain",
        )
    if deletion == "Merge" and creation == "None":
        raise InvalidInput("deletionPolicy Merge contradicts creationPolicy None", remedy="use Retain")
    check_template(target.get("template") or {})


def check_template(template: Mapping[str, Any]) -> None:
    """Refuse templates that cannot render. Raises InvalidInput."""
    if template.get("engineVersion") not in (None, "v2"):
        raise InvalidInput('the template engine "%s" is gone' % template["engineVersion"], remedy='write "v2"')
    if template.get("type") in REFUSED_TYPES:
        raise InvalidInput(
            'the operator makes no Secret of the type "%s"' % template["type"],
            remedy="use another type, such as Opaque",
        )
    texts = {"template.data.%s" % key: text for key, text in (template.get("data") or {}).items()}
    texts.update(
        {
            "template.templateFrom[%d].literal" % number: entry.get("literal")
            for number, entry in enumerate(template.get("templateFrom") or [])
        }
    )
    for where, text in texts.items():
        check_spliced(where, str(text or ""))
        for action in re.findall(r"\{\{(.*?)\}\}", str(text or ""), re.S):
            for word in re.findall(r"(?<![.$\"\w])[A-Za-z_]\w*", re.sub(r'"(?:\\.|[^"\\])*"', '""', action)):
                if word in NO_SUCH_TEMPLATE_FUNCTION:
                    raise InvalidInput(
                        '%s uses the function "%s", which does not exist' % (where, word),
                        remedy='write "%s"' % NO_SUCH_TEMPLATE_FUNCTION[word],
                    )


def check_spliced(where: str, text: str) -> None:
    """Refuse values that go into a URL or a document as they are. Raises InvalidInput.

    A colon, an ``@`` or a quotation mark in a password would break the one or the other.
    """
    for login in _LOGIN_IN_URL.findall(text):
        for name in _BARE.findall(login):
            raise InvalidInput(
                "%s puts the value of %s into a URL as it is" % (where, name),
                remedy='write "{{ .%s | urlquery }}", or "{{ .%s | toString }}" where it is encoded already'
                % (name, name),
            )
    if re.match(r"\s*(\{(?!\{)|\[)", text):
        for name in _QUOTED.findall(text):
            raise InvalidInput(
                "%s puts the value of %s into JSON as it is" % (where, name),
                remedy="write {{ .%s | toJson }} without the quotation marks around it" % name,
            )


def check_data(entries: Sequence[Mapping[str, Any]]) -> list[str]:
    """Refuse duplicate or impossible keys and references; return warnings. Raises InvalidInput."""
    seen: set[str] = set()
    warnings: list[str] = []
    for number, entry in enumerate(entries):
        key = str(entry.get("secretKey") or "")
        if not _SECRET_KEY.fullmatch(key):
            raise InvalidInput(
                'data[%d]: "%s" is no key of a Secret' % (number, key), remedy='use letters, digits, "-", "_" and "."'
            )
        if key in seen:
            raise InvalidInput('data: the key "%s" is declared twice' % key, remedy="keep one of the two")
        seen.add(key)
        if (entry.get("sourceRef") or {}).get("generatorRef") is not None:
            raise InvalidInput(
                "data[%d].source_ref.generator_ref: the operator ignores it there" % number,
                remedy="use the generator in data_from, by source_ref.generator_ref",
            )
        warnings += check_remote("data[%d].remote_ref" % number, entry.get("remoteRef") or {})
    return warnings


def check_remote(where: str, reference: Mapping[str, Any]) -> list[str]:
    """Refuse a reference without a key, or one that the provider cannot read; return warnings. Raises InvalidInput."""
    key = str(reference.get("key") or "")
    if not key:
        raise InvalidInput("%s has no key" % where, remedy="write the path of the secret in Vault")
    if key.startswith("/"):
        raise InvalidInput('%s: the key "%s" begins with a slash' % (where, key), remedy="write it without")
    if _ISSUED.match(key):
        raise InvalidInput(
            '%s: "%s" is not a KV secret, and the provider reads KV only' % (where, key),
            remedy="declare a VaultDynamicSecret generator and use it in data_from by source_ref.generator_ref",
        )
    check_choice("decodingStrategy", reference.get("decodingStrategy"), ("None", "Base64", "Base64URL", "Auto"))
    check_choice("metadataPolicy", reference.get("metadataPolicy"), ("None", "Fetch"))
    check_choice("nullBytePolicy", reference.get("nullBytePolicy"), ("Ignore", "Fail"))
    if _LEASED.match(key):
        return [
            '%s: "%s" is no KV secret; only a store of version v1 reads it, without renewing its lease: a '
            "VaultDynamicSecret in data_from, by source_ref.generator_ref, is made for it" % (where, key)
        ]
    return []


def check_data_from(where: str, entry: Mapping[str, Any]) -> list[str]:
    """Refuse an entry that is not exactly one of extract, find and generator; return warnings. Raises InvalidInput."""
    source = entry.get("sourceRef") or {}
    sources = [name for name in ("extract", "find") if entry.get(name) is not None]
    sources += ["source_ref.generator_ref"] if source.get("generatorRef") is not None else []
    if len(sources) != 1:
        raise InvalidInput(
            "%s has %s" % (where, " and ".join(sources) if sources else "no source"),
            remedy="give exactly one of extract, find and source_ref.generator_ref in an entry",
        )
    if source.get("generatorRef") and source.get("storeRef"):
        raise InvalidInput("%s.source_ref has generator_ref and store_ref" % where, remedy="give one of the two")
    for number, step in enumerate(entry.get("rewrite") or []):
        if step.get("regexp") is not None:
            check_pattern("%s.rewrite[%d].regexp.source" % (where, number), step["regexp"].get("source") or "")
    if "extract" in sources:
        return check_remote("%s.extract" % where, entry["extract"])
    find = entry.get("find") or {}
    if find.get("name") is not None:
        if not find["name"].get("regexp"):
            raise InvalidInput("%s.find.name has no regexp" % where, remedy="give one")
        check_pattern("%s.find.name.regexp" % where, find["name"]["regexp"])
    if "find" in sources and not any(find.get(name) for name in ("path", "name", "tags")):
        return ["%s.find has no path, no name and no tags: it takes every secret of the mount" % where]
    return []


class ExternalSecret(KubeObject):
    """An ExternalSecret: which values of Vault stand in which Secret."""

    kind = EXTERNAL_SECRET.name
    api = EXTERNAL_SECRET
    rank = 1
    compared = {"spec.refreshInterval": duration}

    def __init__(self, client: Client, item: Mapping[str, Any], **options: Any) -> None:
        with about(self.kind, item):
            self.spec = external_secret_spec(item) if item["state"] == "present" else None
        super().__init__(client, item, {"spec": self.spec}, **options)

    def check(self) -> None:
        super().check()
        if self.spec is not None:
            self.warnings += check_external_secret(self.object_name, self.spec)

    @property
    def owns(self) -> str:
        """The name of the Secret that it creates and owns, "" when it owns none."""
        target = (self.spec or {}).get("target") or {}
        if self.spec is None or (target.get("creationPolicy") or "Owner") != "Owner" or target.get("manifest"):
            return ""
        return str(target.get("name") or self.object_name)

    @property
    def fills(self) -> str:
        """The name of the Secret that it writes as a whole, "" when it shares one or writes none."""
        target = (self.spec or {}).get("target") or {}
        if (target.get("creationPolicy") or "Owner") == "Orphan" and not target.get("manifest"):
            return str(target.get("name") or self.object_name)
        return self.owns

    def compare(self, current: Mapping[str, Any], desired: Mapping[str, Any]) -> list[str]:
        names = super().compare(current, desired)
        if names and frozen(self.spec or {}):
            self.warnings.append(
                "%s, so the change does not reach its Secret until that is deleted" % frozen(self.spec or {})
            )
        return names

    def read(self) -> Mapping[str, Any] | None:
        current = super().read()
        if self.owns and self.owns != self._owned_already():
            self._refuse_foreign_secret()
        return current

    def _owned_already(self) -> str:
        spec = (self.live or {}).get("spec") or {}
        target = spec.get("target") or {}
        if self.live is None or (target.get("creationPolicy") or "Owner") != "Owner":
            return ""
        return str(target.get("name") or self.object_name)

    def _refuse_foreign_secret(self) -> None:
        path = SECRET.path("v1", self.namespace, self.owns)
        try:
            secret = self.client.get(path, accept=METADATA_ONLY)
        except Forbidden:
            self.warnings.append(
                'whether a Secret "%s" exists already could not be seen; one that nobody owns would '
                "be overwritten" % self.owns
            )
            return
        if secret is None:
            return
        owner = next(
            (one for one in (secret.get("metadata") or {}).get("ownerReferences") or [] if one.get("controller")), None
        )
        if owner is None and not self.item.get("adopt"):
            raise InvalidInput(
                'the Secret "%s" exists and nobody owns it; the operator would overwrite it and drop '
                "its other keys" % self.owns,
                remedy='set "adopt" if that is wanted, use the creation policy Merge, or another target',
            )
        if owner is not None and (owner.get("kind"), owner.get("name")) != (self.kind, self.object_name):
            raise InvalidInput(
                'the Secret "%s" belongs to the %s "%s"' % (self.owns, owner.get("kind"), owner.get("name")),
                remedy="use another target name",
            )


def check_targets(resources: Sequence[ExternalSecret]) -> None:
    """Refuse two ExternalSecrets that each write the same Secret as a whole. Raises InvalidInput."""
    seen: dict[tuple[str | None, str], ExternalSecret] = {}
    for resource in resources:
        if resource.fills:
            other = seen.setdefault((resource.namespace, resource.fills), resource)
            if other.object_name != resource.object_name:
                raise InvalidInput(
                    'it and "%s" %s the same Secret "%s"'
                    % (other.object_name, "own" if other.owns and resource.owns else "fill", resource.fills),
                    resource.label,
                    "give one of them another target name or the creation policy Merge",
                )


# -- status -----------------------------------------------------------------------------------------------------------


def ready(current: Object | None) -> str:
    """Return "" when an object's Ready condition is true, else what it lacks."""
    if current is None:
        return "does not exist"
    entry = condition(current)
    if not entry:
        return "has no status yet (does the operator run?)"
    if entry.get("status") == "True":
        return ""
    return "is not ready: %s" % (
        ": ".join(str(entry[name]) for name in ("reason", "message") if entry.get(name)) or "no reason is given"
    )


def synced_generation(current: Mapping[str, Any]) -> int | None:
    """Return the generation that was synced last: ``status.syncedResourceVersion`` is ``<generation>-<hash>``."""
    generation = str((current.get("status") or {}).get("syncedResourceVersion") or "").partition("-")[0]
    return int(generation) if generation.isdigit() else None


def frozen(spec: Mapping[str, Any]) -> str:
    """Return why the operator never syncs an ExternalSecret a second time, "" when it does."""
    if spec.get("refreshPolicy") == "CreatedOnce":
        return "its refresh policy is CreatedOnce"
    if spec.get("refreshPolicy") != "OnChange" and duration(spec.get("refreshInterval")) == 0:
        return "its refresh interval is 0"
    return ""


def synced(current: Object | None) -> str:
    """Return "" when an ExternalSecret is Ready and what is Ready is its newest spec, else what it lacks."""
    lacking = ready(current)
    if lacking or current is None or frozen(current.get("spec") or {}):
        return lacking
    generation = synced_generation(current)
    if generation is not None and generation != current["metadata"].get("generation"):
        return "is not synced yet since its last change"
    return ""


def expect_ready(resource: KubeObject, changed: bool) -> Expectation:
    """Return what to wait for after an object was applied: the operator has looked at it and finds it right."""
    first = {"looks": 0}

    def look(current: Object | None) -> str:
        first["looks"] += 1
        # A store's status does not say which spec it is about: give the operator time to look at the new one.
        if changed and first["looks"] <= 4:
            return ready(current) or "is not looked at again yet"
        return ready(current)

    return expected(resource, look)


def expected(resource: KubeObject, look: Look) -> Expectation:
    """Return an object as one that is waited for, with the operator's reason when it does not come."""

    def explain(current: Object | None) -> str:
        return cause(resource.client, resource.api.name, current)

    return Expectation(resource.api, resource.version, resource.namespace, resource.object_name, look, explain)


def cause(client: Client, kind: str, current: Object | None) -> str:
    """Return why the operator could not do it: its newest Warning event, with the key of the entry that it names."""
    if current is None:
        return ""
    metadata, spec = current["metadata"], current.get("spec") or {}
    text = client.last_warning(
        metadata.get("namespace") or "default", kind, metadata["name"], str(metadata.get("uid") or "")
    )
    match = re.search(r"spec\.(data|dataFrom)\[(\d+)\]", text)
    if match and int(match.group(2)) < len(spec.get(match.group(1)) or []):
        entry = spec[match.group(1)][int(match.group(2))]
        key = (entry.get("remoteRef") or entry.get("extract") or {}).get("key")
        if key and key not in text:
            text += ' (key "%s")' % key
    return text


def target_name(current: Mapping[str, Any]) -> str:
    """Return the name of the Secret that an ExternalSecret fills."""
    spec = current.get("spec") or {}
    return str((spec.get("target") or {}).get("name") or current["metadata"]["name"])
