# Copyright: Contributors to the secretops.vault_eso project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# Private to this collection: what is here may change at any time. Other collections must not import it.
"""What a login can reach: engines, the policies' paths, secrets and the names of their keys."""

from __future__ import annotations

from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from .._vault.connection.errors import PermissionDenied, VaultError
from .links import Broken, Need, Session, Untried, broken, has_property, metadata_values, quoted
from .logins import Logins

#: what the operator writes into managed-by of the metadata of a secret that it pushed
MANAGER = "external-secrets"
#: paths in one request to sys/capabilities-self
PATHS = 500


class Access:
    """Compares what is needed with what a login can reach."""

    def __init__(self, logins: Logins) -> None:
        self.logins = logins

    def check_paths(self, session: Session) -> None:
        """Compare what is needed with engines and policies."""
        vault = session.source.vault
        mounts = self.logins.remember(session.space, "sys/mounts", "engines are") if session.needs else None
        for need in session.needs:
            session.needs[need] = self._engine(mounts, vault, need) if mounts else None
        paths = sorted({need.path for need, error in session.needs.items() if error is None})
        if session.client is None or not paths:
            return
        granted: dict[str, list[str]] = {}
        try:
            for start in range(0, len(paths), PATHS):
                part = paths[start : start + PATHS]
                answer = session.client.write("sys/capabilities-self", {"paths": part})
                granted.update(answer.get("data") or answer)
        except PermissionDenied:
            self.logins.say(
                "%s: its policies do not let it ask for its capabilities: paths are tried instead"
                % session.source.label
            )
            return
        for need, error in session.needs.items():
            allowed, needed = set(granted.get(need.path) or []), set(need.capabilities)
            enough = "root" in allowed or (needed <= allowed if need.every else bool(needed & allowed))
            if error is None and not enough:
                session.needs[need] = self._denied(session, need)

    @staticmethod
    def _denied(session: Session, need: Need) -> Broken:
        verb = {"read": "read", "list": "list", "delete": "delete"}.get(need.capabilities[0], "write to")
        if need.every:
            verb = "%s and %s" % (", ".join(need.capabilities[:-1]), need.capabilities[-1])
        whose = 'role "%s"' % session.role if session.role else session.source.label
        where = session.where if session.mount else session.source.label
        return broken(
            "policy",
            'the policies of %s (%s) do not let it %s "%s"'
            % (whose, ", ".join(session.policies) or "none", verb, need.path),
            where,
            'add path "%s" { capabilities = [%s] } to one of them' % (need.path, quoted(need.capabilities)),
        )

    @staticmethod
    def _engine(mounts: Mapping[str, Any], vault: Mapping[str, Any], need: Need) -> Broken | None:
        mount = max((path for path in mounts if (need.path + "/").startswith(path)), key=len, default="")
        if not mount:
            name = str(vault.get("path") or need.path.partition("/")[0])
            return broken(
                "engine", "no secrets engine is mounted there", name, "mount it, or correct path in the store"
            )
        if not need.what:
            return None
        engine, version = mounts[mount] or {}, vault.get("version") or "v2"
        actual = "v%s" % ((engine.get("options") or {}).get("version") or "1")
        if engine.get("type") not in ("kv", "generic"):
            return broken(
                "engine",
                'it is of the type "%s", and the provider reads KV only' % engine.get("type"),
                mount.rstrip("/"),
                "declare a VaultDynamicSecret generator and use it in data_from by source_ref.generator_ref",
            )
        if actual != version:
            return broken(
                "engine",
                "it is KV version %s, but the store says %s" % (actual[1:], version),
                mount.rstrip("/"),
                "set version to %s in the store" % actual,
            )
        return None

    def check_contents(self, session: Session, pool: ThreadPoolExecutor) -> None:
        """Read each distinct secret once, with the operator's login where there is one."""
        places: dict[tuple[str, str, str], list[Need]] = {}
        for need, error in session.needs.items():
            if error is None and need.what:
                places.setdefault((need.path, need.version, need.what), []).append(need)

        def look(item: tuple[tuple[str, str, str], list[Need]]) -> None:
            (path, version, what), wanted = item
            try:
                data = self._contents(session, path, version, what)
            except Untried as error:
                self.logins.say("%s: not verified: %s" % (path, error))
                return
            except Broken as error:
                for need in wanted:
                    session.needs[need] = None if need.tolerated and error.link == "secret" else error
                return
            for need in wanted:
                if need.property and not has_property(data, need.property):
                    session.needs[need] = broken(
                        "property",
                        'it has no key "%s", only %s' % (need.property, quoted(sorted(data)[:12]) or "none at all"),
                        'secret "%s"' % path,
                        "write it, or correct property",
                    )

        list(pool.map(look, list(places.items())))

    def _contents(self, session: Session, path: str, version: str, what: str) -> Mapping[str, Any]:
        client = session.client or self.logins.vault.within(session.space)
        where = 'secret "%s"' % path
        try:
            if what == "folder":
                if not client.list(path):
                    raise broken("secret", "nothing is below it", 'folder "%s"' % path, "correct find.path")
                return {}
            data = client.read(path, {"version": version} if version else None)
        except PermissionDenied as error:
            if session.client is None:
                raise Untried(str(error)) from error
            raise self._denied(session, Need(path, ("list" if what == "folder" else "read",), what)) from error
        except VaultError as error:
            if not error.status or error.status >= 500:
                raise
            raise broken("secret", error.what, where, error.remedy or "look at the engine") from error
        if what == "pushed":
            owner = ((data or {}).get("custom_metadata") or {}).get("managed-by")
            if data is not None and owner != MANAGER:
                raise broken(
                    "secret",
                    "it is there already and not managed by %s: the operator does not overwrite it" % MANAGER,
                    where,
                    "push to another key, or set its custom_metadata managed-by to %s if it is to be overwritten"
                    % MANAGER,
                )
            return {}
        if data is None:
            which = "does not exist" if not version else "has no version %s" % version
            raise broken("secret", which, where, "write it, or correct the key")
        if what == "metadata":
            return metadata_values(data)
        if (session.source.vault.get("version") or "v2") == "v1":
            return data
        if data.get("data") is None:
            which = "version %s" % version if version else "its newest version"
            raise broken("secret", "%s is deleted" % which, where, "undelete it, or write a new one")
        return dict(data["data"])
