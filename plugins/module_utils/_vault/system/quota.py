# Copyright: Contributors to the secretops.vault_eso project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# Private to this collection: what is here may change at any time. Other collections must not import it.
"""Quotas: how many requests, and how many leases. Source: /api-docs/system/rate-limit-quotas, /lease-count-quotas."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from functools import partial
from typing import Any

from ..._engine import normalise
from ..._engine.errors import InvalidInput
from ..._engine.field import Field, duration_names, normalisers
from ..._engine.resource import UPDATE, Change, Resource
from ..base import purge, root_namespace
from ..base.kind import PURGE, Kind, RunContext
from ..base.listing import Listing
from ..base.naming import check_plain
from ..connection.answers import data_of
from ..connection.client import Client
from ..connection.errors import Missing, NoApi, VaultError

AT_ROOT = 'leave "namespace" (in a tree "inside") out, and put it before the mount in "path"'


def number(value: Any) -> Any:
    """Return a rate as a number."""
    return float(value) if value not in (None, "") else None


def ask(client: Client, method: str, path: str) -> dict[str, Any] | None:
    """Return the data of an answer, None for what does not exist.

    Raises InvalidInput where the server has no quotas of this type, or none in this namespace.
    """
    kind = path.split("/")[2]
    try:
        return data_of(root_namespace.request(client, method, path, "quotas", AT_ROOT))
    except NoApi as error:
        raise InvalidInput(
            "this server has no %s quotas" % kind, remedy="they need HashiCorp Vault Enterprise"
        ) from error
    except Missing as error:
        if error.container:
            raise
        return None


FIELDS: Sequence[Field] = (
    Field("name", "Name of the quota.", sent=False),
    Field(
        "type",
        "Whether requests or leases are limited.",
        choices=("rate-limit", "lease-count"),
        default="rate-limit",
        sent=False,
    ),
    Field(
        "path",
        (
            (
                "What is limited, a namespace, a mount or a path in it, such as V(payments/), V(secret/), "
                "V(auth/approle/) or V(payments/secret/)."
            ),
            "Empty for everything. The server has one quota for the same path and role.",
        ),
        normaliser=normalise.path,
    ),
    Field("role", "Role whose logins are limited; O(path) is then the mount of its auth method."),
    Field("inheritable", "Whether the quota of a namespace holds in the namespaces below it as well.", type="bool"),
    Field("rate", "How many requests are allowed in an interval, for V(rate-limit).", type="float", normaliser=number),
    Field(
        "interval",
        "The interval, a duration of a second or more, for V(rate-limit); by default a second.",
        normaliser=normalise.duration,
    ),
    Field(
        "block_interval",
        (
            "How long a client that exceeds the rate is refused, a duration, for V(rate-limit); V(0) for no longer "
            "than needed."
        ),
        normaliser=normalise.duration,
    ),
    Field("max_leases", "How many leases there may be, for V(lease-count).", type="int"),
)


#: fields that are times
TIMES = duration_names(FIELDS)


class Quota(Resource):
    """What both types have in common. A write replaces the whole quota, so what is not declared is sent along."""

    type = ""
    names: tuple[str, ...] = ()
    fields = normalisers(FIELDS)

    def __init__(self, client: Client, item: Mapping[str, Any]) -> None:
        self.client = client
        self.item = item
        desired = None if item["state"] == "absent" else {name: item.get(name) for name in self.names}
        super().__init__(normalise.path(item["name"]), desired)

    @property
    def _path(self) -> str:
        return "sys/quotas/%s/%s" % (self.type, self.name)

    def check(self) -> None:
        check_plain(self.name)
        if self.desired is None:
            return
        others = {"rate", "interval", "block_interval", "max_leases"} - set(self.names)
        for name in sorted(others):
            if self.item.get(name) is not None:
                raise InvalidInput('a %s quota has no "%s"' % (self.type, name), remedy="remove it")
        if self.desired.get("role") and not self.desired.get("path"):
            raise InvalidInput('"role" without the auth method that it is of', remedy='give its mount as "path"')

    def preflight(self) -> None:
        if self.client.namespace:
            # only the server knows whether it has quotas there; what it has is read later
            ask(self.client, "GET", self._path)

    def read(self) -> Mapping[str, Any] | None:
        data = ask(self.client, "GET", self._path)
        return None if data is None else {name: data[name] for name in self.names if data.get(name) is not None}

    def write(self, change: Change) -> None:
        desired = change.desired
        body = {**(change.current or {}), **desired}
        if "path" in desired and "inheritable" not in desired and "path" in change.fields:
            # its default hangs on the path
            body.pop("inheritable", None)
        if change.action == UPDATE and "role" in change.fields:
            # the server takes another role of a quota without a word, and keeps the old one
            self._replace(change, body)
        else:
            self._send(body)

    def _send(self, fields: Mapping[str, Any]) -> None:
        body = dict(fields)
        for name in TIMES:
            if name in body:
                body[name] = "%ss" % normalise.seconds(body[name])
        self.client.write(self._path, body)

    def _replace(self, change: Change, body: Mapping[str, Any]) -> None:
        self.client.delete(self._path)
        change.touched = True
        try:
            self._send(body)
        except VaultError:
            self._send(change.current or {})
            change.touched = False
            raise

    def delete(self, change: Change) -> None:
        self.client.delete(self._path)


class RateLimit(Quota):
    """How many requests a client may make."""

    kind = "rate-limit quota"
    type = "rate-limit"
    names = ("path", "role", "inheritable", "rate", "interval", "block_interval")

    def check(self) -> None:
        super().check()
        if self.desired is None:
            return
        rate = self.desired.get("rate")
        if rate is None or not 0 < rate < math.inf:
            raise InvalidInput('"rate" is missing or not above 0', remedy="give the number of requests per interval")
        if (normalise.seconds(self.desired.get("interval")) or 1) < 1:
            raise InvalidInput('"interval" is below a second', remedy="use a second or more")
        for name in TIMES:
            normalise.whole_seconds(self.desired.get(name))

    def resolve(self, current: Mapping[str, Any] | None) -> Mapping[str, Any]:
        desired = super().resolve(current)
        # the server's own
        return {**desired, "interval": "1s"} if normalise.seconds(desired.get("interval")) == 0 else desired


class LeaseCount(Quota):
    """How many leases there may be."""

    kind = "lease-count quota"
    type = "lease-count"
    names = ("path", "role", "inheritable", "max_leases")

    def check(self) -> None:
        super().check()
        if self.desired is not None and (self.desired.get("max_leases") or 0) <= 0:
            raise InvalidInput('"max_leases" is missing or not above 0', remedy="give the number of leases")


TYPES: dict[str, type[Quota]] = {one.type: one for one in (RateLimit, LeaseCount)}


def quota(client: Client, item: Mapping[str, Any]) -> Quota:
    """Return the resource for an item of either type."""
    return TYPES[item.get("type") or RateLimit.type](client, item)


def undeclared(client: Client, declared: list[Quota], context: RunContext) -> list[Quota]:
    """Return what deletes the quotas, of both types, that are neither declared nor protected."""
    found: list[Quota] = []
    for name, kind in TYPES.items():
        try:
            keys = (ask(client, "LIST", "sys/quotas/%s" % name) or {}).get("keys") or []
        except InvalidInput:
            if kind is RateLimit:
                raise
            continue
        alike = [one for one in declared if one.type == name]
        found += purge.undeclared(context, alike, keys, partial(kind, client))
    return found


class Quotas(Kind):
    """Rate limit and lease count quotas."""

    about = "Quotas"
    tag = "quotas"
    module = "vault_quota"
    plural = "quotas"
    fields = FIELDS
    options = PURGE
    # a quota of everything, and of a method whatever the role
    may_be_empty = ("path", "role")
    listings = tuple(
        Listing("sys/quotas/%s" % name, type=name, optional=kind is not RateLimit, at_root=True)
        for name, kind in TYPES.items()
    )

    # where a namespace is limited, its default is another
    exported_always = ("inheritable",)

    def resources(self, client: Client, items: Sequence[Mapping[str, Any]], context: RunContext) -> list[Any]:
        declared = [quota(client, item) for item in items]
        return [*declared, *(undeclared(client, declared, context) if context.purge else [])]
