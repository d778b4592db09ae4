# Copyright: Contributors to the secretops.vault_eso project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# Private to this collection: what is here may change at any time. Other collections must not import it.
"""A restore that is tried: into a scratch server that reaches nothing. No server of the inventory is asked."""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

from ..._engine import progress
from ..._engine.errors import InvalidInput, SecretopsError
from ..._engine.resource import Change
from ..._snapshot.record import age
from ..connection.client import Client
from ..connection.errors import VaultError
from .scratch import Scratch, describe, find_binary, isolated
from .snapshot_fitness import unfit
from .snapshot_restore import Verified
from .snapshot_transfer import transfer


def text_of(seconds: int) -> str:
    """Return a duration as people say it: the two largest units."""
    parts = []
    for size, unit in ((86400, "d"), (3600, "h"), (60, "min"), (1, "s")):
        if seconds >= size:
            parts.append("%d %s" % (seconds // size, unit))
            seconds %= size
    return " ".join(parts[:2]) or "0 s"


class Drilled(Verified):
    """A snapshot that a scratch server was put back to, unsealed, and read from."""

    kind = "drill"

    def __init__(self, params: Mapping[str, Any]) -> None:
        super().__init__(params)
        self.desired = {"drilled": True}
        self.phases: dict[str, float] = {}

    @contextmanager
    def _phase(self, name: str) -> Iterator[None]:
        began = time.monotonic()
        progress.tell("drill: %s", name)
        yield
        self.phases[name] = round(time.monotonic() - began, 2)

    def check(self) -> None:
        super().check()
        if not self.params["key_stores"]:
            raise InvalidInput(
                "no key shares are named", remedy='name the cluster\'s key store in "key_stores": the data is sealed'
            )

    def read(self) -> Mapping[str, Any] | None:
        with self._phase("verify"):
            super().read()
        self.info["age"] = age(self.info)
        limit = self.params["max_age"]
        if limit and self.info["age"] is None:
            raise InvalidInput(
                "its age is not known, because no manifest is beside it", remedy="save one with a manifest"
            )
        if limit and self.info["age"] > limit:
            raise InvalidInput(
                "is %s old, and may be %s" % (text_of(self.info["age"]), text_of(limit)),
                remedy="see why no newer one was saved, and save one",
            )
        self.binary = find_binary(self.params["binary"])
        self.program = describe(self.binary)
        problem = unfit(self.info, self.program)
        if problem:
            raise InvalidInput(problem.what, remedy='name a program of the cluster\'s version by "binary"')
        seal = self.info.get("seal_type") or "shamir"
        if seal != "shamir":
            raise InvalidInput(
                'is under the seal "%s", whose key a server that reaches nothing cannot ask for' % seal,
                remedy="try it in a test cluster with that seal",
            )
        self._fitting_stores()
        if not self.info["key_stores"]:
            raise InvalidInput(
                "none of the key shares in %s are for it: it is of %s"
                % (", ".join(self.params["key_stores"]), self._cluster()),
                remedy="if that is the right cluster, name the key store of that time, with shares in clear",
            )
        return None

    def _cluster(self) -> str:
        named = self.info.get("cluster_name")
        return "cluster %s (%s)" % (named, self.info.get("cluster_id")) if named else "a cluster that is not recorded"

    def write(self, change: Change) -> None:
        sets = [shares for _path, shares in self.share_sets]
        began = time.monotonic()
        found = isolated(
            lambda folder: self._drill(sets, folder),
            self.params["wait_timeout"] + self.params["transfer_timeout"],
            self.params["dest"] or "",
        )
        change.touched = True
        self.phases.update(found.pop("phases"))
        self.info.update(
            found,
            phases=self.phases,
            rto=round(time.monotonic() - began + self.phases["verify"], 1),
            rpo=self.info["age"],
            program=self.program,
        )

    def _drill(self, sets: Sequence[Sequence[str]], folder: str) -> dict[str, Any]:
        """Do it, in a process that is cut off from the network."""
        scratch = Scratch(self.binary, self.program["product"], folder)
        seconds = float(self.params["wait_timeout"])
        try:
            with self._phase("start"):
                scratch.start(seconds)
                token = scratch.initialise()
                if not scratch.wait_active(seconds):
                    raise SecretopsError("the scratch server did not get active")
            with self._phase("restore"), open(self.info["path"], "rb") as file:
                try:
                    with transfer(
                        scratch.client(token), "POST", "sys/storage/raft/snapshot-force", self.params, file
                    ) as pieces:
                        next(pieces, b"")
                except VaultError as error:
                    raise SecretopsError("the scratch server does not take it: %s" % error.said) from error
                time.sleep(2)  # it seals itself behind the answer
                scratch.stop()
            with self._phase("unseal"):
                scratch.start(seconds)
                shares = self._open(scratch, sets)
                if not scratch.wait_active(seconds):
                    raise SecretopsError(
                        "the scratch server was unsealed with its data, and did not get active",
                        remedy="the snapshot may lack what it needs: take another and try that one",
                    )
            with self._phase("read"):
                return {**self._read(scratch.client(scratch.root_token(shares))), "phases": self.phases}
        finally:
            scratch.stop()

    def _open(self, scratch: Scratch, sets: Sequence[Sequence[str]]) -> Sequence[str]:
        for shares in sets:
            try:
                if scratch.unseal(shares):
                    return shares
            except VaultError:
                # not these: the next set is tried from the beginning
                scratch.forget_shares()
        raise SecretopsError(
            "no key shares in %s open it" % ", ".join(self.info["key_stores"]),
            remedy="name the key store of that time: there may have been a rekey since",
        )

    def _read(self, client: Client) -> dict[str, Any]:
        """Return what the restored data holds: how much, and whether the canary is the recorded one."""
        counts = {
            "mounts": len(client.read("sys/mounts") or {}),
            "auth_methods": len(client.read("sys/auth") or {}),
            "policies": len(client.list("sys/policies/acl")),
        }
        labels = self.info.get("labels") or {}
        recorded = labels.get("counts") or {}
        differing = sorted(name for name, count in counts.items() if int(recorded.get(name, count)) != count)
        if differing:
            raise SecretopsError(
                "holds %s"
                % ", ".join(
                    "%d %s instead of %s" % (counts[name], name.replace("_", " "), recorded[name]) for name in differing
                ),
                remedy="see what was changed while it was saved, and take another",
            )
        found = {"counts": counts, "counts_compared": bool(recorded), "canary": "none was recorded"}
        if self.params["canary_path"] and labels.get("canary"):
            held = self._canary(client)
            if held != labels["canary"]:
                raise SecretopsError(
                    "its canary is %s" % ("another than was recorded" if held else "missing"),
                    remedy="the snapshot is not of the moment that its manifest says: take another",
                )
            found["canary"] = "read"
        return found

    def _canary(self, client: Client) -> Any:
        mount, path = self.params["canary_mount"].strip("/"), self.params["canary_path"].strip("/")
        engine = (client.read("sys/mounts") or {}).get(mount + "/") or {}
        if (engine.get("options") or {}).get("version") == "2":
            held = client.read("%s/data/%s" % (mount, path)) or {}
            return (held.get("data") or {}).get("canary")
        return (client.read("%s/%s" % (mount, path)) or {}).get("canary")
