# Copyright: Contributors to the secretops.vault_eso project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# Private to this collection: what is here may change at any time. Other collections must not import it.
"""The spec of PushSecrets: fields, manifest, and what the operator refuses, ignores or misreads.

Source: External Secrets Operator, API reference, PushSecret.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from .._engine.errors import InvalidInput
from .._engine.field import Field, described
from .._kubernetes.fields import without_none
from .remote import check_remote
from .template import TEMPLATE_FIELDS, check_template
from .values import check_choice, check_interval, check_pattern, manifest_names, raw_spec

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
    raw = raw_spec(item, (*OPTIONS, "store_refs", *LISTS.values()))
    if raw is not None:
        return raw
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


TEMPLATE = described(
    TEMPLATE_FIELDS,
    {
        "type": "Type of the Secret that is made in between.",
        "merge_policy": "Whether the template's keys replace the Secret's or join them.",
        "data": "Keys and their templates. Use C(urlquery) in URLs and C(toJson) in JSON.",
        "metadata": "Labels and annotations of the Secret that is made in between.",
        "metadata.finalizers": "Finalizers. The Secret is made in between only, so that they have no effect.",
        "template_from": "Further templates, as a manifest has them.",
    },
)
FIELDS: Sequence[Field] = (
    Field("name", "Name of the PushSecret."),
    Field("namespace", "Its namespace, and that of the Secret."),
    Field("labels", "Labels of the object.", "dict"),
    Field("annotations", "Annotations of the object.", "dict"),
    Field("spec", "The whole spec, as a manifest has it. Excludes all options below.", "dict"),
    Field(
        "store_refs",
        "The stores that it writes to.",
        "list",
        elements="dict",
        fields=(
            Field("name", "Name of the store."),
            Field("kind", "Kind of the store.", choices=("SecretStore", "ClusterSecretStore"), default="SecretStore"),
            Field("label_selector", "Label selector of stores instead of C(name), as a manifest has it.", "dict"),
        ),
    ),
    Field(
        "selector",
        "What is pushed. Exactly one of C(secret) and C(generator_ref).",
        "dict",
        fields=(
            Field(
                "secret",
                "A Secret of the namespace.",
                "dict",
                fields=(
                    Field("name", "Its name."),
                    Field(
                        "selector",
                        (
                            "Label selector of Secrets instead of C(name), as a manifest has it. Not known to old "
                            "versions of the operator."
                        ),
                        "dict",
                    ),
                ),
            ),
            Field(
                "generator_ref",
                "A generator, by C(kind) and C(name). Not known to old versions of the operator.",
                "dict",
            ),
        ),
    ),
    Field("refresh_interval", "How often the operator compares Vault with the Secret, such as V(15m); V(0) for once."),
    Field(
        "update_policy",
        "Whether a value that is in Vault already is replaced. The operator's default is V(Replace).",
        choices=("Replace", "IfNotExists"),
    ),
    Field(
        "deletion_policy",
        "Whether what was pushed goes with the PushSecret. The operator's default is V(None).",
        choices=("None", "Delete"),
    ),
    Field("template", "How what is pushed is made of the Secret.", "dict", fields=TEMPLATE),
    Field(
        "data",
        "Which key goes where.",
        "list",
        elements="dict",
        fields=(
            Field(
                "match",
                "Source and destination.",
                "dict",
                required=True,
                fields=(
                    Field("secret_key", "Key of the Secret; without it all keys as one JSON document."),
                    Field(
                        "remote_ref",
                        "Where it goes in Vault.",
                        "dict",
                        required=True,
                        fields=(
                            Field("remote_key", "Path of the secret.", required=True),
                            Field(
                                "property",
                                (
                                    "Key in the secret; without it the value is the whole secret and must be "
                                    "a JSON document."
                                ),
                            ),
                        ),
                    ),
                ),
            ),
            Field(
                "conversion_strategy",
                "How escaped characters in keys are turned back.",
                choices=("None", "ReverseUnicode"),
            ),
            Field("metadata", "What the provider wants to know beside, as a manifest has it.", "dict"),
        ),
    ),
    Field(
        "data_to",
        "All keys that match, as a manifest has it. Not known to old versions of the operator.",
        "list",
        elements="dict",
    ),
)
