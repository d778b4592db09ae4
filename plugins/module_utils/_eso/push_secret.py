# Copyright: Contributors to the secretops.vault_eso project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# Private to this collection: what is here may change at any time. Other collections must not import it.
"""PushSecrets: what of a Secret is written to Vault.

Source: External Secrets Operator, API reference, PushSecret; it exists as v1alpha1 only.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Callable

from .._engine.errors import InvalidInput
from .._engine.field import Field, described
from .._kubernetes.client import METADATA_ONLY, Client
from .._kubernetes.errors import KubernetesError
from .._kubernetes.fields import compact, without_none
from .._kubernetes.kind import SECRET, Kind, Object
from .._kubernetes.waiting import Expectation
from .external_secret import EXTERNAL_SECRET
from .forced import Single, SyncRun
from .kind import GROUP, OPERATOR, EsoKind, EsoObject
from .push_versions import check_places, check_sources, filled_by_generator, places, regenerated, repeats
from .remote import check_remote
from .status import describe, expect_ready, synced
from .store import STORE
from .template import TEMPLATE_FIELDS, check_template
from .values import check_choice, check_interval, check_pattern, duration, manifest_names, raw_spec

#: never became v1
PUSH_SECRET = Kind("PushSecret", "pushsecrets", GROUP, ("v1alpha1",), True, OPERATOR)
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


class PushSecret(EsoObject):
    """A PushSecret."""

    kind = PUSH_SECRET.name
    api = PUSH_SECRET
    compared = {"spec.refreshInterval": duration}

    def spec_of(self, item: Mapping[str, Any]) -> dict[str, Any]:
        return push_secret_spec(item)

    def refuse(self, spec: Mapping[str, Any]) -> list[str]:
        check_push_secret(spec)
        return regenerated(spec)

    def validate(self) -> None:
        super().validate()
        self.warnings += self._source_regenerated()

    def _source_regenerated(self) -> list[str]:
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
        return [] if maker is None else filled_by_generator(source, maker)

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


def describe_push_secret(current: Mapping[str, Any]) -> dict[str, Any]:
    """Describe a PushSecret for the survey: where it pushes to, never what."""
    spec, status = current.get("spec") or {}, current.get("status") or {}
    return {
        **describe(current),
        "stores": [
            compact(
                {"name": one.get("name"), "kind": one.get("kind") or STORE.name, "labels": one.get("labelSelector")}
            )
            for one in spec.get("secretStoreRefs") or []
        ],
        "source": ((spec.get("selector") or {}).get("secret") or {}).get("name") or "",
        "pushed": sorted({place for places in (status.get("syncedPushSecrets") or {}).values() for place in places}),
        "refresh_interval": spec.get("refreshInterval"),
        "update_policy": spec.get("updatePolicy") or "Replace",
        "deletion_policy": spec.get("deletionPolicy") or "None",
        "in_sync": synced(dict(current)) == "",
    }


#: the reason of a PushSecret's Ready condition once it was pushed
PUSHED = "Synced"


class PushSync(Single):
    """One forced push of a PushSecret."""

    kind = PUSH_SECRET.name
    api = PUSH_SECRET
    reasons = (PUSHED,)

    def __init__(self, run: SyncRun, item: Mapping[str, Any]) -> None:
        self.proof: Any = None
        super().__init__(run, item)

    def check(self) -> None:
        super().check()
        given = [name for name in ("expect_keys", "expect_sha256", "expect_versions") if self.item.get(name)]
        if given:
            raise InvalidInput(
                "a PushSecret fills no Secret, so %s says nothing" % " and ".join(given),
                remedy='remove it; with "vault" what was pushed is compared with what Vault holds',
            )

    def look_at(self, current: Object) -> None:
        if self.run.push_prover is not None:
            self.proof = self.run.push_prover(current)

    def conclude(self) -> None:
        if self.proof is not None:
            self.info["versions"] = self.proof.confirm()


class PushSecrets(EsoKind):
    """PushSecrets."""

    module = "eso_pushsecret"
    plural = "push_secrets"
    title = "PushSecrets"
    task = "Declare what is pushed to Vault"
    fields = FIELDS
    classes = {PUSH_SECRET.name: PushSecret}
    restored = 4
    forced = PushSync

    def check_together(self, resources: Sequence[Any], beside: Mapping[str, Sequence[Any]]) -> None:
        check_places(resources)
        check_sources(resources, beside.get("external_secrets") or [])

    def expect(self, client: Client, resources: Sequence[EsoObject]) -> Callable[[Any, bool], Expectation]:
        return expect_ready

    def describe(self, current: Mapping[str, Any]) -> dict[str, Any]:
        return describe_push_secret(current)
