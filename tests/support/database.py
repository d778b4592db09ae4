# Copyright: Contributors to the secretops.vault_eso project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the database servers of the tests share: an account, a folder, a process, and logins by password."""

from __future__ import annotations

import os
import shutil
import subprocess
import tempfile
from pathlib import Path
from typing import Any, ClassVar

from .local import free_ports, stop, wait_for, write_private
from .packages import unprivileged


class Database:
    """One server on the loopback interface with password logins only; ``admin`` and ``password`` may do everything."""

    #: of the server's program
    name: ClassVar[str]
    #: that the server runs as when the tests run as root
    account: ClassVar[str]
    admin = "vault_admin"

    def __init__(self, password: str) -> None:
        """Start it. Raises support.packages.Unavailable when it cannot be had."""
        self.password = password
        self.provide()
        (self.port,) = free_ports(1)
        # not below pytest's folder: that is closed to the other account that the server runs as
        self.folder = Path(tempfile.mkdtemp(prefix=f"vault-eso-{self.name}-"))
        self.data = self.folder / "data"
        self.identity: dict[str, Any] = {}
        self.process: subprocess.Popen[bytes] | None = None
        owner = unprivileged(self.account)
        if os.geteuid() == 0:
            self.identity = {"user": owner.pw_uid, "group": owner.pw_gid, "extra_groups": []}
        try:
            secret, log = self.folder / "secret", self.folder / "server.log"
            write_private(secret, self.first(password).encode())
            for path in (self.folder, secret):
                os.chown(path, owner.pw_uid, owner.pw_gid)
            made = subprocess.run(
                self.making(secret), cwd=self.folder, capture_output=True, text=True, check=False, **self.identity
            )
            if made.returncode:
                raise RuntimeError(f"{self.name} could not be set up: {made.stdout}{made.stderr}")
            with log.open("wb") as file:
                self.process = subprocess.Popen(
                    self.serving(secret),
                    cwd=self.folder,
                    stdin=subprocess.DEVNULL,
                    stdout=file,
                    stderr=file,
                    **self.identity,
                )
            wait_for(self.name, lambda: self.login(self.admin, password), self.process, log)
        except BaseException:
            self.stop()
            raise

    def provide(self) -> None:
        """Find the programs, or install them. Raises support.packages.Unavailable."""
        raise NotImplementedError

    def first(self, password: str) -> str:
        """Return the content of a private file that the first start reads."""
        raise NotImplementedError

    def making(self, secret: Path) -> list[str]:
        """Return the command that makes the server's data."""
        raise NotImplementedError

    def serving(self, secret: Path) -> list[str]:
        """Return the command of the server."""
        raise NotImplementedError

    def asking(self, user: str, password: str) -> tuple[list[str], dict[str, str]]:
        """Return the client's command, which reads a statement, and what its environment has of secrets."""
        raise NotImplementedError

    def query(self, statement: str, user: str = "", password: str = "") -> str:
        """Run a statement and return its rows as text. Raises RuntimeError with the server's answer."""
        command, secrets = self.asking(user or self.admin, password or self.password)
        result = subprocess.run(
            command, input=statement, env={**os.environ, **secrets}, capture_output=True, text=True, check=False
        )
        if result.returncode:
            raise RuntimeError(result.stderr.strip())
        return result.stdout.strip()

    def login(self, user: str, password: str) -> bool:
        """Tell whether somebody can log in."""
        try:
            return self.query("SELECT 1", user, password) == "1"
        except RuntimeError:
            return False

    def stop(self) -> None:
        """End the server and remove its folder."""
        if self.process is not None:
            stop(self.process)
        shutil.rmtree(self.folder, ignore_errors=True)
