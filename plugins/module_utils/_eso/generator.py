# Copyright: Contributors to the secretops.vault_eso project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# Private to this collection: what is here may change at any time. Other collections must not import it.
"""Generators: what an ExternalSecret can ask for instead of a stored secret.

Source: External Secrets Operator, API reference, generators.external-secrets.io. A generator looks its references up in
the namespace of the ExternalSecret that uses it, a ClusterGenerator too.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any, ClassVar

from .._engine import normalise
from .._engine.errors import InvalidInput
from .._engine.field import Field
from .._kubernetes.client import Client
from .._kubernetes.fields import compact, dotted, without_none
from .._kubernetes.kind import Kind
from .._kubernetes.module import APPLY_SPEC, WAIT_SPEC
from .._kubernetes.objects import applied_by_us
from .kind import OPERATOR, EsoKind, EsoObject
from .provider import auth_method, check_vault, references, same_bundle, trusted, vault_fields, vault_provider
from .values import RETRY_FIELDS, check_choice, check_retries, manifest_names

GROUP = "generators.external-secrets.io"
VERSIONS = ("v1alpha1",)
#: kinds that are declared by options, and kinds that are declared by their raw spec: field of a ClusterGenerator's spec
TYPED = {"VaultDynamicSecret": "vaultDynamicSecretSpec", "Password": "passwordSpec", "UUID": "uuidSpec"}
RAW = {
    "ACRAccessToken": "acrAccessTokenSpec",
    "BeyondtrustWorkloadCredentialsDynamicSecret": "beyondtrustWorkloadCredentialsDynamicSecretSpec",
    "CloudsmithAccessToken": "cloudsmithAccessTokenSpec",
    "ECRAuthorizationToken": "ecrAuthorizationTokenSpec",
    "Fake": "fakeSpec",
    "GCRAccessToken": "gcrAccessTokenSpec",
    "GithubAccessToken": "githubAccessTokenSpec",
    "GitlabDeployToken": "gitlabDeployTokenSpec",
    "Grafana": "grafanaSpec",
    "MFA": "mfaSpec",
    "QuayAccessToken": "quayAccessTokenSpec",
    "SSHKey": "sshKeySpec",
    "STSSessionToken": "stsSessionTokenSpec",
    "Webhook": "webhookSpec",
}
#: where a ClusterGenerator keeps the spec of the kind that it generates by
SPECS: Mapping[str, str] = {**TYPED, **RAW}
KINDS = {
    name: Kind(name, name.lower() + "s", GROUP, VERSIONS, name != "ClusterGenerator", OPERATOR)
    for name in (*TYPED, *RAW, "ClusterGenerator")
}
#: fields that may hold a secret in clear, of a Fake's values and of what a Webhook sends
_SECRET = re.compile(r"spec\.(generator\.(fake|webhook)Spec\.)?(data|body|headers)\b")
OPTIONS: Mapping[str, Sequence[str]] = {
    "VaultDynamicSecret": (
        "provider",
        "path",
        "method",
        "parameters",
        "get_parameters",
        "result_type",
        "allow_empty_response",
        "controller",
        "retry_settings",
    ),
    "Password": (
        "length",
        "digits",
        "symbols",
        "symbol_characters",
        "no_upper",
        "allow_repeat",
        "encoding",
        "secret_keys",
    ),
    "UUID": (),
}
#: paths that are written to, whatever the answer is
_WRITTEN = re.compile(r"(^|/)(issue|sign|sign-verbatim|generate)/")


def generator_spec(item: Mapping[str, Any]) -> dict[str, Any]:
    """Return the manifest's spec from options, or the raw ``spec``. Raises InvalidInput."""
    cluster = item["kind"] == "ClusterGenerator"
    kind = item.get("generator_kind") if cluster else item["kind"]
    given = sorted(
        name for names in OPTIONS.values() for name in names if item.get(name) is not None and item.get(name) != {}
    )
    if not cluster and item.get("generator_kind"):
        raise InvalidInput("generator_kind is for a ClusterGenerator", remedy="remove it, or set kind")
    if item.get("spec") or (item.get("spec") is not None and kind in RAW):
        if given or item.get("generator_kind"):
            raise InvalidInput(
                '"spec" excludes %s' % ", ".join(given or ["generator_kind"]),
                remedy="put everything into one of the two",
            )
        return dict(without_none(item["spec"]))
    if kind in RAW:
        raise InvalidInput(
            "a generator of the kind %s has no options of its own" % kind, remedy='write the manifest\'s spec as "spec"'
        )
    if kind is None:
        raise InvalidInput("it is not known what a ClusterGenerator generates by", remedy='set "generator_kind"')
    foreign = [name for name in given if name not in OPTIONS[kind]]
    if foreign:
        raise InvalidInput("a generator of the kind %s has no %s" % (kind, ", ".join(foreign)), remedy="remove it")
    spec = manifest_names({name: item.get(name) for name in OPTIONS[kind] if name not in ("provider", "parameters")})
    if kind == "VaultDynamicSecret":
        spec["provider"] = vault_provider(item.get("provider") or {})
        spec["parameters"] = item.get("parameters")
        if item.get("get_parameters") is not None:
            spec["getParameters"] = {
                str(name): [normalise.scalar(one) for one in (value if isinstance(value, list) else [value])]
                for name, value in item["get_parameters"].items()
            }
    spec = dict(without_none(spec))
    # an empty spec is what chooses the kind
    return {"kind": kind, "generator": {SPECS[kind]: spec}} if cluster else spec


def check_generator(kind: str, namespace: str | None, spec: Mapping[str, Any]) -> list[str]:
    """Refuse what the operator refuses, ignores or misreads in a generator; return warnings. Raises InvalidInput."""
    if kind == "ClusterGenerator":
        kind, generator = str(spec.get("kind") or ""), spec.get("generator") or {}
        if kind in SPECS:
            if list(generator) != [SPECS[kind]]:
                raise InvalidInput(
                    "a ClusterGenerator of the kind %s has generator.%s and nothing else" % (kind, SPECS[kind]),
                    remedy="correct its generator",
                )
            return check_generator(kind, None, generator[SPECS[kind]] or {})
        return []
    if kind == "Password":
        check_password(spec)
    elif kind == "VaultDynamicSecret":
        return check_dynamic(namespace, spec)
    return []


def check_password(spec: Mapping[str, Any]) -> None:
    """Refuse numbers that do not fit. Raises InvalidInput. Source: generator Password, its defaults."""
    length = int(spec.get("length") or 24)
    part = {name: length // 4 if spec.get(name) is None else int(spec[name]) for name in ("digits", "symbols")}
    if min(length, *part.values()) < 0 or sum(part.values()) > length:
        raise InvalidInput(
            "a password of %d characters cannot hold %d digits and %d symbols"
            % (length, part["digits"], part["symbols"]),
            remedy="each is a quarter of the length by default: set digits and symbols, or a greater length",
        )
    alphabets = (
        ("digits", part["digits"], 10),
        ("symbols", part["symbols"], len(set(spec.get("symbolCharacters") or "")) or 30),
    )
    for name, count, size in alphabets:
        if count > size and not spec.get("allowRepeat"):
            raise InvalidInput(
                "%d different %s are wanted and there are %d" % (count, name, size),
                remedy='set "allow_repeat", or fewer %s' % name,
            )


def check_dynamic(namespace: str | None, spec: Mapping[str, Any]) -> list[str]:
    """Refuse what cannot work in a VaultDynamicSecret; return warnings. Raises InvalidInput."""
    path, method = str(spec.get("path") or ""), spec.get("method") or "GET"
    if not path:
        raise InvalidInput("no path is given", remedy='write the path in Vault, such as "pki_int/issue/web"')
    if path.startswith(("/", "v1/")):
        raise InvalidInput(
            'the path "%s" is not a path of Vault' % path,
            remedy='write it from the mount on, such as "pki_int/issue/web"',
        )
    check_choice("method", method, ("GET", "LIST", "POST", "PUT", "DELETE"))
    check_choice("resultType", spec.get("resultType"), ("Data", "Auth", "Raw"))
    writes = method in ("POST", "PUT")
    if _WRITTEN.search(path) and not writes:
        raise InvalidInput('"%s" answers to POST, not to %s' % (path, method), remedy='set "method" to POST')
    if spec.get("parameters") and not writes:
        raise InvalidInput(
            "parameters are not sent with %s" % method,
            remedy='set "method" to POST, or give "get_parameters"',
        )
    if spec.get("getParameters") and method != "GET":
        raise InvalidInput("get_parameters are not sent with %s" % method, remedy='give "parameters"')
    provider = spec.get("provider") or {}
    if "vault" in provider:
        raise InvalidInput(
            "provider.vault does not exist in a generator", remedy="write server and auth directly below provider"
        )
    warnings = check_vault("provider", provider)
    check_retries(spec)
    for where, reference in references(provider):
        if reference.get("namespace") not in (None, namespace):
            raise InvalidInput(
                'provider.%s names the namespace "%s", which the operator ignores' % (where, reference["namespace"]),
                remedy="remove it: a generator's references are looked up in the namespace of the ExternalSecret",
            )
    return warnings


ELSEWHERE = "Its namespace; only that of the generator itself is looked at."
FIELDS: Sequence[Field] = (
    Field(
        "kind",
        (
            "Kind of the generator. A V(ClusterGenerator) serves all namespaces.",
            (
                "V(VaultDynamicSecret), V(Password) and V(UUID) have options below. All others are "
                "declared by O(spec), as a manifest has it."
            ),
            "V(UUID) and V(ClusterGenerator) are not known to versions of the operator before 0.10 and 0.13.",
        ),
        choices=tuple(KINDS),
        default="VaultDynamicSecret",
    ),
    Field("name", "Name of the generator."),
    Field("namespace", "Its namespace; a ClusterGenerator has none."),
    Field("labels", "Labels of the object.", "dict"),
    Field("annotations", "Annotations of the object.", "dict"),
    Field(
        "spec",
        (
            "The whole spec, as a manifest has it. Excludes all options below.",
            (
                "What stands in it stands in the cluster for all to read who may read the object. The "
                "values of a V(Fake), and body and headers of a V(Webhook), are not shown in diffs."
            ),
        ),
        "dict",
    ),
    Field(
        "generator_kind",
        "What a ClusterGenerator generates by; the options below are those of this kind.",
        choices=tuple(TYPED),
    ),
    Field(
        "path",
        (
            "For V(VaultDynamicSecret), the path in Vault, from the mount on, such as "
            "V(pki_int/issue/web) or V(database/creds/app)."
        ),
    ),
    Field(
        "method",
        (
            "For V(VaultDynamicSecret), how Vault is asked. The operator's default is V(GET); "
            "certificates are issued by V(POST)."
        ),
        choices=("GET", "LIST", "POST", "PUT", "DELETE"),
    ),
    Field(
        "parameters",
        "For V(VaultDynamicSecret), what is sent with V(POST) and V(PUT). They stand in the object for all to read.",
        "dict",
    ),
    Field(
        "get_parameters",
        (
            "For V(VaultDynamicSecret), the query that is sent with V(GET); each value one or a list. "
            "Not known to old versions of the operator."
        ),
        "dict",
    ),
    Field(
        "result_type",
        "For V(VaultDynamicSecret), which part of the answer is taken. The operator's default is V(Data).",
        choices=("Data", "Auth", "Raw"),
    ),
    Field(
        "allow_empty_response",
        "For V(VaultDynamicSecret), whether an empty answer is no error. Not known to old versions of the operator.",
        "bool",
    ),
    Field("controller", "For V(VaultDynamicSecret), the class of the operator instance that is to serve it."),
    Field(
        "retry_settings",
        "How often and how long apart the operator asks Vault again after an error, for V(VaultDynamicSecret).",
        "dict",
        fields=RETRY_FIELDS,
    ),
    Field(
        "provider",
        (
            (
                "For V(VaultDynamicSecret), how Vault is reached, by the same options as "
                "M(secretops.vault_eso.eso_secretstore) has."
            ),
            "What it refers to is looked up in the namespace of the ExternalSecret that uses the generator.",
        ),
        "dict",
        fields=vault_fields(ELSEWHERE, ELSEWHERE),
    ),
    Field("length", "For V(Password), how many characters it has. The operator's default is 24.", "int"),
    Field("digits", "For V(Password), how many of them are digits. The operator's default is a quarter.", "int"),
    Field("symbols", "For V(Password), how many of them are symbols. The operator's default is a quarter.", "int"),
    Field("symbol_characters", "For V(Password), the symbols to choose from."),
    Field("no_upper", "For V(Password), whether there are no upper case letters.", "bool"),
    Field("allow_repeat", "For V(Password), whether a character may occur more than once.", "bool"),
    Field(
        "encoding",
        "For V(Password), how it is encoded. Not known to old versions of the operator.",
        choices=("base64", "base64url", "base32", "hex", "raw"),
    ),
    Field(
        "secret_keys",
        (
            "For V(Password), the keys that get a password each, by default V(password). Not known to "
            "old versions of the operator."
        ),
        "list",
        elements="str",
    ),
)


class Generator(EsoObject):
    """A generator of one of the kinds in `KINDS`; its label in messages names the kind."""

    kind = "generator"
    rank = 0
    compared = {
        "spec.provider.caBundle": same_bundle,
        "spec.generator.vaultDynamicSecretSpec.provider.caBundle": same_bundle,
    }
    whole = frozenset(("spec.parameters", "spec.generator.vaultDynamicSecretSpec.parameters"))
    api: ClassVar[Kind]

    def spec_of(self, item: Mapping[str, Any]) -> dict[str, Any]:
        return generator_spec(item)

    def refuse(self, spec: Mapping[str, Any]) -> list[str]:
        return check_generator(self.api.name, self.namespace, spec)

    def hidden(self) -> set[str]:
        if self.desired is None:
            return super().hidden()
        kind = str((self.spec or {}).get("kind")) if self.api.name == "ClusterGenerator" else self.api.name
        # a ClusterGenerator may have been of another kind before
        was = str(((self.live or {}).get("spec") or {}).get("kind"))
        names = {*self.desired, *(dotted(path) for path in self.stale(self.live or {}))}
        shown = not {kind, was} & {"Fake", "Webhook"}
        return super().hidden() | (set() if shown else {name for name in names if _SECRET.match(name)})


def _class(name: str) -> type[Generator]:
    return type(name, (Generator,), {"kind": name, "api": KINDS[name], "__doc__": "A generator of the kind %s." % name})


CLASSES: Mapping[str, type[Generator]] = {name: _class(name) for name in KINDS}


def describe_generator(current: Mapping[str, Any]) -> dict[str, Any]:
    """Describe a generator for the survey; it has no status."""
    metadata, spec = current["metadata"], current.get("spec") or {}
    kind = str(current.get("kind") or "")
    if kind == "ClusterGenerator":
        kind = str(spec.get("kind") or "")
        spec = (spec.get("generator") or {}).get(SPECS.get(kind, "")) or {}
    provider = spec.get("provider") or {}
    return dict(
        compact(
            {
                "kind": current.get("kind") or "",
                "generator_kind": kind,
                "name": metadata["name"],
                "namespace": metadata.get("namespace"),
                "managed": applied_by_us(current),
                "path": spec.get("path"),
                "server": provider.get("server"),
                "auth_method": auth_method(provider) or None,
                "ca_bundle": trusted(provider) or None,
            }
        )
    )


class Generators(EsoKind):
    """Generators of all kinds."""

    module = "eso_generator"
    plural = "generators"
    title = "Generators"
    task = "Declare what Vault or the operator generates"
    fields = FIELDS
    # a generator has no status to wait for
    options = {name: option for name, option in APPLY_SPEC.items() if name not in WAIT_SPEC}
    classes = CLASSES
    restored = 2

    def purged(self, client: Client, declared: Sequence[EsoObject]) -> list[Kind]:
        # the namespaced ones that are served, and others that are declared
        served = {plural for version in client.versions(GROUP) for plural in client.plurals(GROUP, version)}
        return [
            kind
            for kind in self.apis
            if kind.plural in served and (kind.namespaced or any(one.api is kind for one in declared))
        ]

    def describe(self, current: Mapping[str, Any]) -> dict[str, Any]:
        return describe_generator(current)
