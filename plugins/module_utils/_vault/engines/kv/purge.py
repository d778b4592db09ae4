# Copyright: Contributors to the secretops.vault_eso project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# Private to this collection: what is here may change at any time. Other collections must not import it.
"""The purge of KV mounts: deletes undeclared secrets."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from ...._engine import normalise
from ...._engine.errors import InvalidInput
from ...._engine.resource import Resource
from ...base.mounts import EngineMounts
from ...base.naming import in_url
from ...connection.client import Client
from .absent import Gone
from .secret import Secret
from .waiting import patiently


class Patterns:
    """Path patterns inside a mount: ``*`` and ``?`` match within one part, ``**`` matches any number of parts."""

    _SIGNS = {"**": ".*", "*": "[^/]*", "?": "[^/]"}

    def __init__(self, texts: Iterable[str]) -> None:
        self.texts = [normalise.path(text) for text in texts]
        self._expressions = [re.compile(self._expression(text), re.DOTALL) for text in self.texts if text]

    @classmethod
    def _expression(cls, text: str) -> str:
        return "".join(cls._SIGNS.get(part) or re.escape(part) for part in re.split(r"(\*\*|\*|\?)", text))

    def match(self, path: str) -> bool:
        """Tell whether a pattern matches this path."""
        return any(expression.fullmatch(path) for expression in self._expressions)

    def cover(self, path: str) -> bool:
        """Tell whether a pattern matches this path or one of its folders."""
        parts = path.split("/")
        return any(self.match("/".join(parts[:count])) for count in range(1, len(parts) + 1))

    def check_bounded(self, option: str) -> None:
        """Refuse a pattern that begins with a wildcard: it could match the whole mount. Raises InvalidInput."""
        for text in self.texts:
            if not text or re.search(r"[*?]", text.split("/")[0]):
                raise InvalidInput(
                    '"%s" could be about everything in the mount' % text,
                    'option "%s"' % option,
                    'begin with the name of a folder or secret, as in "legacy/**"',
                )


def names(client: Client, mount: str, entry: Mapping[str, Any]) -> list[str]:
    """Return the paths of all secrets of a mount, of which the server says ``entry``. Raises PermissionDenied."""
    version = 2 if str((entry.get("options") or {}).get("version", "1")) == "2" else 1
    return tree(client, mount, version, "", Patterns([]))


def tree(client: Client, mount: str, version: int, below: str, spared: Patterns, workers: int = 4) -> list[str]:
    """Return the sorted paths of all secrets of a mount, below a folder of it; one LIST for each folder.

    Folders that are spared as a whole are not listed. Raises PermissionDenied.
    """
    root = "%s/metadata" % mount if version == 2 else mount

    def look(folder: str) -> list[str]:
        url = "/".join(part for part in (root, in_url(folder)) if part)
        return [folder + "/" + name if folder else name for name in patiently(lambda: client.list(url + "/"))]

    found: list[str] = []
    folders = [below] if not below or not spared.cover(below) else []
    with ThreadPoolExecutor(max_workers=max(workers, 1)) as pool:
        while folders:
            entries = [entry for entries in pool.map(look, folders) for entry in entries]
            found += [entry for entry in entries if not entry.endswith("/")]
            folders = [entry[:-1] for entry in entries if entry.endswith("/") and not spared.cover(entry[:-1])]
    return sorted(path for path in found if not spared.cover(path))


class Unmounted(Resource):
    """A missing engine that a purge is to search, in check mode: it warns and does nothing."""

    kind = "KV engine"

    def __init__(self, mount: str) -> None:
        super().__init__(mount, None)
        self.warnings.append("nothing is mounted there (yet) for the purge to look into")

    def read(self) -> Mapping[str, Any] | None:
        return None


def places(
    mounts: EngineMounts, declared: Iterable[Secret], named: Iterable[str], planned: Iterable[str], check_mode: bool
) -> tuple[list[str], list[Resource]]:
    """Return the mounts that a purge searches, and resources that warn of missing ones.

    They are the ``named`` ones, else those of the declared secrets. A named one must be there, unless it is
    ``planned``: declared in the same tree; in check mode a missing one is a warning.
    Raises InvalidInput when no mount is known, or one is missing or no KV engine.
    """
    names = sorted({normalise.path(name) for name in named if normalise.path(name)})
    if not names:
        found = sorted({one.mount for one in declared})
        if found:
            return found, []
        raise InvalidInput(
            "a purge looks into the mounts of the declared secrets, and no secret is declared",
            'option "purge"',
            'name the mounts in "purge_mount"',
        )
    awaited = {normalise.path(path) for path in planned}
    warnings: list[Resource] = []
    for name in names:
        if mounts.require(name, "kv") is not None or name in awaited:
            continue
        if not check_mode:
            raise InvalidInput(
                "nothing is mounted there, and a purge is to look into it",
                'mount "%s"' % name,
                'correct "purge_mount" or "mount", or mount a KV engine first (module vault_secrets_engine)',
            )
        warnings.append(Unmounted(name))
    return names, warnings


def undeclared(
    mounts: EngineMounts, declared: Sequence[Secret], looked_into: Sequence[str], options: Mapping[str, Any]
) -> list[Secret]:
    """Return resources that delete the undeclared secrets of some mounts.

    ``options``: ``purge_below``, ``protected``, ``purge_data``, ``purge_delete``, ``workers`` as the module has them,
    for each of the mounts. A mount that does not exist holds nothing.
    Raises InvalidInput for secrets with data that are not named again in ``purge_data``, before anything is deleted.
    """
    named = Patterns(options.get("purge_data") or ())
    named.check_bounded("purge_data")
    extra = [one for mount in looked_into for one in _undeclared_in(mounts, declared, mount, options)]
    # softly deleted secrets are still listed, and hold nothing that another soft deletion could delete
    unnamed: dict[str, list[str]] = {}
    for one in extra:
        if not named.match(one.own) and one.read() is not None:
            unnamed.setdefault(one.mount, []).append(one.own)
    if unnamed:
        said = []
        for mount, paths in unnamed.items():
            more = " and %d more" % (len(paths) - 10) if len(paths) > 10 else ""
            said.append('%s%s in mount "%s"' % (", ".join('"%s"' % path for path in paths[:10]), more, mount))
        raise InvalidInput(
            "purge would delete the data of %s" % "; ".join(said),
            "secrets",
            'declare them, or name them in "protected" to keep them or in "purge_data" to delete them',
        )
    return [one for one in extra if named.match(one.own)]


def _undeclared_in(
    mounts: EngineMounts, declared: Sequence[Secret], mount: str, options: Mapping[str, Any]
) -> list[Secret]:
    """Return resources that delete the secrets of one mount that are neither declared nor protected."""
    below, how = normalise.path(options.get("purge_below")), options.get("purge_delete") or "soft"
    spared = Patterns(options.get("protected") or ())
    probe = Secret(mounts, {"mount": mount, "path": "-"}, None)
    if not probe.find():
        return []
    keep = {one.own for one in declared if one.mount == mount}
    paths = tree(mounts.client, mount, probe.version, below, spared, options.get("workers") or 4)
    return [
        Gone(mounts, {"mount": mount, "path": path, "state": "absent", "delete": how}, None)
        for path in paths
        if path not in keep
    ]
