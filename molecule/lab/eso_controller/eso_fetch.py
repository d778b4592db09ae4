# Copyright: Contributors to the secretops.vault_eso project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Fetching what an ExternalSecret asks for: stores, data, dataFrom."""

from __future__ import annotations

import re
from typing import Callable

from eso_kube import Kube, Object, core
from eso_policy import is_ready, namespace_allowed, policy
from eso_values import (
    as_map,
    convert_keys,
    decode,
    dump_json,
    rewrite,
    select_property,
    validate_keys,
)
from eso_vault import NoSecret, VaultError, VaultSession, store_problem

Locate = Callable[..., str]  # kind, namespace, name -> API path of one of the operator's kinds
Notice = Callable[[str], None]  # reports a missing secret that the deletion policy tolerates


class Stores:
    """The store of one refresh, its session opened on first use; one is kept open at a time, as the operator does."""

    def __init__(
        self, kube: Kube, locate: Locate, namespace: str, controller_class: str, floodgate: bool = True
    ) -> None:
        self.kube, self.locate, self.namespace, self.controller_class = kube, locate, namespace, controller_class
        self.floodgate = floodgate  # refuse stores that are not Ready
        self.current: tuple[tuple[str, str, int], VaultSession] | None = None

    def session(self, reference: Object | None) -> VaultSession:
        """A logged-in session for a store reference. Raise VaultError when the store cannot be used."""
        reference = reference or {}
        kind, name = reference.get("kind") or "SecretStore", reference.get("name", "")
        if not name:
            raise VaultError("no store is referenced: set secretStoreRef.name")
        cluster = kind == "ClusterSecretStore"
        store = self.kube.find(self.locate(kind, "" if cluster else self.namespace, name))
        if store is None:
            raise VaultError(f'could not get {kind} "{name}", {kind}.external-secrets.io "{name}" not found')
        store.setdefault("kind", kind)
        if store["spec"].get("controller") not in (None, "", self.controller_class):
            raise VaultError("can not reference unmanaged store")
        if cluster and store["spec"].get("conditions"):
            namespace = self.kube.call("GET", core("namespaces", "", self.namespace))
            if not namespace_allowed(store, namespace):
                raise VaultError(
                    f'using cluster store "{name}" is not allowed from namespace "{self.namespace}": '
                    "denied by spec.condition"
                )
        if self.floodgate and not is_ready(store):
            raise VaultError(f'{kind} "{name}" is not ready')
        key = (kind, name, store["metadata"]["generation"])
        if self.current and self.current[0] == key:
            return self.current[1]
        self.close()
        problem = store_problem(store)
        if problem:
            raise VaultError(problem)
        session = VaultSession(
            self.kube, store["spec"]["provider"]["vault"], cluster, self.namespace, store["spec"].get("retrySettings")
        )
        self.current = (key, session)
        session.login()
        return session

    def close(self) -> None:
        """Revoke what was logged in. Raise VaultError when that fails."""
        current, self.current = self.current, None
        if current:
            current[1].close()


def get_secret(session: VaultSession, reference: Object) -> bytes:
    """One remoteRef: the whole secret as JSON or a property of it."""
    if reference.get("metadataPolicy") == "Fetch":
        if session.version == "v1":
            raise VaultError("cannot perform metadata fetch operations with kv version v1")
        found = session.metadata(reference["key"])
        return select_property(found, reference.get("property")) if found else b""
    return select_property(session.read(reference["key"], reference.get("version")), reference.get("property"))


def find_secrets(session: VaultSession, find: Object) -> dict[str, bytes]:
    """dataFrom.find: all secrets below a path whose name matches, or whose custom metadata has the tags."""
    if session.version == "v1" and find.get("tags") is not None:
        raise VaultError("cannot perform find by tag operations with kv version v1")
    names = session.list(find["path"] + "/" if find.get("path") else "")
    found: dict[str, bytes] = {}
    expression = (find.get("name") or {}).get("regexp")
    for name in names:
        if find.get("name") is not None:
            try:
                matches = re.search(expression or "", name) is not None
            except re.error as error:
                raise ValueError(f"find.name.regexp is not a regular expression: {error}") from None
        else:
            metadata = session.metadata(name)
            matches = all(metadata.get(tag) == value for tag, value in (find.get("tags") or {}).items())
        if matches:
            try:
                found[name] = dump_json(session.read(name)).encode()
            except NoSecret:
                continue
    return found


def fetch(
    es: Object, stores: Stores, generate: Callable[[Object, str], dict[str, bytes]], notice: Notice
) -> dict[str, bytes]:
    """Everything an ExternalSecret asks for. Raise ValueError or VaultError with the place and the cause."""
    spec, tolerant = es["spec"], policy(es, "deletionPolicy") != "Retain"
    values: dict[str, bytes] = {}
    for index, entry in enumerate(spec.get("dataFrom") or []):
        source = entry.get("sourceRef") or {}
        store = source.get("storeRef") or source.get("secretStoreRef") or spec.get("secretStoreRef")
        kind = (
            "find"
            if entry.get("find") is not None
            else "extract"
            if entry.get("extract") is not None
            else "sourceRef.generatorRef"
        )
        try:
            if source.get("generatorRef"):
                found = generate(source["generatorRef"], es["metadata"]["namespace"])
            elif kind == "find":
                found = find_secrets(stores.session(store), entry["find"])
            else:
                found = as_map(get_secret(stores.session(store), entry["extract"]))
            operations = entry.get("rewrite") or []
            found = rewrite(operations, found)
            options = entry.get(kind) or {}
            if not operations and not source.get("generatorRef"):
                found = convert_keys(options.get("conversionStrategy"), found)
            found = validate_keys(found)
            found = {key: decode(options.get("decodingStrategy"), value) for key, value in found.items()}
            _no_null_bytes(options, found)
        except (NoSecret, ValueError, VaultError) as error:
            if isinstance(error, NoSecret) and tolerant:
                notice(f"secret does not exist at provider using spec.dataFrom[{index}]")
                continue
            raise VaultError(f"error processing spec.dataFrom[{index}].{kind}, err: {error}") from None
        values.update(found)
    for index, entry in enumerate(spec.get("data") or []):
        reference = entry["remoteRef"]
        store = (entry.get("sourceRef") or {}).get("storeRef") or spec.get("secretStoreRef")
        try:
            value = decode(reference.get("decodingStrategy"), get_secret(stores.session(store), reference))
            _no_null_bytes(reference, {entry["secretKey"]: value})
        except (NoSecret, ValueError, VaultError) as error:
            if isinstance(error, NoSecret) and tolerant:
                notice(f"secret does not exist at provider using spec.dataFrom[{index}] (key={reference['key']})")
                continue
            raise VaultError(f"error processing spec.data[{index}] (key: {reference['key']}), err: {error}") from None
        values[entry["secretKey"]] = value
    return values


def _no_null_bytes(options: Object, values: dict[str, bytes]) -> None:
    if options.get("nullBytePolicy") == "Fail":
        for key in sorted(values):
            if b"\0" in values[key]:
                raise ValueError(f'fetched secret value for key "{key}" contains null bytes')
