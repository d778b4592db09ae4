# Copyright: Contributors to the secretops.vault_eso project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# Private to this collection: what is here may change at any time. Other collections must not import it.
"""Audit devices. Source: /api-docs/system/audit, /docs/configuration/audit (OpenBao)."""

from __future__ import annotations

import threading
from collections.abc import Mapping, Sequence
from functools import partial
from typing import Any

from ..._engine import normalise, wording
from ..._engine.errors import InvalidInput
from ..._engine.field import Field, normalisers, sent_names
from ..._engine.resource import UPDATE, Change, Resource
from ..base import purge, root_namespace
from ..base.declaring import Omitted, View
from ..base.kind import PURGE, Kind, RunContext
from ..base.listing import Found, Listing
from ..base.naming import check_mount
from ..connection.answers import data_of
from ..connection.client import Client
from ..connection.errors import BadRequest, VaultError

#: what each type cannot do without
NEEDED = {"file": ("file_path",), "socket": ("address",), "syslog": ()}
#: what an option means when it is left out
DEFAULTS: Mapping[str, Any] = {
    "log_raw": False,
    "elide_list_responses": False,
    "hmac_accessor": True,
    "format": "json",
    "prefix": "",
}
AT_ROOT = 'leave "namespace" (in a tree "inside") out'
IN_CONFIGURATION = 'declare it in "vault_server_audit" of the role vault_server'


def meaning(options: Any) -> dict[str, Any]:
    """Return options as the server understands them: texts, and nothing that is the default anyway."""
    found: dict[str, Any] = {}
    for name, value in (options or {}).items():
        plain = normalise.boolean(value) if isinstance(DEFAULTS.get(name), bool) else normalise.scalar(value)
        # the old name of the option
        key = "file_path" if name == "path" else str(name)
        if key == "mode" and plain:
            plain = normalise.file_mode(value)
        if DEFAULTS.get(key) != plain:
            found[key] = plain
    return found


FIELDS: Sequence[Field] = (
    Field("path", "Path of the device; by default its O(type).", sent=False),
    Field("type", "Type of the device. Needed unless it is to be absent.", choices=("file", "socket", "syslog")),
    Field("description", "Text for people."),
    Field("local", "Keep the device out of replication.", type="bool"),
    Field(
        "options",
        (
            (
                "Options of the device, all of them, such as C(file_path) and C(mode) of a file, C(address) of a "
                "socket, C(facility) and C(tag) of syslog."
            ),
            "The target must be writable for the server's user on every node.",
        ),
        type="dict",
        normaliser=meaning,
    ),
    Field(
        "replace",
        (
            "Permit to disable a device that differs and to enable it anew. While that is done another device must be "
            "writing, see O(remove_last)."
        ),
        type="bool",
        default=False,
        sent=False,
    ),
)


class Devices:
    """All audit devices, and what the server's configuration says of them; each read once."""

    def __init__(self, client: Client, remove_last: bool = False) -> None:
        self.client = client
        self.remove_last = remove_last
        #: devices are replaced one after the other, so that another one always writes
        self.one_at_a_time = threading.Lock()
        self._lock = threading.Lock()
        self._entries: dict[str, dict[str, Any]] | None = None
        self._settings: dict[str, Any] | None = None
        self._present: frozenset[str] = frozenset()
        self._absent: frozenset[str] = frozenset()

    def all(self) -> dict[str, dict[str, Any]]:
        """Return the devices by path without slashes at its ends. Raises InvalidInput in a namespace without any."""
        with self._lock:
            if self._entries is None:
                answer = root_namespace.request(self.client, "GET", "sys/audit", "audit devices", AT_ROOT)
                self._entries = {
                    normalise.path(path): entry
                    for path, entry in data_of(answer).items()
                    if isinstance(entry, dict) and "type" in entry
                }
            return self._entries

    def _configuration(self) -> dict[str, Any]:
        with self._lock:
            if self._settings is None:
                try:
                    self._settings = self.client.read("sys/config/state/sanitized") or {}
                except VaultError:
                    # who may not see it learns it from the server's refusal
                    self._settings = {}
            return self._settings

    def configured(self, path: str) -> bool:
        """Tell whether the device comes from the server's configuration, as far as the token lets us know."""
        return any(normalise.path(item.get("path")) == path for item in self._configuration().get("audits") or [])

    def refused(self) -> bool:
        """Tell whether the server says that it takes no devices by API."""
        return self._configuration().get("unsafe_allow_api_audit_creation") is False

    def arrange(self, devices: list[Device]) -> list[Device]:
        """Take in what is declared, so that each device knows whether others remain."""
        self._present = frozenset(item.name for item in devices if item.desired is not None)
        self._absent = frozenset(item.name for item in devices if item.desired is None)
        return devices

    def check_others(self, without: frozenset[str], doing: str) -> None:
        """Refuse to leave the server without any device, even for a moment. Raises InvalidInput."""
        if not self.remove_last and not (frozenset(self.all()) | self._present) - without:
            raise InvalidInput(
                "%s it leaves requests unaudited, as there is no other device" % doing,
                remedy='declare another one, or set "remove_last: true"',
            )

    def check_removal(self) -> None:
        """Refuse to remove the last devices. Raises InvalidInput."""
        self.check_others(self._absent, "removing")


class Device(Resource):
    """One audit device. The server cannot change one: a change means disabling it and enabling it anew."""

    kind = "audit device"
    rank = 0
    fields = normalisers(FIELDS)

    def __init__(self, devices: Devices, item: Mapping[str, Any]) -> None:
        self.devices = devices
        self.client = devices.client
        self.item = item
        desired = None
        if item["state"] != "absent":
            desired = {name: item.get(name) for name in sent_names(FIELDS)}
        super().__init__(normalise.path(item.get("path") or item.get("type")), desired)

    @property
    def _path(self) -> str:
        return "sys/audit/%s" % self.name

    def check(self) -> None:
        check_mount(self.name, "write it like file")
        if self.desired is None:
            return
        kind = self.desired.get("type")
        options = self.desired.get("options") or {}
        if options.get("mode") not in (None, ""):
            normalise.file_mode(options["mode"])
        if not kind:
            raise InvalidInput('"type" is missing', remedy="use %s" % ", ".join(sorted(NEEDED)))
        for name in NEEDED[kind]:
            if not meaning(options).get(name):
                raise InvalidInput('a %s device needs "%s" in its options' % (kind, name), remedy="give it")

    def preflight(self) -> None:
        if self.client.namespace:
            self.devices.all()

    def read(self) -> Mapping[str, Any] | None:
        entry = self.devices.all().get(self.name)
        if entry is None:
            if self.desired is not None and self.devices.refused():
                raise self._by_configuration("is missing")
            return None
        if self.desired is None:
            if self.devices.configured(self.name):
                raise InvalidInput(
                    "it comes from the server's configuration, and cannot be removed by API",
                    remedy='take it out of "vault_server_audit" of the role vault_server',
                )
            self.devices.check_removal()
        return {name: entry.get(name) for name in sent_names(FIELDS)}

    def resolve(self, current: Mapping[str, Any] | None) -> Mapping[str, Any]:
        desired = super().resolve(current)
        options = desired.get("options") or {}
        if options.get("mode") in (None, ""):
            return desired
        return {**desired, "options": {**options, "mode": normalise.file_mode(options["mode"])}}

    def _by_configuration(self, trouble: str) -> InvalidInput:
        return InvalidInput(
            "%s, and this server takes audit devices from its configuration only" % trouble, remedy=IN_CONFIGURATION
        )

    def compare(self, current: Mapping[str, Any], desired: Mapping[str, Any]) -> list[str]:
        names = super().compare(current, desired)
        if not names:
            return names
        trouble = "%s differs" % ", ".join('"%s"' % name for name in names)
        if self.devices.configured(self.name):
            raise InvalidInput(
                "%s, and it comes from the server's configuration" % trouble,
                remedy='change it in "vault_server_audit" of the role vault_server',
            )
        if self.devices.refused():
            raise self._by_configuration(trouble)
        if not self.item.get("replace"):
            raise InvalidInput(
                "%s, and a device cannot be changed" % trouble,
                remedy='set "replace: true" to have it disabled and enabled again, or declare what it is',
            )
        self.devices.check_others(frozenset((self.name,)), "replacing")
        # new ones first: they write while this one does not
        self.rank = 1
        return names

    def write(self, change: Change) -> None:
        desired = dict(change.desired)
        if change.action != UPDATE:
            # while one is set up, HashiCorp Vault answers 500 to whatever would be written to it
            with self.devices.one_at_a_time:
                self._enable(desired)
            return
        before = dict(change.current or {})
        with self.devices.one_at_a_time:
            self.client.delete(self._path)
            change.touched = True
            try:
                self._enable({**before, **desired})
            except VaultError:
                self._enable(before)
                change.touched = False
                raise

    def _enable(self, fields: Mapping[str, Any]) -> None:
        body = {name: value for name, value in fields.items() if value is not None}
        body["options"] = normalise.string_map(body.get("options"))
        try:
            # never repeated: the second answer to one that succeeded is "path already in use"
            self.client.write(self._path, body, method="PUT", idempotent=False)
        except BadRequest as error:
            if wording.audit_by_configuration(error.said):
                raise self._by_configuration("is missing") from error
            if wording.audit_target_not_ready(error.said):
                error.remedy = "make its target ready for the server's user on every node first"
            raise

    def delete(self, change: Change) -> None:
        try:
            self.client.delete(self._path)
        except BadRequest as error:
            if wording.audit_of_configuration(error.said):
                raise InvalidInput(
                    "it comes from the server's configuration, and cannot be removed by API",
                    remedy='take it out of "vault_server_audit" of the role vault_server',
                ) from error
            raise


OPTIONS = {
    **PURGE,
    "remove_last": {"type": "bool", "default": False},
}


class AuditDevices(Kind):
    """Audit devices."""

    about = "Audit devices by API"
    tag = "audit"
    module = "vault_audit"
    plural = "devices"
    fields = FIELDS
    options = OPTIONS
    required = ()
    mutually_exclusive = (("devices", "path"), ("devices", "type"))
    listings = (Listing("sys/audit", "map", at_root=True),)

    def declaration(self, one: Found, view: View) -> dict[str, Any] | None:
        devices: Devices = view.once("audit devices", lambda: Devices(view.client))
        if devices.configured(one.name):
            raise Omitted("it comes from the server's configuration, see vault_server_audit of the role vault_server")
        return super().declaration(one, view)

    def resources(self, client: Client, items: Sequence[Mapping[str, Any]], context: RunContext) -> list[Any]:
        devices = Devices(client, context.params["remove_last"])
        found = [Device(devices, item) for item in items]
        if context.purge:
            # those of the server's configuration cannot be removed
            existing = [path for path in devices.all() if not devices.configured(path)]
            found += purge.undeclared(context, found, existing, partial(Device, devices), normalise.path, by="path")
        return list(devices.arrange(found))
