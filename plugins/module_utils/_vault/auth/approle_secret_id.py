# Copyright: Contributors to the secretops.vault_eso project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# Private to this collection: what is here may change at any time. Other collections must not import it.
"""Secret IDs of AppRole roles, kept in private files.

Source: /api-docs/auth/approle.
"""

from __future__ import annotations

import datetime
import json
import os
import re
import threading
from collections.abc import Mapping, Sequence
from typing import Any

from ..._engine import normalise, private_file, wording
from ..._engine.errors import InvalidInput
from ..._engine.field import Field, normalisers
from ..._engine.resource import Change, Resource
from ..base.kind import Kind, RunContext
from ..base.naming import check_blocks, check_mount, masked
from ..base.normalisers import networks
from ..connection.client import Client
from ..connection.errors import BadRequest, Missing, NoNamespace, VaultError

FIELDS = (
    Field(
        "role",
        "Name of the AppRole role.",
        sent=False,
    ),
    Field(
        "dest",
        (
            "Path of the file for the secret ID; it gets mode 0600. A missing directory is created with mode 0700.",
            "With O(state=absent) the secret ID in it is destroyed and the file removed.",
        ),
        type="path",
        sent=False,
    ),
    Field(
        "mount",
        "Path of the auth method, without C(auth/).",
        default="approle",
        sent=False,
    ),
    Field(
        "role_id_dest",
        "Path of a file for the role ID, written and removed with O(dest).",
        type="path",
        sent=False,
    ),
    Field(
        "min_remaining",
        "Issue a new secret ID when the current one is valid for no longer than this duration.",
        default="0",
        sent=False,
    ),
    Field(
        "metadata",
        "Metadata of the secret ID, which audit logs show with each login.",
        type="dict",
        normaliser=normalise.string_map,
    ),
    Field(
        "cidr_list",
        "Address blocks from which the secret ID can be used; they must lie within those of the role.",
        type="list",
        elements="str",
        normaliser=networks,
    ),
    Field(
        "token_bound_cidrs",
        (
            "Address blocks from which the tokens that the secret ID gives can be used; they must lie within those of "
            "the role."
        ),
        type="list",
        elements="str",
        normaliser=networks,
    ),
    Field(
        "ttl",
        "TTL of the secret ID, a duration no longer than the role's C(secret_id_ttl).",
        normaliser=normalise.duration,
    ),
    Field(
        "num_uses",
        (
            "How often the secret ID can be used, no more than the role's C(secret_id_num_uses); V(0) is without "
            "limit. What is left is not compared."
        ),
        type="int",
        sent=False,
    ),
    Field(
        "wrap_ttl",
        (
            (
                "Wrap the secret ID, a duration. The file then holds a wrapping token that can be unwrapped once "
                "within this time."
            ),
            "Another one is issued as soon as the wrapping token was unwrapped or has expired.",
        ),
        sent=False,
    ),
    Field(
        "destroy_others",
        "Destroy all other secret IDs of the role.",
        type="bool",
        default=False,
        sent=False,
    ),
)
#: a transactional storage refuses all but one of the secret IDs of a role issued at the same moment (status 500)
_ISSUING = threading.Lock()


def instant(text: Any) -> datetime.datetime | None:
    """Return a time of the API, such as ``2026-11-21T19:15:27.687282545Z``; None without one."""
    match = re.match(r"(\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d)(?:\.\d+)?(Z|[+-]\d\d:\d\d)$", str(text or ""))
    if match is None or match.group(1).startswith("0001"):
        return None
    return datetime.datetime.fromisoformat(match.group(1) + match.group(2).replace("Z", "+00:00"))


class SecretId(Resource):
    """The secret ID in a file, issued when the file holds no valid one. Named by the file's path."""

    kind = "secret ID"
    rank = 30
    fields = {**normalisers(FIELDS), "wrapped": normalise.boolean}

    def __init__(self, client: Client, item: Mapping[str, Any]) -> None:
        self.client = client
        self.item = item
        self.dest = os.path.abspath(str(item["dest"]))
        self.role_id_dest = os.path.abspath(item["role_id_dest"]) if item.get("role_id_dest") else None
        self.base = "auth/%s/role/%s" % (
            normalise.path(item.get("mount") or "approle"),
            str(item["role"]).strip().lower(),
        )
        desired: dict[str, Any] | None = None
        if item.get("state") != "absent":
            desired = {
                "role": item["role"],
                "valid": True,
                "file_mode": "0600",
                "metadata": item.get("metadata"),
                "cidr_list": item.get("cidr_list"),
                "token_bound_cidrs": item.get("token_bound_cidrs"),
                "ttl": item.get("ttl"),
                "role_id": "current" if self.role_id_dest else None,
                "others": 0 if item.get("destroy_others") else None,
            }
            if item.get("wrap_ttl"):
                # looking at a wrapped secret ID would consume it
                for name in ("metadata", "cidr_list", "token_bound_cidrs", "ttl"):
                    desired[name] = None
        super().__init__(self.dest, desired)
        self._secret: str | None = None
        self._accessor = ""
        self._others: list[str] = []
        self._role_id: str | None = None

    @property
    def wrapped(self) -> bool:
        """Whether the file holds a wrapping token."""
        return bool(self.item.get("wrap_ttl"))

    def check(self) -> None:
        check_mount(
            normalise.path(self.item.get("mount") or "approle"), 'write it like "approle"', "mount", blanks=True
        )
        role = str(self.item["role"]).strip()
        if not role or re.search(r"[\s/?#%]", role):
            raise InvalidInput('"%s" is not a role name' % role, remedy="correct it")
        if self.role_id_dest == self.dest:
            raise InvalidInput('"dest" and "role_id_dest" are the same file', remedy="name two files")
        for name in ("ttl", "wrap_ttl"):
            value = normalise.seconds(self.item.get(name))
            if value is not None and value < 0:
                raise InvalidInput("%s is negative" % name, remedy="give a duration, such as 24h")
        ttl, remaining = normalise.seconds(self.item.get("ttl")), normalise.seconds(self.item.get("min_remaining"))
        if ttl and remaining and remaining >= ttl:
            raise InvalidInput(
                "min_remaining is not shorter than ttl, so each run would issue another",
                remedy="correct one of the two",
            )
        for name in ("cidr_list", "token_bound_cidrs"):
            check_blocks(name, self.item.get(name) or ())
        if self.wrapped and self.item.get("destroy_others"):
            raise InvalidInput(
                '"wrap_ttl" and "destroy_others" contradict each other',
                remedy="a wrapped secret ID cannot be told from the others: remove one of the two",
            )

    # -- reading ------------------------------------------------------------------------------------------------------

    def read(self) -> Mapping[str, Any] | None:
        self._secret = private_file.read(self.dest)
        self._read_role_id()
        if self._secret is None:
            return None
        if self.desired is None:
            return {"role": self.item["role"], "valid": True}
        mode = "0600" if private_file.is_private(self.dest) else "open to others"
        current: dict[str, Any] = {"role": self.item["role"], "file_mode": mode, "valid": True}
        current.update(self._look_wrapped() if self.wrapped else self._look())
        if self.role_id_dest:
            same = self._role_id is not None and private_file.read(self.role_id_dest) == self._role_id
            current["role_id"] = "current" if same else "missing or another"
        if self.item.get("destroy_others"):
            self._others = [one for one in self.client.list(self.base + "/secret-id") if one != self._accessor]
            current["others"] = len(self._others)
        return current

    def _read_role_id(self) -> None:
        if self.role_id_dest and self.desired is not None:
            self._role_id = (self.client.read(self.base + "/role-id") or {}).get("role_id")

    def _look(self) -> dict[str, Any]:
        """Return the server's lookup of the secret ID in the file; ``valid`` is False when it is unknown."""
        data = self._lookup(str(self._secret))
        if not data:
            return {"valid": False}
        self._accessor = str(data.get("secret_id_accessor") or "")
        expires = instant(data.get("expiration_time"))
        state: dict[str, Any] = {
            "valid": True,
            "metadata": data.get("metadata") or {},
            "cidr_list": data.get("cidr_list") or [],
            "token_bound_cidrs": data.get("token_bound_cidrs") or [],
            "ttl": data.get("secret_id_ttl"),
        }
        if expires is not None:
            left = (expires - datetime.datetime.now(datetime.timezone.utc)).total_seconds()
            self.info["expires"] = expires.isoformat()
            if left <= (normalise.seconds(self.item.get("min_remaining")) or 0):
                state["valid"] = False
        return state

    def _lookup(self, secret: str) -> dict[str, Any]:
        try:
            data = self.client.write(self.base + "/secret-id/lookup", {"secret_id": secret})
        except NoNamespace:
            raise
        except Missing:
            # the auth method does not exist yet
            return {}
        except BadRequest as error:
            # the role does not exist yet
            if wording.approle_unknown(error.said):
                return {}
            raise
        return dict(data.get("data") or {})

    def _look_wrapped(self) -> dict[str, Any]:
        """Return whether the wrapping token in the file can still be unwrapped and is valid for long enough."""
        try:
            data = self.client.write("sys/wrapping/lookup", {"token": self._secret}).get("data") or {}
        except BadRequest:
            return {"valid": False}
        made, ttl = instant(data.get("creation_time")), normalise.seconds(data.get("creation_ttl")) or 0
        if not str(data.get("creation_path") or "").startswith(self.base + "/"):
            return {"valid": False}
        if made is not None:
            end = made + datetime.timedelta(seconds=ttl)
            left = (end - datetime.datetime.now(datetime.timezone.utc)).total_seconds()
            return {"valid": left > (normalise.seconds(self.item.get("min_remaining")) or 0)}
        return {"valid": True}

    def compare(self, current: Mapping[str, Any], desired: Mapping[str, Any]) -> list[str]:
        if not current["valid"]:
            # nothing else is known about it
            return sorted({"valid"} | ({"role_id"} & set(super().compare(current, desired))))
        return super().compare(current, desired)

    # -- writing ------------------------------------------------------------------------------------------------------

    def write(self, change: Change) -> None:
        for path, option in ((self.dest, "dest"), (self.role_id_dest, "role_id_dest")):
            if path:
                private_file.prepare(path, option)
        if self.role_id_dest and (change.current is None or "role_id" in change.fields):
            if self._role_id is None:
                self._read_role_id()
            if self._role_id is None:
                raise VaultError("does not exist", self.base, "declare the role with vault_auth_role")
            private_file.write(self.role_id_dest, self._role_id)
            change.touched = True
        if change.current is None or set(change.fields) & {
            *("valid", "metadata", "cidr_list", "token_bound_cidrs", "ttl")
        }:
            self._issue()
            change.touched = True
        elif "file_mode" in change.fields:
            private_file.write(self.dest, str(self._secret))
            change.touched = True
        if self.item.get("destroy_others"):
            self._destroy_others()

    def _issue(self) -> None:
        body: dict[str, Any] = {}
        if self.item.get("metadata"):
            body["metadata"] = json.dumps(normalise.string_map(self.item["metadata"]))
        if self.item.get("cidr_list"):
            # the server requires a mask for a single address too
            body["cidr_list"] = masked(self.item["cidr_list"])
        if self.item.get("token_bound_cidrs"):
            body["token_bound_cidrs"] = masked(self.item["token_bound_cidrs"])
        if self.item.get("ttl"):
            body["ttl"] = "%ss" % normalise.seconds(self.item["ttl"])
        if self.item.get("num_uses") is not None:
            body["num_uses"] = self.item["num_uses"]
        headers = {"X-Vault-Wrap-TTL": "%s" % normalise.seconds(self.item["wrap_ttl"])} if self.wrapped else None
        # never retried: each attempt that reaches the server leaves a secret ID there
        with _ISSUING:
            answer = (
                self.client.request("POST", self.base + "/secret-id", body, idempotent=False, headers=headers) or {}
            )
        if self.wrapped:
            self._secret = str((answer.get("wrap_info") or {})["token"])
        else:
            data = answer.get("data") or {}
            self._secret, self._accessor = str(data["secret_id"]), str(data["secret_id_accessor"])
            left = normalise.seconds(data.get("secret_id_ttl")) or 0
            if self.item.get("ttl") and left != normalise.seconds(self.item["ttl"]):
                self.warnings.append("the server grants a TTL of only %s seconds: declare that one" % left)
            if left:
                end = datetime.datetime.now(datetime.timezone.utc) + datetime.timedelta(seconds=left)
                self.info["expires"] = end.replace(microsecond=0).isoformat()
            else:
                self.info.pop("expires", None)
        try:
            private_file.write(self.dest, self._secret)
        except BaseException:
            # also on a signal: nobody would know this secret ID
            self._destroy(self._secret)
            raise

    def _destroy_others(self) -> None:
        for accessor in self.client.list(self.base + "/secret-id"):
            if accessor != self._accessor:
                self.client.write(self.base + "/secret-id-accessor/destroy", {"secret_id_accessor": accessor})

    def _destroy(self, secret: str) -> None:
        """Destroy a secret ID, or the one in a wrapping token; an unknown one is not an error."""
        try:
            if self._lookup(secret):
                self.client.write(self.base + "/secret-id/destroy", {"secret_id": secret})
                return
            inner = self.client.request("POST", "sys/wrapping/unwrap", {"token": secret}, idempotent=False) or {}
            secret = str((inner.get("data") or {}).get("secret_id") or "")
            if secret:
                self.client.write(self.base + "/secret-id/destroy", {"secret_id": secret})
        except BadRequest:
            # neither a valid secret ID nor a wrapping token: nothing to destroy
            return

    def delete(self, change: Change) -> None:
        if self._secret:
            self._destroy(self._secret)
        private_file.remove(self.dest)
        if self.role_id_dest:
            private_file.remove(self.role_id_dest)


class ApproleSecretIds(Kind):
    """Secret IDs in files."""

    about = "AppRole secret IDs that are kept in private files of the controller"
    tag = "auth"
    module = "vault_approle_secret_id"
    plural = "secret_ids"
    fields = FIELDS
    required = ("role", "dest")
    unlisted = "they are local files, and the server lists accessors only"

    def resources(self, client: Client, items: Sequence[Mapping[str, Any]], context: RunContext) -> list[Any]:
        return [SecretId(client, item) for item in items]
