# Copyright: Contributors to the secretops.vault_eso project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# Private to this collection: what is here may change at any time. Other collections must not import it.
"""PushSecrets: what of a Secret is written to Vault.

Source: External Secrets Operator, API reference, PushSecret; it exists as v1alpha1 only.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any

from .._engine.errors import InvalidInput
from .._kubernetes.apply import KubeObject, about, without_none
from .._kubernetes.client import METADATA_ONLY, Client
from .._kubernetes.errors import KubernetesError
from .._kubernetes.kind import SECRET
from .external_secret import (
    EXTERNAL_SECRET,
    PUSH_SECRET,
    check_choice,
    check_interval,
    check_pattern,
    check_remote,
    check_template,
    duration,
    frozen,
    manifest_names,
    target_name,
)

OPTIONS = ("refresh_interval", "update_policy", "deletion_policy", "selector", "template")
#: lists of what goes where, by the field of the manifest
LISTS = {"data": "data", "dataTo": "data_to"}
#: fields that people write and that do not exist: what to write instead
NO_SUCH_FIELD = {
    "secretStoreRef": "write secretStoreRefs, a list with name and kind",
    "target": "a PushSecret writes to Vault: name the secret there in data[].match.remoteRef.remoteKey",
    "dataFrom": "write data, or dataTo, which takes all keys that match",
    "secretRef": "write selector.secret.name",
    "source": "write selector.secret.name",
    "creationPolicy": "write updatePolicy, Replace or IfNotExists",
}
NO_SUCH_DATA_FIELD = {
    "secretKey": "write data[].match.secretKey",
    "remoteRef": "write data[].match.remoteRef",
    "remoteKey": "write data[].match.remoteRef.remoteKey",
    "property": "write data[].match.remoteRef.property",
}
NO_SUCH_REMOTE_FIELD = {"key": "write remoteKey", "name": "write remoteKey", "path": "write remoteKey"}


def push_secret_spec(item: Mapping[str, Any]) -> dict[str, Any]:
    """Return the manifest's spec from options, or the raw ``spec``. Raises InvalidInput."""
    if item.get("spec"):
        given = sorted(
            name for name in (*OPTIONS, "store_refs", *LISTS.values()) if item.get(name) not in (None, [], {})
        )
        if given:
            raise InvalidInput('"spec" excludes %s' % ", ".join(given), remedy="put everything into one of the two")
        return dict(without_none(item["spec"]))
    spec = manifest_names({name: item.get(name) for name in OPTIONS})
    spec["secretStoreRefs"] = manifest_names(item.get("store_refs"))
    spec.update(
        {field: [_entry(one) for one in item[name]] for field, name in LISTS.items() if item.get(name) is not None}
    )
    return dict(without_none(spec))


def _entry(entry: Mapping[str, Any]) -> dict[str, Any]:
    """Return an entry as a manifest has it; its metadata is the user's own words."""
    named = manifest_names({key: value for key, value in entry.items() if key != "metadata"})
    return {**named, "metadata": entry.get("metadata")}


def _refuse(where: str, value: Mapping[str, Any], table: Mapping[str, str]) -> None:
    for field, advice in table.items():
        if field in value:
            raise InvalidInput("%s.%s does not exist in a PushSecret" % (where, field), remedy=advice)


def check_push_secret(spec: Mapping[str, Any]) -> None:
    """Refuse what the operator refuses, ignores or misreads in a PushSecret's spec. Raises InvalidInput."""
    _refuse("spec", spec, NO_SUCH_FIELD)
    stores = spec.get("secretStoreRefs") or []
    if not stores:
        raise InvalidInput("no store is given", remedy='set "store_refs", a list with name and kind')
    for number, store in enumerate(stores):
        if bool(store.get("name")) == (store.get("labelSelector") is not None):
            raise InvalidInput(
                "store_refs[%d] needs either name or label_selector" % number, remedy="give exactly one of the two"
            )
        if store.get("namespace"):
            raise InvalidInput(
                "store_refs[%d]: a store in another namespace cannot be used" % number,
                remedy="use a SecretStore of the same namespace, or a ClusterSecretStore",
            )
    check_source(spec.get("selector") or {})
    check_interval("refresh interval", spec.get("refreshInterval"))
    check_choice("updatePolicy", spec.get("updatePolicy"), ("Replace", "IfNotExists"))
    check_choice("deletionPolicy", spec.get("deletionPolicy"), ("None", "Delete"))
    check_template(spec.get("template") or {})
    if not spec.get("data") and not spec.get("dataTo"):
        raise InvalidInput("neither data nor data_to is given: nothing would be pushed", remedy="say what goes where")
    check_entries(spec.get("data") or [])
    check_data_to(spec.get("dataTo") or [])


def check_source(selector: Mapping[str, Any]) -> None:
    """Refuse a selector that is not exactly one source. Raises InvalidInput."""
    if "name" in selector:
        raise InvalidInput("selector.name does not exist in a PushSecret", remedy="write selector.secret.name")
    secret, generator = selector.get("secret"), selector.get("generatorRef")
    if (secret is not None) == (generator is not None):
        raise InvalidInput(
            "selector has %s secret %s generator_ref" % (("both", "and") if secret is not None else ("neither", "nor")),
            remedy="give exactly one of the two",
        )
    if secret is not None and bool(secret.get("name")) == (secret.get("selector") is not None):
        raise InvalidInput("selector.secret needs either name or selector", remedy="give exactly one of the two")
    if secret and secret.get("namespace"):
        raise InvalidInput(
            "a Secret in another namespace cannot be pushed", remedy="declare the PushSecret in that namespace"
        )


def check_entries(entries: list[Mapping[str, Any]]) -> None:
    """Refuse entries that go nowhere, or two that go to one place. Raises InvalidInput."""
    seen: set[tuple[str, str]] = set()
    for number, entry in enumerate(entries):
        where = "data[%d]" % number
        _refuse(where, entry, NO_SUCH_DATA_FIELD)
        remote = (entry.get("match") or {}).get("remoteRef") or {}
        _refuse("%s.match.remoteRef" % where, remote, NO_SUCH_REMOTE_FIELD)
        key = str(remote.get("remoteKey") or "")
        if not key:
            raise InvalidInput(
                "%s.match.remote_ref has no remote_key" % where, remedy="write the path of the secret in Vault"
            )
        check_remote("%s.match.remote_ref" % where, {"key": key})
        place = (key, str(remote.get("property") or ""))
        if place in seen:
            raise InvalidInput(
                '%s: "%s" is written twice' % (where, "/".join(part for part in place if part)),
                remedy="keep one of the two, or give each a property of its own",
            )
        seen.add(place)


#: functions of templates that give another value each time. Source: ESO, runtime/template/v2/sprig, functions.go
_ANEW = re.compile(
    r"(?<![.$\"\w])(rand(?:AlphaNum|Alpha|Ascii|Numeric|Int|Bytes)|uuidv4|shuffle|now|bcrypt|htpasswd|encryptAES"
    r"|gen(?:PrivateKey|CA(?:WithKey)?|(?:SelfSigned|Signed)Cert(?:WithKey)?))\b"
)
SETTLE = "set update_policy to IfNotExists, or refresh_interval to 0"


def repeats(spec: Mapping[str, Any]) -> str:
    """Return how often a PushSecret writes over what is in Vault, "" when it does so once only."""
    every = spec.get("refreshInterval")
    if spec.get("updatePolicy") == "IfNotExists" or (every is not None and duration(every) == 0):
        return ""
    return str(every or "1h0m0s")


def made_anew(spec: Mapping[str, Any]) -> list[str]:
    """Return warnings of what makes another value, and so another version in Vault, at each refresh."""
    every, found = repeats(spec), []
    if not every:
        return []
    if (spec.get("selector") or {}).get("generatorRef"):
        found.append("its generator makes another value at each refresh")
    template = spec.get("template") or {}
    texts = {"template.data.%s" % key: text for key, text in (template.get("data") or {}).items()}
    for number, entry in enumerate(template.get("templateFrom") or []):
        texts["template.template_from[%d].literal" % number] = entry.get("literal")
    for where, text in texts.items():
        for action in re.findall(r"\{\{(.*?)\}\}", str(text or ""), re.S):
            function = _ANEW.search(re.sub(r'"(?:\\.|[^"\\])*"', '""', action))
            if function:
                found.append("%s gives another value at each refresh by %s" % (where, function.group(1)))
                break
    return ["%s (%s), and each is a new version in Vault: %s" % (one, every, SETTLE) for one in found]


def generated(spec: Mapping[str, Any]) -> bool:
    """Tell whether an ExternalSecret has a generator make other values at each refresh."""
    return not frozen(spec) and any(
        (entry.get("sourceRef") or {}).get("generatorRef") for entry in spec.get("dataFrom") or []
    )


def filled_anew(source: str, maker: Mapping[str, Any]) -> list[str]:
    """Return a warning when an ExternalSecret fills a PushSecret's source with what a generator makes anew."""
    if target_name(maker) != source or not generated(maker.get("spec") or {}):
        return []
    return [
        'the Secret "%s" gets another value of a generator at each refresh of the ExternalSecret "%s", and each is '
        "a new version in Vault: %s, or refresh that ExternalSecret once only"
        % (source, maker["metadata"]["name"], SETTLE)
    ]


def check_sources(resources: Sequence[Any], external: Sequence[KubeObject]) -> None:
    """Warn of PushSecrets whose source an ExternalSecret of the same declaration fills anew again and again."""
    for resource in resources:
        source = ((resource.spec or {}).get("selector") or {}).get("secret") or {}
        for one in external:
            if source.get("name") and repeats(resource.spec or {}) and one.namespace == resource.namespace:
                resource.warnings += filled_anew(source["name"], one.manifest or {"metadata": {"name": ""}})


def places(spec: Mapping[str, Any]) -> set[tuple[str, str]]:
    """Return where a PushSecret's ``data`` go: path in Vault and property, "" for the whole secret."""
    remotes = [(entry.get("match") or {}).get("remoteRef") or {} for entry in spec.get("data") or []]
    return {(str(one.get("remoteKey") or ""), str(one.get("property") or "")) for one in remotes}


def check_places(resources: Sequence[Any]) -> None:
    """Warn of PushSecrets that write over each other: each refresh of one undoes the other, with a new version."""
    seen: dict[tuple[str, ...], Any] = {}
    for resource in resources:
        spec = resource.spec or {}
        for store in spec.get("secretStoreRefs") or [] if repeats(spec) else []:
            kind = store.get("kind") or "SecretStore"
            space = str(resource.namespace) if kind == "SecretStore" else ""
            for place in sorted(places(spec)) if store.get("name") else []:
                other = seen.setdefault((kind, space, str(store["name"]), *place), resource)
                if other is not resource:
                    resource.warnings.append(
                        'it and "%s" both write "%s" through the store "%s": each undoes the other at each refresh, '
                        "with a new version in Vault" % (other.name, "/".join(filter(None, place)), store["name"])
                    )


def check_data_to(entries: list[Mapping[str, Any]]) -> None:
    """Refuse entries that the CRD's rules refuse, or whose patterns do not compile. Raises InvalidInput."""
    for number, entry in enumerate(entries):
        where = "data_to[%d]" % number
        store = entry.get("storeRef") or {}
        if not store.get("name") and store.get("labelSelector") is None:
            raise InvalidInput(
                "%s has no store_ref with a name or a label_selector" % where,
                remedy="say which of store_refs it is for",
            )
        if entry.get("remoteKey") and entry.get("rewrite"):
            raise InvalidInput(
                "%s has remote_key and rewrite" % where,
                remedy="remove one: with remote_key all keys go into that one secret under their own names",
            )
        if (entry.get("match") or {}).get("regexp"):
            check_pattern("%s.match.regexp" % where, entry["match"]["regexp"])
        for index, step in enumerate(entry.get("rewrite") or []):
            if (step.get("regexp") is None) == (step.get("transform") is None):
                raise InvalidInput(
                    "%s.rewrite[%d] needs either regexp or transform" % (where, index),
                    remedy="give exactly one of the two; several steps are several entries of rewrite",
                )
            if step.get("regexp") is not None:
                check_pattern("%s.rewrite[%d].regexp.source" % (where, index), step["regexp"].get("source") or "")


class PushSecret(KubeObject):
    """A PushSecret."""

    kind = PUSH_SECRET.name
    api = PUSH_SECRET
    compared = {"spec.refreshInterval": duration}

    def __init__(self, client: Client, item: Mapping[str, Any], **options: Any) -> None:
        with about(self.kind, item):
            self.spec = push_secret_spec(item) if item["state"] == "present" else None
        super().__init__(client, item, {"spec": self.spec}, **options)

    def check(self) -> None:
        super().check()
        if self.spec is not None:
            check_push_secret(self.spec)
            self.warnings += made_anew(self.spec)

    def validate(self) -> None:
        super().validate()
        self.warnings += self._source_made_anew()

    def _source_made_anew(self) -> list[str]:
        """Return a warning when the Secret that it pushes is filled by a generator, again and again."""
        source = (((self.spec or {}).get("selector") or {}).get("secret") or {}).get("name")
        every = repeats(self.spec or {})
        if not source or not every:
            return []
        try:
            secret = self.client.get(SECRET.path("v1", self.namespace, source), accept=METADATA_ONLY)
            owners = ((secret or {}).get("metadata") or {}).get("ownerReferences") or []
            name = next((one["name"] for one in owners if one.get("kind") == EXTERNAL_SECRET.name), source)
            version = self.client.version_of(EXTERNAL_SECRET)
            maker = self.client.get(EXTERNAL_SECRET.path(version, self.namespace, name))
        except KubernetesError:
            # who may not look is not warned
            return []
        return [] if maker is None else filled_anew(source, maker)

    def compare(self, current: Mapping[str, Any], desired: Mapping[str, Any]) -> list[str]:
        names = super().compare(current, desired)
        live = (self.live or {}).get("spec") or {}
        gone = places(live) - places(self.spec or {})
        if names and gone and (self.spec or {}).get("deletionPolicy") == "Delete":
            self.warnings.append(
                "its deletion policy is Delete: the operator removes from Vault what it pushes no longer, %s"
                % ", ".join('"%s"' % "/".join(filter(None, place)) for place in sorted(gone))
            )
        return names

    def read(self) -> Mapping[str, Any] | None:
        current = super().read()
        spec = (self.live or {}).get("spec") or {}
        if current is not None and self.desired is None and spec.get("deletionPolicy") == "Delete":
            if self.item.get("purged"):
                raise InvalidInput(
                    "it is to be purged, but its deletion policy is Delete: the operator would remove what it pushed "
                    "from Vault",
                    remedy="declare it with state absent if that is wanted, or with the deletion policy None before",
                )
            self.warnings.append("its deletion policy is Delete: the operator removes what it pushed from Vault")
        return current
