# Copyright: Contributors to the secretops.vault_eso project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# Private to this collection: what is here may change at any time. Other collections must not import it.
"""Copies on another host by SSH: by the program sftp, which needs no shell there."""

from __future__ import annotations

import os
import re
import tempfile
from collections.abc import Mapping
from typing import Any
from urllib.parse import urlsplit

from ..._engine import private_file
from ..._engine.errors import InvalidInput
from .. import programs
from ..archive import UNFINISHED
from ..archive import sha256 as digest_of
from .base import Place, PlaceError, require_file

#: exit status of sftp when there was no connection
NO_CONNECTION = 255
#: seconds to connect, and for small commands
CONNECT = 20
SMALL = 120
_NAME = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.@-]*")
_HOST = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.-]*|[0-9A-Fa-f:]+")
#: no white space, quotes or globs: sftp gives them a meaning
_PATH = re.compile(r"[A-Za-z0-9_./+=@~-]*")


class Sftp(Place):
    """A directory that exists on the other host, for an account that has SFTP and no more."""

    def __init__(self, options: Mapping[str, Any], seconds: float) -> None:
        found = urlsplit(options["url"])
        self.user, self.host, self.folder = found.username, found.hostname or "", found.path or "."
        self.password = found.password is not None
        try:
            self.port = found.port
        except ValueError:
            self.port = 0
        self.key: str | None = options.get("ssh_key")
        self.known_hosts: str | None = options.get("ssh_known_hosts")
        self.seconds = seconds
        named = "%s@%s" % (self.user, self.host) if self.user else self.host
        super().__init__("sftp://%s%s%s" % (named, ":%d" % self.port if self.port else "", self.folder))

    def check(self) -> None:
        """Refuse an address that sftp would take for something else."""
        if self.password:
            raise InvalidInput("a password stands in its address", self.where, 'use a key, and name it as "ssh_key"')
        if not _HOST.fullmatch(self.host) or (self.user is not None and not _NAME.fullmatch(self.user)):
            raise InvalidInput("names no host", self.where, "write it as sftp://user@host:port/directory")
        if self.port == 0 or not _PATH.fullmatch(self.folder):
            raise InvalidInput(
                "has a port or a path that cannot be used",
                self.where,
                "write it as sftp://user@host:port/directory, with letters, digits and ._+=@~- in the path",
            )
        for option, path in (("ssh_key", self.key), ("ssh_known_hosts", self.known_hosts)):
            if path:
                require_file(path, option, self.where)
        programs.find("sftp", self.where, "the client of OpenSSH")

    def _path(self, name: str) -> str:
        return '"%s/%s"' % (self.folder.rstrip("/"), name)

    def _run(self, *lines: str, seconds: float = SMALL) -> str:
        options = [
            "BatchMode=yes",
            "StrictHostKeyChecking=yes",
            "ConnectTimeout=%d" % CONNECT,
            "ServerAliveInterval=15",
        ]
        if self.key:
            options.append("IdentitiesOnly=yes")
        if self.known_hosts:
            options.append("UserKnownHostsFile=%s" % self.known_hosts)
        command = [programs.find("sftp", self.where, "the client of OpenSSH"), "-q", "-b", "-"]
        command += [word for one in options for word in ("-o", one)]
        command += ["-i", self.key] if self.key else []
        command += ["-P", str(self.port)] if self.port else []
        host = "[%s]" % self.host if ":" in self.host else self.host
        command.append("%s@%s" % (self.user, host) if self.user else host)
        try:
            answer = programs.run(command, self.where, "", seconds, "".join("%s\n" % line for line in lines).encode())
        except programs.Failed as error:
            problem = PlaceError(
                error.what,
                self.where,
                'check the host, its key in "ssh_known_hosts", and "ssh_key"'
                if error.status == NO_CONNECTION
                else error.remedy or "check the directory, its owner and its room there",
            )
            raise problem from error
        # with -b each command is repeated
        return "\n".join(
            line for line in answer.decode("utf-8", "replace").splitlines() if not line.startswith("sftp>")
        )

    def ready(self, size: int, trial: bool) -> None:
        """Refuse a directory that is missing or not writable."""
        if not trial:
            self._run('cd "%s"' % self.folder)
            return
        name = self._path(".vault-eso-trial-%d" % os.getpid())
        with tempfile.NamedTemporaryFile(prefix="vault-eso-") as file:
            file.write(b"trial\n")
            file.flush()
            self._run('put "%s" %s' % (file.name, name), "rm %s" % name)

    def names(self) -> list[str]:
        """Return the names of the files."""
        return sorted(
            os.path.basename(line.strip()) for line in self._run('cd "%s"' % self.folder, "ls -1a").splitlines() if line
        )

    def put(self, path: str, name: str, sha256: str) -> bool:
        """Write a file, read it back, and give it its name."""
        trial = self._path(".vault-eso-new-%s" % name)
        try:
            with private_file.unfinished(path, UNFINISHED) as back:
                self._run('put "%s" %s' % (path, trial), "chmod 600 %s" % trial, seconds=self.seconds)
                self.fetch(".vault-eso-new-%s" % name, back)
                if digest_of(back) != sha256:
                    raise self.damaged(name)
            self._run("rename %s %s" % (trial, self._path(name)))
        except PlaceError:
            self._try_to_remove(trial)
            raise
        except OSError as error:
            self._try_to_remove(trial)
            raise PlaceError(
                "cannot be read back into %s (%s)" % (os.path.dirname(path), error.strerror),
                self.where,
                "make room on the disk here",
            ) from error
        return True

    def _try_to_remove(self, path: str) -> None:
        try:
            self._run("-rm %s" % path)
        except PlaceError:
            # the connection is gone; the next copy of that name replaces it
            return

    def texts(self, names: list[str]) -> dict[str, str]:
        """Return the texts of small files, by one connection."""
        if not names:
            return {}
        found = {}
        with tempfile.TemporaryDirectory(prefix="vault-eso-") as folder:
            self._run(
                *('-get %s "%s"' % (self._path(name), os.path.join(folder, name)) for name in names),
                seconds=self.seconds,
            )
            for name in names:
                path = os.path.join(folder, name)
                if os.path.exists(path):
                    with open(path, encoding="utf-8", errors="replace") as file:
                        found[name] = file.read()
        return found

    def fetch(self, name: str, path: str) -> None:
        """Copy a file to a local one. Raises OSError where that cannot be written."""
        try:
            self._run('get %s "%s"' % (self._path(name), path), seconds=self.seconds)
        except PlaceError:
            # sftp tells it in words alone
            programs.require_room(path)
            raise

    def remove(self, name: str) -> None:
        """Remove a file."""
        self._run("-rm %s" % self._path(name))
