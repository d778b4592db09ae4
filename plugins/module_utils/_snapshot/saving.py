# Copyright: Contributors to the secretops.vault_eso project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# Private to this collection: what is here may change at any time. Other collections must not import it.
"""A snapshot that was streamed into a file: compared with the last one, recorded, copied, measured, old ones pruned."""

from __future__ import annotations

import glob
import json
import os
import shutil
import tempfile
import time
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager, suppress
from typing import Any

from .._engine import private_file, progress
from .._engine.errors import InvalidInput, SecretopsError
from . import copies, encryption, metrics
from .archive import SUFFIX, UNFINISHED, sidecar
from .places.base import Place
from .places.choose import place
from .record import order

#: how often the directory is made, where other runs remove it
ATTEMPTS = 3


def _staging() -> str:
    """Return the private directory of this user for snapshots that are kept at other places alone."""
    return os.path.join(tempfile.gettempdir(), "vault-eso-snapshots-%d" % os.geteuid())


class Saving:
    """Where snapshots are kept, by the options of ``vault_snapshot``: a directory, other places, or both.

    ``info``: facts of the result, filled step by step; ``warnings``: what else is to be told.
    """

    def __init__(self, params: Mapping[str, Any], writes: bool = True) -> None:
        self.params = params
        #: False in check mode: places are looked at only
        self.writes = writes
        self.dest: str = os.path.abspath(os.path.expanduser(params["dest"])) if params["dest"] else ""
        self.single = self.dest.endswith(SUFFIX)
        self.declared: list[Mapping[str, Any]] = params["copies"] or []
        self.places: list[Place] = []
        self.encryption = encryption.of(params)
        self.info: dict[str, Any] = {}
        self.warnings: list[str] = []

    @property
    def folder(self) -> str:
        """The directory in which the archive is written."""
        return (os.path.dirname(self.dest) if self.single else self.dest) or _staging()

    def check(self) -> None:
        """Refuse options that cannot be right. Asks nobody. Raises InvalidInput."""
        if not self.dest and not self.declared:
            raise InvalidInput(
                "no place is named",
                remedy='set "dest" to a directory, or to a file that ends in .snap, or name "copies"',
            )
        if self.params["keep"] is not None and (self.single or not self.dest):
            raise InvalidInput('"keep" needs a directory as "dest"', remedy='name a directory, or leave "keep" out')
        if self.params["keep"] is not None and self.params["keep"] < 1:
            raise InvalidInput('"keep" is %d' % self.params["keep"], remedy="keep 1 or more")
        if self.params["metrics_file"]:
            metrics.check(self.params["metrics_file"])
        self.places = [place(one, float(self.params["transfer_timeout"])) for one in self.declared]
        labels = [one.label for one in self.places]
        twice = sorted({label for label in labels if labels.count(label) > 1})
        if twice:
            raise InvalidInput("%s is named twice" % ", ".join(twice), 'option "copies"', "keep one of them")
        if self.encryption.by and not self.places:
            raise InvalidInput(
                "copies are to be encrypted, and there is none",
                remedy='name "copies": what is in "dest" is not encrypted',
            )

    @contextmanager
    def measured(self) -> Iterator[None]:
        """Have a failure in the metrics too. What fails is told, even where the metrics cannot be written either."""
        try:
            yield
        except BaseException:
            with suppress(SecretopsError):
                self.measure()
            raise

    def measure(self) -> None:
        """Write the metrics, where they are wanted. Raises SecretopsError."""
        if self.params["metrics_file"] and self.writes:
            cluster = str(self.params["cluster"] or self.info.get("cluster") or "")
            saved = self.info if "sha256" in self.info else None
            done = {one["url"] for one in self.info.get("copies", [])}
            copied = {one.label: one.label in done for one in self.places}
            metrics.write(self.params["metrics_file"], cluster, int(time.time()), saved, copied)

    def try_places(self) -> None:
        """Prove that each place takes a snapshot, before anything is asked of the server. Raises SecretopsError."""
        with private_file.writing(tempfile.gettempdir()):
            self._try_places()

    def _try_places(self) -> None:
        self.encryption.check()
        expected = self._last_size()
        if self.writes:
            if self.params["metrics_file"]:
                private_file.prepare(self.params["metrics_file"], "metrics_file")
            self._prepare()
            self._tidy()
            # a copy that is encrypted stands beside the archive for a while
            room = self.folder if self.dest else os.path.dirname(self.folder)
            free, need = shutil.disk_usage(room).free, expected * (2 if self.encryption.by else 1)
            if free < need:
                raise InvalidInput(
                    "there is room for %d bytes in %s, and %d are needed" % (free, self.folder, need),
                    remedy="make room on the disk",
                )
        for one in self.places:
            progress.tell("trying %s", one.label)
            one.ready(expected, self.writes)

    def _records(self) -> list[tuple[str, dict[str, Any]]]:
        """Return the snapshots in the directory, the newest first."""
        found = []
        for path in glob.glob(os.path.join(glob.escape(self.folder), "*" + SUFFIX)) if self.dest else []:
            try:
                record = sidecar(path)
            except SecretopsError:
                continue
            if record:
                found.append((path, record))
        return sorted(found, key=lambda item: order(item[1]), reverse=True)

    def _last_size(self) -> int:
        """Return how many bytes the last snapshot here had, at least the least that a snapshot has."""
        sizes = [int(record.get("size") or 0) for _path, record in self._records()[:1]]
        return max([int(self.params["min_size"]), *sizes])

    def _of_cluster(self, cluster_id: Any) -> list[tuple[str, dict[str, Any]]]:
        """Return the snapshots of a cluster in the directory, the newest first."""
        return [one for one in self._records() if one[1].get("cluster_id") == cluster_id]

    def _check_index(self, record: Mapping[str, Any]) -> None:
        """Refuse a snapshot that is older than the last one of this cluster, here or at any place."""
        if self.params["allow_lower_index"]:
            return
        known = [
            (int(one.get("index") or 0), os.path.basename(path))
            for path, one in self._of_cluster(record["cluster_id"])[:1]
        ]
        if not known:
            known = [copies.newest_index(one, record["cluster_id"]) for one in self.places]
        index, name = max(known, default=(0, ""))
        if record["index"] < index:
            raise SecretopsError(
                "its raft index %d is lower than %d of %s" % (record["index"], index, name),
                remedy="find out whether the cluster lost data or was restored; then set allow_lower_index once",
            )

    def _prepare(self) -> None:
        """Make the directory. Raises InvalidInput."""
        private_file.prepare(os.path.join(self.folder, "x"), "dest", private=not self.dest)

    def _tidy(self) -> None:
        """Remove a directory that is nobody's `dest`; it stays while another run has a file in it."""
        if not self.dest:
            with suppress(OSError):
                os.rmdir(self.folder)

    @contextmanager
    def trial(self) -> Iterator[str]:
        """Give the path of a private file to stream into; it is removed at the end where it got no other name."""
        with ExitStack() as stack:
            stack.callback(self._tidy)
            for left in reversed(range(ATTEMPTS)):
                self._prepare()
                try:
                    path = stack.enter_context(private_file.unfinished(os.path.join(self.folder, "x"), UNFINISHED))
                    break
                except FileNotFoundError:
                    # another run removed the directory when it ended
                    if not left:
                        raise
            yield path

    @property
    def touched(self) -> bool:
        """Tell whether something was kept somewhere."""
        return bool(self.info.get("path") or self.info.get("copies"))

    def keep(self, trial: str, record: Mapping[str, Any]) -> None:
        """Keep a verified archive, everywhere. Raises SecretopsError; what was kept till then stays."""
        self._check_index(record)
        name, file_name = trial, copies.file_name(str(record["cluster"] or ""), record)
        with private_file.writing(self.folder):
            if self.dest:
                name = self.dest if self.single else os.path.join(self.dest, file_name)
                # the record first: a snapshot without one would never be pruned
                private_file.write(name + ".json", json.dumps(record, indent=2, sort_keys=True))
                private_file.rename(trial, name)
                self.info["path"] = name
        self.info.update(record, copies=[], pruned=[])
        self._copy(name, file_name, record)
        self.info["pruned"] = self._prune(record["cluster_id"])

    def _copy(self, path: str, name: str, record: Mapping[str, Any]) -> None:
        """Copy the snapshot to each place; the failure of one keeps none of the others from theirs."""
        if not self.places:
            return
        problems: list[SecretopsError] = []
        with copies.outgoing(path, name, record, self.encryption) as outgoing:
            for one, options in zip(self.places, self.declared):
                try:
                    self.info["copies"].append(outgoing.put(one, options.get("keep")))
                except SecretopsError as error:
                    problems.append(error)
                    continue
                if not self.info["copies"][-1]["read_back"]:
                    self.warnings.append("%s could not be read back: the identity may only write there" % one.where)
        if problems:
            problem = problems[0]
            for more in problems[1:]:
                problem.what += "; %s" % more.sentence()
            raise problem

    def _prune(self, cluster_id: Any) -> list[str]:
        if self.params["keep"] is None:
            return []
        old = [path for path, _record in self._of_cluster(cluster_id)[self.params["keep"] :]]
        for path in old:
            private_file.remove(path)
            private_file.remove(path + ".json")
        return old
