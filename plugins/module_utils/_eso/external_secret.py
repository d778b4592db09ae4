# Copyright: Contributors to the secretops.vault_eso project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# Private to this collection: what is here may change at any time. Other collections must not import it.
"""ExternalSecrets: which values of Vault stand in which Secret."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any, Callable

from .._engine.errors import InvalidInput, SecretopsError
from .._kubernetes.client import METADATA_ONLY, Client
from .._kubernetes.errors import Forbidden
from .._kubernetes.fields import without_none
from .._kubernetes.kind import SECRET, Kind, Object
from .._kubernetes.module import METADATA_SPEC
from .._kubernetes.waiting import Expectation
from .forced import Held, Single, SyncRun, changed_keys
from .kind import GROUP, OPERATOR, VERSIONS, EsoKind, EsoObject
from .remote import CONVERSION, DECODING, NULL_BYTES, REMOTE, SOURCE, check_data, check_data_from
from .status import describe, frozen, synced
from .store import STORE
from .targets import Target, Targets, hold_against_targets, target_of
from .template import TEMPLATE, check_template
from .values import check_choice, check_interval, duration, manifest_names

EXTERNAL_SECRET_SPEC: dict[str, Any] = {
    "store": {
        "type": "dict",
        "options": {
            "name": {"type": "str", "required": True},
            "kind": {"type": "str", "choices": ["SecretStore", "ClusterSecretStore"], "default": "SecretStore"},
        },
    },
    "refresh_interval": {"type": "str"},
    "refresh_policy": {"type": "str", "choices": ["Periodic", "OnChange", "CreatedOnce"]},
    "sync_windows": {
        "type": "dict",
        "options": {
            "kind": {"type": "str", "choices": ["allow", "deny"], "required": True},
            "windows": {
                "type": "list",
                "elements": "dict",
                "required": True,
                "options": {
                    "schedule": {"type": "str", "required": True},
                    "duration": {"type": "str", "required": True},
                },
            },
        },
    },
    "target": {
        "type": "dict",
        "options": {
            "name": {"type": "str"},
            "creation_policy": {"type": "str", "choices": ["Owner", "Orphan", "Merge", "None", "CreateOrMerge"]},
            "deletion_policy": {"type": "str", "choices": ["Retain", "Delete", "Merge"]},
            "immutable": {"type": "bool"},
            "template": {"type": "dict", "options": TEMPLATE},
        },
    },
    "data": {
        "type": "list",
        "elements": "dict",
        "options": {
            "secret_key": {"type": "str", "required": True, "no_log": False},
            "remote_ref": {"type": "dict", "options": REMOTE},
            "source_ref": SOURCE,
        },
    },
    "data_from": {
        "type": "list",
        "elements": "dict",
        "options": {
            "extract": {"type": "dict", "options": REMOTE},
            "find": {
                "type": "dict",
                "options": {
                    "path": {"type": "str"},
                    "name": {"type": "dict", "options": {"regexp": {"type": "str", "required": True}}},
                    "tags": {"type": "dict"},
                    "conversion_strategy": CONVERSION,
                    "decoding_strategy": DECODING,
                    "null_byte_policy": NULL_BYTES,
                },
            },
            "source_ref": SOURCE,
            "rewrite": {"type": "list", "elements": "dict"},
        },
    },
}
EXTERNAL_SECRET = Kind("ExternalSecret", "externalsecrets", GROUP, VERSIONS, True, OPERATOR)
CREATION_POLICIES = ("Owner", "Orphan", "Merge", "None", "CreateOrMerge")
DELETION_POLICIES = ("Retain", "Delete", "Merge")
REFRESH_POLICIES = ("Periodic", "OnChange", "CreatedOnce")
#: the operator's own pattern. Source: CRD of ExternalSecrets, syncWindows
_SCHEDULE = re.compile(r"@(annually|yearly|monthly|weekly|daily|midnight|hourly)|@every [^\s]+.*|[^\s]+( [^\s]+){4}")
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


class ExternalSecret(EsoObject):
    """An ExternalSecret: which values of Vault stand in which Secret."""

    kind = EXTERNAL_SECRET.name
    api = EXTERNAL_SECRET
    rank = 1
    compared = {"spec.refreshInterval": duration}

    def spec_of(self, item: Mapping[str, Any]) -> dict[str, Any]:
        return external_secret_spec(item)

    def refuse(self, spec: Mapping[str, Any]) -> list[str]:
        return check_external_secret(self.object_name, spec)

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

    def resolve(self, current: Mapping[str, Any] | None) -> Mapping[str, Any]:
        if self.owns and self.owns != self._owned_already():
            self._refuse_foreign_secret()
        return super().resolve(current)

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


EXTERNAL_SECRET_ENTRY: dict[str, Any] = {
    **METADATA_SPEC,
    "adopt": {"type": "bool", "default": False},
    **EXTERNAL_SECRET_SPEC,
}


def store_of(spec: Mapping[str, Any]) -> dict[str, str]:
    """Return name and kind of the store that an ExternalSecret's spec names."""
    reference = spec.get("secretStoreRef") or {}
    return {"name": reference.get("name") or "", "kind": reference.get("kind") or STORE.name}


def describe_external_secret(current: Mapping[str, Any]) -> dict[str, Any]:
    """Return what is told of an ExternalSecret."""
    spec, target = current.get("spec") or {}, target_of(current)
    return {
        **describe(current),
        "store": store_of(spec),
        "target": target.name,
        "target_kind": target.kind,
        "refresh_interval": spec.get("refreshInterval"),
        "refresh_policy": spec.get("refreshPolicy") or "Periodic",
        "in_sync": synced(dict(current)) == "",
    }


class Sync(Single):
    """One forced sync of an ExternalSecret."""

    kind = EXTERNAL_SECRET.name
    api = EXTERNAL_SECRET

    def __init__(self, run: SyncRun, item: Mapping[str, Any]) -> None:
        self.proofs: list[Any] = []
        self.before: Held | None = None
        self.target = Target("", "")
        super().__init__(run, item)

    @classmethod
    def prepare(cls, resources: Sequence[Any]) -> None:
        super().prepare(resources)
        resources[0].run.contents.expect([one.namespace for one in resources])

    def check(self) -> None:
        super().check()
        if self.item.get("expect_versions") and self.run.prover is None:
            raise InvalidInput("versions can only be proven with a connection to Vault", remedy='set "vault"')

    def look_at(self, current: Object) -> None:
        self.refuse_frozen(current.get("spec") or {})
        self.target = target_of(current)
        self.before = self.held(self.run.contents.before, self.target)
        self.proofs = [
            self.run.prover(current, key, int(version))
            for key, version in sorted((self.item.get("expect_versions") or {}).items())
            if self.run.prover is not None
        ]

    def missing(self) -> str:
        lacking = self.lacking(self.target)
        if not lacking:
            self.info["target"] = self.target.name
        return lacking

    def conclude(self) -> None:
        after = self.arrived(self.last, self.target)
        if after is not None and after.known:
            self.info["secret_keys"] = sorted(after.digests or {})
            if self.before is not None:
                self.info["changed_keys"] = changed_keys(self.before.digests or {}, after.digests or {})
        doubts = {proof.key: proof.confirm(after) for proof in self.proofs}
        if self.proofs:
            self.info["versions"] = {proof.key: proof.version for proof in self.proofs if not doubts[proof.key]}
            self.info["unproven"] = {key: doubt for key, doubt in doubts.items() if doubt}
        self.info["proven"] = after is not None and not any(doubts.values())
        self.tell(self.info.get("unproven") or {})

    def tell(self, unproven: Mapping[str, str]) -> None:
        """Warn of, or fail because of, versions that could not be proven. Raises SecretopsError."""
        text = "; ".join('secret "%s": %s' % pair for pair in sorted(unproven.items()))
        if not text:
            return
        text = "it is not proven that the %s holds the expected version: %s" % (self.target.label, text)
        if self.item.get("unproven") == "fail":
            raise SecretopsError(text, remedy="prove the value by expect_sha256, or set unproven to warn")
        self.warnings.append(text)


class ExternalSecrets(EsoKind):
    """ExternalSecrets."""

    module = "eso_externalsecret"
    plural = "external_secrets"
    title = "ExternalSecrets"
    task = "Declare what is synchronised"
    entry = EXTERNAL_SECRET_ENTRY
    classes = {EXTERNAL_SECRET.name: ExternalSecret}
    core = True
    forced = Sync

    def check_together(self, resources: Sequence[Any], beside: Mapping[str, Sequence[Any]]) -> None:
        check_targets(resources)

    def expect(self, client: Client, resources: Sequence[EsoObject]) -> Callable[[Any, bool], Expectation]:
        return Targets(client, [one.namespace for one in resources if one.desired is not None]).expect

    def describe(self, current: Mapping[str, Any]) -> dict[str, Any]:
        return describe_external_secret(current)

    def complete(
        self, client: Client, found: Sequence[tuple[Object, dict[str, Any]]], wanted: Mapping[str, Any]
    ) -> None:
        hold_against_targets(client, found)
        if wanted.get("target_keys"):
            targets = Targets(client)
            for one, entry in found:
                path = targets.path(target_of(one))
                held = client.get(path) if path else None
                entry["target_keys"] = sorted((held or {}).get("data") or {})
