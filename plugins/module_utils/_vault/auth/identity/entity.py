# Copyright: Contributors to the secretops.vault_eso project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# Private to this collection: what is here may change at any time. Other collections must not import it.
"""Entities of the identity store, with their aliases. Source: /api-docs/secret/identity (entity, entity-alias)."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from functools import partial
from typing import Any

from ...._engine import normalise
from ...._engine.errors import InvalidInput
from ...._engine.field import Field, normalisers
from ...._engine.resource import Change
from ...base import purge
from ...base.declaring import View
from ...base.kind import PURGE, Kind, RunContext
from ...base.listing import Found, Listing
from ...base.naming import check_metadata
from ...base.normalisers import lower_set
from ...connection.answers import data_of
from ...connection.client import Client
from ...connection.errors import PermissionDenied
from .common import Identity, check_alias
from .directory import Directory, exported_directory, mount_path

#: the server's name for an entity that a login created
AUTOMATIC = re.compile(r"entity_[0-9a-f]{8}(\..*)?")
FIELDS = (
    Field(
        "name",
        "Name of the entity. The server ignores case.",
        sent=False,
    ),
    Field(
        "policies",
        "Policies that every token of the entity has. A policy that does not exist is a warning.",
        type="list",
        elements="str",
        normaliser=lower_set,
    ),
    Field(
        "metadata",
        "Metadata as keys and texts, all of them.",
        type="dict",
        normaliser=normalise.string_map,
    ),
    Field(
        "disabled",
        "Whether tokens of the entity are refused.",
        type="bool",
    ),
    Field(
        "aliases",
        (
            "The entity's aliases, all of them. An alias that is not declared is removed.",
            ("An alias of another entity, such as one that a login created, moves here, with a warning."),
        ),
        type="list",
        elements="dict",
        fields=(
            Field(
                "name",
                (
                    "How the auth method calls the client, such as the UID of a service account, a role ID or a user "
                    "name."
                ),
                required=True,
            ),
            Field(
                "mount",
                "Path of the auth method. An entity has one alias in each.",
                required=True,
            ),
            Field(
                "custom_metadata",
                "Metadata of the alias as keys and texts, all of them.",
                type="dict",
            ),
        ),
        normaliser=normalise.plain,
    ),
)


class Entity(Identity):
    """One entity. ``aliases`` is a mapping from the auth method's path to the alias's ``name`` and metadata."""

    kind = "identity entity"
    what = "entity"
    rank = 0
    fields = normalisers(FIELDS)

    def __init__(self, directory: Directory, item: Mapping[str, Any]) -> None:
        super().__init__(directory, item)
        self._aliases: dict[str, Mapping[str, Any]] = {}

    def declared(self, item: Mapping[str, Any]) -> dict[str, Any]:
        desired = {name: item.get(name) for name in ("policies", "metadata", "disabled")}
        if item.get("aliases") is not None:
            desired["aliases"] = {mount_path(alias["mount"]): self._alias(alias) for alias in item["aliases"]}
        return desired

    @staticmethod
    def _alias(alias: Mapping[str, Any]) -> dict[str, Any]:
        wanted: dict[str, Any] = {"name": str(alias["name"])}
        if alias.get("custom_metadata") is not None:
            wanted["custom_metadata"] = normalise.string_map(alias["custom_metadata"])
        return wanted

    def check(self) -> None:
        super().check()
        wanted = (self.desired or {}).get("aliases") or {}
        if len(wanted) < len(self.item.get("aliases") or ()):
            raise InvalidInput(
                "two aliases of one auth method", remedy="keep one: an entity has one alias in each auth method"
            )
        for mount, alias in wanted.items():
            check_alias(mount, alias["name"])
            check_metadata(alias.get("custom_metadata"), "custom_metadata", empty=True)
            self.directory.claim(self, mount, alias["name"])

    def preflight(self) -> None:
        super().preflight()
        for mount in (self.desired or {}).get("aliases") or {}:
            self.directory.check_mount(self, mount)

    def read(self) -> Mapping[str, Any] | None:
        data = self.client.read(self.path)
        if data is not None:
            self.info["id"] = data.get("id")
        declared = (self.desired or {}).get("aliases")
        self._aliases = {}
        for alias in (data or {}).get("aliases") or []:
            mount = self.directory.mount(alias) if declared is not None else mount_path(alias.get("mount_path"))
            self._aliases[mount or str(alias.get("mount_accessor"))] = alias
        for mount, wanted in (declared or {}).items():
            if mount not in self._aliases or self._aliases[mount].get("name") != wanted["name"]:
                self._warn_of_owner(mount, wanted["name"])
        if data is None:
            return None
        current = {name: data.get(name) for name in ("policies", "metadata", "disabled")}
        current["aliases"] = {
            mount: self._comparable(alias, (declared or {}).get(mount)) for mount, alias in self._aliases.items()
        }
        return current

    @staticmethod
    def _comparable(alias: Mapping[str, Any], wanted: Mapping[str, Any] | None) -> dict[str, Any]:
        found: dict[str, Any] = {"name": alias.get("name")}
        if wanted is None or "custom_metadata" in wanted:
            found["custom_metadata"] = alias.get("custom_metadata") or {}
        return found

    def _warn_of_owner(self, mount: str, name: str) -> None:
        """Warn that an alias of another entity, such as one that a login created, moves to this one."""
        owner = self.directory.owner("entity", mount, name)
        if owner.get("id") and owner.get("id") != self.info.get("id"):
            self.warnings.append(
                'the alias "%s" of auth method "%s" moves here from entity "%s"' % (name, mount, owner.get("name"))
            )

    def write(self, change: Change) -> None:
        desired = change.desired
        own: dict[str, Any] = {name: desired[name] for name in ("policies", "metadata", "disabled") if name in desired}
        if "metadata" in own:
            own["metadata"] = normalise.string_map(own["metadata"])
        if change.current is None or set(own) & set(change.fields):
            answer = data_of(self.client.write(self.path, own))
            change.touched = True
            self.info.setdefault("id", answer.get("id"))
        if "aliases" in change.fields:
            self._write_aliases(change)

    def _write_aliases(self, change: Change) -> None:
        wanted = change.desired["aliases"]
        for mount, alias in self._aliases.items():
            if mount not in wanted:
                self.client.delete("identity/entity-alias/id/%s" % alias["id"])
                change.touched = True
        for mount, declared in wanted.items():
            current = self._aliases.get(mount)
            if current is not None and self._comparable(current, declared) == declared:
                continue
            body = {
                "name": declared["name"],
                "canonical_id": self.info["id"],
                "mount_accessor": self.directory.accessor(mount),
                "custom_metadata": declared.get("custom_metadata", (current or {}).get("custom_metadata") or {}),
            }
            if current is not None and current.get("name") != declared["name"]:
                with self.directory.moving:
                    self._rename(change, mount, body)
                continue
            self.client.write("identity/entity-alias%s" % ("/id/%s" % current["id"] if current else ""), body)
            change.touched = True

    def _rename(self, change: Change, mount: str, body: Mapping[str, Any]) -> None:
        """Rename the entity's alias: it has one alias in each auth method.

        The server renames an alias, but not to the name of another entity's alias; that alias moves here instead.
        """
        owner = self.directory.owner("entity", mount, body["name"])
        # read again: an entity that was written meanwhile may have taken the alias
        now = next(
            (
                one
                for one in (self.client.read(self.path) or {}).get("aliases") or []
                if self.directory.mount(one) == mount
            ),
            None,
        )
        moves = bool(owner.get("id")) and owner["id"] != body["canonical_id"]
        if moves and now is not None:
            self.client.delete("identity/entity-alias/id/%s" % now["id"])
            change.touched = True
            now = None
        self.client.write("identity/entity-alias%s" % ("/id/%s" % now["id"] if now else ""), body)
        change.touched = True


def deletable(directory: Directory, automatic: bool) -> list[str]:
    """Return the names of the entities that a purge may delete: never that of the module's own token.

    ``automatic``: also entities that a login created and nobody has renamed.
    """
    try:
        own = (directory.client.read("auth/token/lookup-self") or {}).get("entity_id")
    except PermissionDenied:
        own = None
    kept = directory.entities.name(own).lower() if own else ""
    return [
        name
        for name in directory.entities.names()
        if name.lower() != kept and (automatic or not AUTOMATIC.fullmatch(name))
    ]


class IdentityEntities(Kind):
    """Identity entities with their aliases."""

    about = "Identity entities"
    tag = "identity"
    module = "vault_identity_entity"
    plural = "entities"
    fields = FIELDS
    options = {**PURGE, "purge_automatic": {"type": "bool", "default": False}}
    listings = (Listing("identity/entity/name"),)

    def declaration(self, one: Found, view: View) -> dict[str, Any] | None:
        if AUTOMATIC.fullmatch(one.name):
            # the next login makes it again
            return None
        directory = exported_directory(view)
        told = dict(one.told or {})
        aliases = []
        for alias in told.pop("aliases", None) or []:
            metadata = {"custom_metadata": alias["custom_metadata"]} if alias.get("custom_metadata") else {}
            aliases.append({"name": alias.get("name"), "mount": directory.mount(alias), **metadata})
        told["aliases"] = sorted(aliases, key=lambda alias: str(alias["mount"]))
        return super().declaration(one.told_as(told), view)

    def resources(self, client: Client, items: Sequence[Mapping[str, Any]], context: RunContext) -> list[Any]:
        directory = Directory(client, context)
        declared = [Entity(directory, item) for item in items]
        if not context.purge:
            return declared
        existing = deletable(directory, context.params["purge_automatic"])
        return [*declared, *purge.undeclared(context, declared, existing, partial(Entity, directory), str.lower)]
