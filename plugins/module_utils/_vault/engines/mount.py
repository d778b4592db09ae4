# Copyright: Contributors to the secretops.vault_eso project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# Private to this collection: what is here may change at any time. Other collections must not import it.
"""Secrets engines: mounts, their tuning, and the configuration of KV version 2.

Source: /api-docs/system/mounts, /api-docs/secret/kv/kv-v2 (config).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import partial
from typing import Any

from ..._engine import normalise
from ..._engine.errors import InvalidInput
from ..._engine.resource import CREATE, Change, Resource
from ..base import purge
from ..base.declaring import View, declare, duration_text, placed
from ..base.kind import PURGE_DATA, Kind, RunContext
from ..base.listing import Found, Listing
from ..base.mounts import PROTECTED, EngineMounts, split_type
from ..base.naming import check_mount
from ..connection.client import Client
from ..connection.errors import PermissionDenied, VaultError
from .kv.waiting import patiently
from .mount_fields import CONFIG, FIELDS, FIXED, NORMALISERS, TTLS, TUNE, flatten, part, sent_tune, settings, ttl

#: tuning that the server accepts for its built-in mounts
OWN_TYPES = {"sys": "system"}
TUNABLE = frozenset(("sys", "identity", "cubbyhole"))
OWN = frozenset(("type", "tune.audit_non_hmac_request_keys", "tune.audit_non_hmac_response_keys"))
#: tuning that some products, editions and versions drop silently
UNSURE = frozenset(
    "tune." + name
    for name in ("allowed_managed_keys", "delegated_auth_accessors", "identity_token_key", "plugin_version")
)


def describe(kind: str, version: str = "") -> str:
    """Return a type's name for messages."""
    return "kv (version %s)" % version if kind == "kv" and version else kind


class Engine(Resource):
    """One secrets engine with its mount options, tuning and, for KV version 2, configuration."""

    kind = "secrets engine"
    holds_data = True
    fields = NORMALISERS

    def __init__(self, mounts: EngineMounts, item: Mapping[str, Any]) -> None:
        self.mounts = mounts
        self.client = mounts.client
        self.item = item
        self.declared = flatten(item)
        super().__init__(normalise.path(item["path"]), self.declared if item["state"] == "present" else None)

    def check(self) -> None:
        check_mount(self.name, 'write it like "secret" or "team/kv"')
        if self.name in TUNABLE:
            self._check_own()
        elif self.name.split("/")[0] == "auth":
            raise InvalidInput('"auth/" is where auth methods are', remedy="use another path, or the module vault_auth")
        elif self.name.split("/")[0] in PROTECTED:
            raise InvalidInput("the server's own mount cannot be managed", remedy="use another path")
        if self.desired is not None:
            self._check_declared(self.desired)

    def _check_own(self) -> None:
        """Refuse changes that the server's built-in mounts do not allow. Raises InvalidInput."""
        if self.desired is None:
            raise InvalidInput("the server's own mount cannot be removed", remedy="use another path")
        usual = OWN_TYPES.get(self.name, self.name)
        # inside a namespace these types have other names
        if self.declared["type"] not in ("", usual, "ns_" + usual):
            raise InvalidInput("the server's own mount is there", remedy="use another path")
        for name in sorted(set(self.desired) - OWN):
            raise InvalidInput(
                '"%s" of the server\'s own mount cannot be changed' % name.replace("tune.", ""),
                remedy='declare only "audit_non_hmac_request_keys" and "audit_non_hmac_response_keys" in "tune"',
            )

    def _check_declared(self, desired: Mapping[str, Any]) -> None:
        if not desired["type"] and self.name not in TUNABLE:
            raise InvalidInput('"type" is missing', remedy="say which engine is to be mounted, such as kv or pki")
        kind, version = split_type(self.item.get("type"))
        option = desired.get("options.version")
        if kind == "kv" and option not in (None, "1", "2"):
            raise InvalidInput('KV has no version "%s"' % option, remedy="use 1 or 2")
        if version and option != version:
            raise InvalidInput(
                'type "%s" and version "%s" contradict each other' % (self.item["type"], option),
                remedy="give one of the two",
            )
        if part(desired, "config") and (kind != "kv" or option == "1"):
            raise InvalidInput('"config" is for KV version 2 only', remedy='remove it, or use type "kv-v2"')
        for name, value in desired.items():
            if name in self.fields:
                self.fields[name](value)
        if desired.get("tune.plugin_version") == "":
            raise InvalidInput('"plugin_version" is empty', remedy='remove it from "tune", or give a version')
        for name in TTLS:
            value = ttl(desired.get("tune." + name)) or 0
            if value < 0:
                raise InvalidInput("%s is negative" % name, remedy="give a duration, such as 1h")
            normalise.whole_seconds(value)
        if not 0 <= (desired.get("config.max_versions") or 0) < 2**32:
            raise InvalidInput(
                '"max_versions" is not a number of versions', remedy="give 1 or more, or 0 for the default"
            )
        self._check_ttls(desired)

    @staticmethod
    def _check_ttls(after: Mapping[str, Any], more: str = "") -> None:
        default, longest = (ttl(after.get("tune." + name)) for name in TTLS)
        if default and longest and default > longest:
            raise InvalidInput("default_lease_ttl is longer than max_lease_ttl" + more, remedy="correct one of the two")

    def preflight(self) -> None:
        try:
            self._check_mount()
        except VaultError:
            # `read` reports missing permissions
            return

    def _check_mount(self) -> None:
        """Check the declaration against the current mount and the server's engines. Raises InvalidInput, VaultError."""
        entries = self.mounts.all()
        entry = entries.get(self.name)
        if entry is not None:
            self._check_type(settings(entry))
        if self.desired is None:
            return
        if entry is None:
            self._check_place(self.desired, entries)
        elif {"tune." + name for name in TTLS} & set(self.desired):
            self._check_ttls({**settings(entry), **self.desired}, ", with what the server has for the other")
        product, _version = self.mounts.product()
        for name, value in sorted(part(self.desired, "tune").items()):
            if product is not None and name in product.unknown_tune and self.fields["tune." + name](value):
                raise InvalidInput('%s does not know "%s"' % (product.title, name), remedy='remove it from "tune"')

    def read(self) -> Mapping[str, Any] | None:
        entry = self.mounts.all().get(self.name)
        self.info["path"] = self.name
        if entry is None:
            return None
        self.info.update(accessor=entry.get("accessor"), uuid=entry.get("uuid"))
        current = settings(entry)
        self.info["type"] = current["type"]
        if part(self.desired or {}, "config") and current.get("options.version") == "2":
            current.update(self._read_config())
        return current

    def resolve(self, current: Mapping[str, Any] | None) -> Mapping[str, Any]:
        desired = dict(self.desired or {})
        if current is not None:
            if current.get("options.version") == "2":
                self._check_config(desired, current)
            if self.name in TUNABLE:
                desired["type"] = current["type"]
        return desired

    def _read_config(self) -> dict[str, Any]:
        found = patiently(lambda: self.client.read("%s/config" % self.name)) or {}
        return {"config." + name: value for name, value in found.items()}

    @staticmethod
    def _check_config(desired: Mapping[str, Any], current: Mapping[str, Any]) -> None:
        """Refuse a setting that this server would drop silently. Raises InvalidInput."""
        for name in sorted(name for name in desired if name.startswith("config.") and name not in current):
            raise InvalidInput(
                'this server does not know "%s"' % name[len("config.") :], remedy='remove it from "config"'
            )

    def _check_place(self, desired: Mapping[str, Any], entries: Mapping[str, Mapping[str, Any]]) -> None:
        for path, other in entries.items():
            if path.startswith(self.name + "/") or self.name.startswith(path + "/"):
                raise InvalidInput(
                    'a secrets engine of type "%s" at "%s" is in the way of this one of type "%s"'
                    % (other.get("type"), path, desired["type"]),
                    remedy="use another path, or remove that one first",
                )
        if self.mounts.missing_plugin(desired["type"]):
            raise InvalidInput(
                'this server has no secrets engine of type "%s"' % desired["type"],
                remedy=("register a plugin of that name first, or use a product and version that has it built in"),
            )
        if part(desired, "config") and desired.get("options.version") != "2":
            raise InvalidInput(
                '"config" is for KV version 2, and a KV engine is of version 1 unless it is said',
                remedy='use type "kv-v2"',
            )

    def _check_type(self, current: Mapping[str, Any]) -> None:
        kind, version = current["type"], current.get("options.version", "1" if current["type"] == "kv" else "")
        wanted, declared = self.declared["type"], self.declared.get("options.version", "")
        if wanted and wanted != kind and self.name not in TUNABLE:
            raise InvalidInput(
                'a secrets engine of type "%s" is mounted there, and "%s" is declared'
                % (describe(kind, version), describe(wanted, declared)),
                remedy="use another path, or move or remove the other engine first (its data goes with it)",
            )
        if self.desired is None:
            return
        if kind == "kv" and declared and declared != version:
            if version == "2":
                raise InvalidInput(
                    "the engine is of KV version 2 and cannot go back to version 1",
                    remedy='declare version "2", or mount a new engine and copy the secrets',
                )
            if not self.item.get("upgrade"):
                raise InvalidInput(
                    "the engine is of KV version 1, and version 2 is declared; an upgrade stops it for a moment and "
                    "moves its API paths",
                    remedy='set "upgrade: true" when clients and policies are ready for it',
                )
        if part(self.desired, "config") and (declared or version) != "2":
            raise InvalidInput(
                '"config" is for KV version 2, and the engine is of version 1',
                remedy='remove it, or declare version "2" with "upgrade: true"',
            )
        for name in FIXED:
            if name in self.desired and normalise.boolean(current.get(name)) != self.desired[name]:
                raise InvalidInput(
                    '"%s" is %s and cannot be changed after mounting'
                    % (name, normalise.scalar(bool(current.get(name)))),
                    remedy="correct the declaration, or move the data and mount the engine again",
                )

    def write(self, change: Change) -> None:
        desired = change.desired
        path = "sys/mounts/%s" % self.name
        if change.action == CREATE:
            body = {name: desired[name] for name in ("type", "description", *FIXED) if name in desired}
            body.update(options=part(desired, "options"), config=sent_tune(part(desired, "tune")))
            # never retried: a second attempt after a success answers "path is already in use"
            self.client.write(path, body, idempotent=False)
            change.touched = True
            self.info["type"] = desired["type"]
        else:
            tune = sent_tune(part(desired, "tune", change.fields))
            if "description" in change.fields:
                tune["description"] = desired["description"]
            if part(desired, "options", change.fields):
                tune["options"] = part(desired, "options")
            if tune:
                self.client.write(path + "/tune", tune)
                change.touched = True
        self._check_kept(change)
        config = normalise.spans(part(desired, "config", change.fields), ("delete_version_after",))
        if config:
            patiently(lambda: self.client.write("%s/config" % self.name, config))
            change.touched = True
            if "metadata_cas_required" in config:
                self._check_config(desired, self._read_config())
        elif desired.get("options.version") == "2" and desired["type"] == "kv":
            # later tasks must not find an engine that is still being prepared
            self._wait_ready()

    def _check_kept(self, change: Change) -> None:
        """Fail when the server dropped an option that its product may not have."""
        wanted = {name: value for name, value in change.desired.items() if name in UNSURE & set(change.fields)}
        if not wanted:
            return
        self.mounts.forget()
        dropped = normalise.differing(settings(self.mounts.all().get(self.name, {})), wanted, self.fields)
        if dropped:
            raise VaultError(
                "%s takes %s and does not keep it" % (self.mounts.server(), ", ".join('"%s"' % one for one in dropped)),
                "sys/mounts/%s" % self.name,
                'remove it from "tune": it is of another product, edition or version',
            )

    def _wait_ready(self) -> None:
        try:
            patiently(lambda: self.client.read("%s/config" % self.name))
        except PermissionDenied:
            self.warnings.append("the token may not read the engine's config, so nobody waited until it is ready")

    def delete(self, change: Change) -> None:
        self.client.delete("sys/mounts/%s" % self.name)


class SecretsEngines(Kind):
    """Secrets engines: mount, version, tuning."""

    about = "Secrets engines"
    tag = "engines"
    module = "vault_secrets_engine"
    plural = "engines"
    fields = FIELDS
    options = PURGE_DATA
    required = ("path",)
    listings = (Listing("sys/mounts", "map"),)

    def declaration(self, one: Found, view: View) -> dict[str, Any] | None:
        mounts: EngineMounts = view.once("engines", lambda: EngineMounts(view.client))
        told = one.told or {}
        tune = declare(TUNE, told.get("config") or {}, {})
        tune.update({name: duration_text(tune[name]) for name in TTLS if name in tune})
        # a version is declared where one was pinned, not the one that happens to run
        tune.update({"plugin_version": told["plugin_version"]} if told.get("plugin_version") else {})
        if mounts.protected(one.name):
            own = {name: value for name, value in tune.items() if "tune.%s" % name in OWN}
            return {**placed(self.fields, one), "tune": own} if own and one.name in TUNABLE else None
        item = {**placed(self.fields, one), **declare(self.fields, told, {})}
        kind, options = split_type(told.get("type"))[0], normalise.string_map(told.get("options"))
        item["type"] = kind
        if kind == "kv":
            version = options.pop("version", "1")
            item["type"] = "kv-v%s" % version
            if version == "2":
                found = patiently(lambda: view.client.read("%s/config" % one.name)) or {}
                config = declare(CONFIG, found, {})
                item.update({"config": config} if config else {})
        item.update({"options": options} if options else {})
        return {**item, **({"tune": tune} if tune else {})}

    def resources(self, client: Client, items: Sequence[Mapping[str, Any]], context: RunContext) -> list[Any]:
        mounts = EngineMounts(client)
        declared = [Engine(mounts, item) for item in items]
        if not context.purge:
            return declared
        # every engine holds data
        existing = [path for path in mounts.all() if not mounts.protected(path)]
        return [
            *declared,
            *purge.undeclared(
                context,
                declared,
                existing,
                partial(Engine, mounts),
                normalise.path,
                "the data of %s",
                by="path",
            ),
        ]
