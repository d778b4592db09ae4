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
from .._kubernetes.client import METADATA_ONLY, Client
from .._kubernetes.errors import KubernetesError
from .._kubernetes.fields import compact
from .._kubernetes.kind import SECRET, Kind, Object
from .._kubernetes.waiting import Expectation
from .external_secret import EXTERNAL_SECRET
from .forced import Single, SyncRun
from .kind import GROUP, OPERATOR, EsoKind, EsoObject
from .push_spec import FIELDS, check_push_secret, push_secret_spec
from .push_versions import check_places, check_sources, filled_by_generator, places, regenerated, repeats
from .status import describe, expect_ready, synced
from .store import STORE
from .values import duration

#: never became v1
PUSH_SECRET = Kind("PushSecret", "pushsecrets", GROUP, ("v1alpha1",), True, OPERATOR)


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
