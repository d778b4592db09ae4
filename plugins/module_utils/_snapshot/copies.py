# Copyright: Contributors to the secretops.vault_eso project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# Private to this collection: what is here may change at any time. Other collections must not import it.
"""Copies of a snapshot at other places: each a file, encrypted where that is asked for, and then its manifest.

The manifest is the record of the snapshot (JSON), with ``stored``: name, size, sha256 and encryption of the file there.
It is written last: a copy without one is not whole.
"""

from __future__ import annotations

import json
import os
import re
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from typing import Any, NamedTuple

from .._engine import private_file, progress
from .._engine.errors import InvalidInput
from . import encryption
from .archive import SUFFIX, UNFINISHED, inspect, sha256
from .places.base import NotAllowed, Place
from .record import order

MANIFEST = ".json"
#: a name that `file_name` made, with what encryption and the manifest add to it
_NAME = re.compile(r"(?P<cluster>.+)-(?P<time>\d{8}T\d{6}Z)-\d+\.snap(\.age|\.gpg)?(\.json)?")


def file_name(cluster: str, record: Mapping[str, Any]) -> str:
    """Return the name of a snapshot: cluster, time and index."""
    prefix = re.sub(r"[^A-Za-z0-9._-]", "-", cluster or "vault").lstrip(".-") or "vault"
    return "%s-%s-%d%s" % (prefix, re.sub(r"[-:]", "", record["time"]), record["index"], SUFFIX)


def records(place: Place, names: Sequence[str] | None = None) -> list[dict[str, Any]]:
    """Return the manifests of the whole copies at a place, the newest first. Raises PlaceError."""
    found = set(place.names() if names is None else names)
    wanted = [name for name in found if name.endswith(SUFFIX + MANIFEST) and _NAME.fullmatch(name)]
    made = []
    for name, text in place.texts(sorted(wanted)).items():
        try:
            record = json.loads(text)
        except ValueError:
            continue
        stored = record.get("stored") if isinstance(record, dict) else None
        if isinstance(stored, dict) and stored.get("name") in found and isinstance(record.get("index"), int):
            made.append({**record, "manifest": name})
    return sorted(made, key=order, reverse=True)


def superfluous(names: Sequence[str], found: Sequence[Mapping[str, Any]], cluster_id: Any, keep: int) -> list[str]:
    """Return the names of the files to remove so that the newest ``keep`` copies of a cluster stay. Pure.

    Those of other clusters stay, and so do files that are no copies. What an interrupted run left without a manifest
    goes when it is older than all that is kept.
    """
    mine = [one for one in found if one.get("cluster_id") == cluster_id]
    old = [name for one in mine[keep:] for name in (one["manifest"], one["stored"]["name"])]
    oldest = _NAME.fullmatch(mine[keep - 1]["manifest"]) if len(mine) >= keep else None
    if oldest is None:
        return old
    whole = {name for one in found for name in (one["manifest"], one["stored"]["name"])}
    for name in names:
        parts = _NAME.fullmatch(name)
        if parts and name not in whole and parts["cluster"] == oldest["cluster"] and parts["time"] < oldest["time"]:
            old.append(name)
    return old


def prune(place: Place, cluster_id: Any, keep: int) -> list[str]:
    """Remove copies beyond the newest ``keep`` of a cluster, and return the names of the files. Raises PlaceError."""
    names = place.names()
    old = superfluous(names, records(place, names), cluster_id, keep)
    for name in old:
        place.remove(name)
    return old


class Outgoing(NamedTuple):
    """A snapshot as it goes to each place, and its manifest: two local files, and their names there."""

    path: str
    name: str
    manifest_path: str
    manifest: str
    record: Mapping[str, Any]
    size: int
    sha256: str

    def put(self, place: Place, keep: int | None) -> dict[str, Any]:
        """Copy it to one place, then remove older ones there. Returns what was done. Raises PlaceError."""
        progress.tell("copying the snapshot to %s", place.label)
        read_back = place.put(self.path, self.name, self.sha256)
        place.put(self.manifest_path, self.manifest, sha256(self.manifest_path))
        pruned = prune(place, self.record.get("cluster_id"), keep) if keep is not None else []
        return {
            "url": place.label,
            "name": self.name,
            "size": self.size,
            "sha256": self.sha256,
            "read_back": read_back,
            "pruned": pruned,
        }


@contextmanager
def outgoing(path: str, name: str, record: Mapping[str, Any], how: encryption.Encryption) -> Iterator[Outgoing]:
    """Give a snapshot as it goes to places: encrypted once for all of them, in a file beside it that is removed again.

    Raises SecretopsError.
    """
    with ExitStack() as files:
        with private_file.writing(path):
            made = _outgoing(files, path, name, record, how)
        yield made


def _outgoing(
    files: ExitStack, path: str, name: str, record: Mapping[str, Any], how: encryption.Encryption
) -> Outgoing:
    sent = path
    if how.by:
        progress.tell("encrypting the snapshot by %s", how.by)
        sent = files.enter_context(private_file.unfinished(path, UNFINISHED))
        how.encrypt(path, sent)
    size, digest = os.path.getsize(sent), sha256(sent)
    stored = {"name": name + how.suffix, "size": size, "sha256": digest, "encrypted": how.by or None}
    manifest = files.enter_context(private_file.unfinished(path, UNFINISHED))
    with open(manifest, "w", encoding="utf-8") as file:
        file.write(json.dumps({**record, "stored": stored}, indent=2, sort_keys=True) + "\n")
    return Outgoing(sent, name + how.suffix, manifest, name + MANIFEST, record, size, digest)


def newest_index(place: Place, cluster_id: Any) -> tuple[int, str]:
    """Return index and name of the newest copy of a cluster; (0, "") where none is found, or none may be read."""
    try:
        mine = [one for one in records(place) if one.get("cluster_id") == cluster_id]
    except NotAllowed:
        return 0, ""
    return (int(mine[0]["index"]), str(mine[0]["stored"]["name"])) if mine else (0, "")


def choose(place: Place, cluster: str | None, name: str | None) -> tuple[dict[str, Any], list[str]]:
    """Return the manifest of the newest copy, of one cluster or one name, and the IDs of others that it may be of.

    A cluster that was built anew has the name of the lost one, and another ID. Raises InvalidInput, PlaceError.
    """
    every = found = records(place)
    if name:
        base = re.sub(r"(\.age|\.gpg)?(\.json)?$", "", name)
        found = [one for one in found if one["manifest"] == base + MANIFEST]
        if not found:
            raise InvalidInput('there is no whole copy "%s"' % name, place.where, "leave the name out, or correct it")
    if cluster:
        found = [
            one for one in found if cluster in (one.get("cluster"), one.get("cluster_name"), one.get("cluster_id"))
        ]
    if not found:
        of = ' of "%s"' % cluster if cluster else ""
        others = ", but of %s" % _clusters(every) if every else ""
        raise InvalidInput(
            "holds no snapshot%s%s" % (of, others), place.where, "save one first, or correct the address or the name"
        )
    others_ids = sorted({str(one.get("cluster_id")) for one in found} - {str(found[0].get("cluster_id"))})
    if others_ids and not name and not cluster:
        raise InvalidInput(
            "holds snapshots of several clusters (%s)" % _clusters(found), place.where, 'name one as "cluster"'
        )
    return found[0], others_ids


def _clusters(found: Sequence[Mapping[str, Any]]) -> str:
    return ", ".join(sorted({str(one.get("cluster") or one.get("cluster_name")) for one in found}))


def fetch(
    place: Place,
    record: Mapping[str, Any],
    path: str,
    identity: str | None,
    gnupg_home: str | None,
    seconds: float,
) -> None:
    """Bring a copy to a path, decrypted and verified. Raises SecretopsError.

    It gets its name only when it is what was saved; its record stands beside it as beside one that was saved there.
    """
    with private_file.writing(path), ExitStack() as files:
        whole = _fetched(files, place, record, path, identity, gnupg_home, seconds)
        plain = {name: value for name, value in record.items() if name not in ("stored", "manifest")}
        private_file.write(path + MANIFEST, json.dumps(plain, indent=2, sort_keys=True))
        private_file.rename(whole, path)


def _fetched(
    files: ExitStack,
    place: Place,
    record: Mapping[str, Any],
    path: str,
    identity: str | None,
    gnupg_home: str | None,
    seconds: float,
) -> str:
    """Return the path of an unfinished file with a whole copy."""
    stored = record["stored"]
    found = files.enter_context(private_file.unfinished(path, UNFINISHED))
    place.fetch(str(stored["name"]), found)
    if sha256(found) != stored.get("sha256"):
        raise InvalidInput(
            "%s is not what was saved: its checksum differs from its manifest's" % stored["name"],
            place.where,
            "fetch an older one by its name, and look at that storage",
        )
    if stored.get("encrypted"):
        encrypted, found = found, files.enter_context(private_file.unfinished(path, UNFINISHED))
        encryption.decrypt(str(stored["encrypted"]), encrypted, found, identity, gnupg_home, seconds)
    facts = inspect(found)
    for name in ("sha256", "index", "term"):
        if record.get(name) not in (None, facts[name]):
            raise InvalidInput(
                "the %s of %s is another than its manifest says" % (name, stored["name"]),
                place.where,
                "fetch an older one by its name",
            )
    return found
