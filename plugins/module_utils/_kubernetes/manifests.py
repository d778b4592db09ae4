# Copyright: Contributors to the secretops.vault_eso project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# Private to this collection: what is here may change at any time. Other collections must not import it.
"""Plain manifests of any kind: which of them differ from the cluster, and which exist. Changes nothing.

Whether an object differs is what a dry run of the API server says, so its defaults and its admission count.
"""

from __future__ import annotations

import copy
from collections.abc import Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any, Callable

from .._engine.errors import InvalidInput
from .client import APPLY_PATCH, JSON, MERGE_PATCH, METADATA_ONLY, Client
from .errors import KubernetesError
from .kind import SECRET, Kind, Object

#: requests at a time
WORKERS = 4


class Manifests:
    """Compares manifests with one cluster.

    With ``manager`` as server-side apply under that name would write them, without one as a merge patch would.
    """

    def __init__(self, client: Client, manager: str = "", force: bool = False) -> None:
        self.client = client
        self.manager = manager
        self.force = force
        self._kinds: dict[tuple[str, str], Kind | None] = {}

    def kind(self, api_version: str, name: str) -> Kind | None:
        """Return a kind, None when the API server does not serve it."""
        key = (api_version, name)
        if key not in self._kinds:
            self._kinds[key] = self.client.kind_of(api_version, name)
        return self._kinds[key]

    def differing(self, manifests: Sequence[Object]) -> list[int]:
        """Return the positions of the manifests that would change an object or create one.

        A manifest that the API server refuses counts as well: who writes it is told why. Raises InvalidInput, and
        KubernetesError where no other request would fare better.
        """
        return self._positions(manifests, self._differs)

    def existing(self, manifests: Sequence[Object]) -> list[int]:
        """Return the positions of the manifests whose object exists, or may not be read."""
        return self._positions(manifests, self._exists)

    def _positions(self, manifests: Sequence[Object], holds: Callable[[Object], bool]) -> list[int]:
        check(manifests)
        for one in manifests:
            self.kind(one["apiVersion"], one["kind"])
        with ThreadPoolExecutor(max_workers=WORKERS) as pool:
            return [position for position, found in enumerate(pool.map(holds, manifests)) if found]

    def _path(self, manifest: Object) -> str:
        """Return the path of a manifest's object, "" when its kind is not served."""
        kind = self.kind(manifest["apiVersion"], manifest["kind"])
        metadata = manifest["metadata"]
        return kind.path(kind.versions[0], metadata.get("namespace"), metadata["name"]) if kind else ""

    def _differs(self, manifest: Object) -> bool:
        path = self._path(manifest)
        if not path:
            return True
        # what a Secret holds is not read: its metadata tells which fields were applied
        accept = METADATA_ONLY if manifest["kind"] == SECRET.name else JSON
        try:
            current = self.client.get(path, accept=accept)
            return current is None or self._comparable(current) != self._comparable(
                self._dry_run(path, manifest, accept)
            )
        except KubernetesError as error:
            if error.ends_task:
                raise
            return True

    def _dry_run(self, path: str, manifest: Object, accept: str) -> Object:
        """Return the object as it would be. ``PATCH ...?dryRun=All``."""
        query, content_type = {"dryRun": "All"}, MERGE_PATCH
        if self.manager:
            query.update(fieldManager=self.manager, force=str(self.force).lower())
            content_type = APPLY_PATCH
        return self.client.request("PATCH", path, manifest, query, content_type=content_type, accept=accept) or {}

    def _comparable(self, found: Object) -> Object:
        """Return an object without what a dry run changes by itself."""
        one = copy.copy(found)
        metadata = dict(one["metadata"])
        metadata.pop("resourceVersion", None)
        fields = metadata.pop("managedFields", None) or []
        if self.manager:
            # a field that is not ours yet has the right value and is written all the same, to make it ours
            metadata["managedFields"] = [
                {name: value for name, value in entry.items() if name != "time"}
                for entry in sorted(fields, key=lambda entry: (str(entry.get("manager")), str(entry.get("operation"))))
            ]
        one["metadata"] = metadata
        return one

    def _exists(self, manifest: Object) -> bool:
        path = self._path(manifest)
        try:
            return bool(path) and self.client.get(path, accept=METADATA_ONLY) is not None
        except KubernetesError as error:
            if error.ends_task:
                raise
            return True


def check(manifests: Iterable[Any]) -> None:
    """Refuse entries that are not manifests. Raises InvalidInput."""
    for one in manifests:
        metadata = one.get("metadata") if isinstance(one, Mapping) else None
        if (
            not isinstance(metadata, Mapping)
            or not metadata.get("name")
            or not all(isinstance(one.get(name), str) and one[name] for name in ("apiVersion", "kind"))
        ):
            raise InvalidInput(
                "an entry is not a manifest", remedy="give each entry apiVersion, kind and metadata with a name"
            )
