# Copyright: Contributors to the secretops.vault_eso project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# Private to this collection: what is here may change at any time. Other collections must not import it.
"""ExternalSecrets: which values of Vault stand in which Secret."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Callable

from .._engine.errors import InvalidInput, SecretopsError
from .._engine.field import Field
from .._kubernetes.client import METADATA_ONLY, Client
from .._kubernetes.errors import Forbidden
from .._kubernetes.kind import SECRET, Kind, Object
from .._kubernetes.waiting import Expectation
from .forced import Contents, Single, SyncRun, changed_keys
from .kind import GROUP, OPERATOR, VERSIONS, EsoKind, EsoObject
from .secret_spec import SECRET_FIELDS, check_external_secret, external_secret_spec
from .status import describe, frozen, synced
from .store import STORE
from .targets import Target, Targets, hold_against_targets, target_of
from .values import duration

EXTERNAL_SECRET = Kind("ExternalSecret", "externalsecrets", GROUP, VERSIONS, True, OPERATOR)


FIELDS: Sequence[Field] = (
    Field("name", "Name of the ExternalSecret."),
    Field("namespace", "Its namespace, and that of its Secret."),
    Field("labels", "Labels of the object. Without a template the operator copies them to the Secret.", "dict"),
    Field(
        "annotations", "Annotations of the object. Without a template the operator copies them to the Secret.", "dict"
    ),
    Field("spec", "The whole spec, as a manifest has it. Excludes all options below but O(adopt).", "dict"),
    Field(
        "adopt",
        (
            (
                "Whether the operator may take over an existing Secret that nobody owns. It drops the "
                "Secret's other keys."
            ),
            "Without this such an ExternalSecret with the creation policy V(Owner) is refused.",
        ),
        "bool",
        default=False,
    ),
    *SECRET_FIELDS,
)


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


def store_of(spec: Mapping[str, Any]) -> dict[str, str]:
    """Return name and kind of the store that an ExternalSecret's spec names."""
    reference = spec.get("secretStoreRef") or {}
    return {"name": reference.get("name") or "", "kind": reference.get("kind") or STORE.name}


def describe_external_secret(current: Mapping[str, Any]) -> dict[str, Any]:
    """Describe an ExternalSecret for the survey."""
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
        self.before: Contents | None = None
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
        self.before = self.contents(self.run.contents.before, self.target)
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
        unproven = {proof.key: proof.confirm(after) for proof in self.proofs}
        if self.proofs:
            self.info["versions"] = {proof.key: proof.version for proof in self.proofs if not unproven[proof.key]}
            self.info["unproven"] = {key: reason for key, reason in unproven.items() if reason}
        self.info["proven"] = after is not None and not any(unproven.values())
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
    fields = FIELDS
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
                secret = client.get(path) if path else None
                entry["target_keys"] = sorted((secret or {}).get("data") or {})
