# Copyright: Contributors to the secretops.vault_eso project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A real PostgreSQL server on the loopback interface, in a temporary folder of its own."""

from __future__ import annotations

import os
import shutil
import subprocess
import tempfile
from pathlib import Path
from typing import Any

from .local import free_ports, stop, wait_for, write_private
from .packages import provide, unprivileged

FOLDERS = ("/usr/lib/postgresql/*/bin",)


class PostgreSql:
    """One server with password logins only; ``admin`` and ``password`` are its superuser's."""

    def __init__(self, password: str) -> None:
        """Start it. Raises support.packages.Unavailable when it cannot be had."""
        initdb = provide("initdb", "postgresql", FOLDERS)
        server = provide("postgres", "postgresql", FOLDERS)
        self.psql = provide("psql", "postgresql-client", FOLDERS)
        self.admin, self.password = "vault_admin", password
        (self.port,) = free_ports(1)
        account = unprivileged("postgres")
        # not below pytest's folder: that is closed to the other account that the server runs as
        self.folder = Path(tempfile.mkdtemp(prefix="vault-eso-postgresql-"))
        self.process: subprocess.Popen[bytes] | None = None
        try:
            secret = self.folder / "password"
            write_private(secret, password.encode())
            for path in (self.folder, secret):
                os.chown(path, account.pw_uid, account.pw_gid)
            data, log = self.folder / "data", self.folder / "server.log"
            identity: dict[str, Any] = {}
            if os.geteuid() == 0:
                identity = {"user": account.pw_uid, "group": account.pw_gid, "extra_groups": []}
            made = subprocess.run(
                [str(initdb), f"--pgdata={data}", f"--username={self.admin}", f"--pwfile={secret}"]
                + ["--auth=scram-sha-256", "--encoding=UTF8", "--locale=C", "--no-sync"],
                cwd=self.folder,
                capture_output=True,
                text=True,
                check=False,
                **identity,
            )
            if made.returncode:
                raise RuntimeError(f"initdb failed: {made.stderr}")
            with log.open("wb") as file:
                self.process = subprocess.Popen(
                    [str(server), "-D", str(data), "-p", str(self.port), "-h", "127.0.0.1"]
                    + ["-k", str(self.folder), "-c", "fsync=off", "-c", "max_connections=30"],
                    cwd=self.folder,
                    stdin=subprocess.DEVNULL,
                    stdout=file,
                    stderr=file,
                    **identity,
                )
            wait_for("postgres", lambda: self.login(self.admin, password), self.process, log)
        except BaseException:
            self.stop()
            raise

    @property
    def url(self) -> str:
        """The connection URL as the database engine takes it, credentials left open."""
        return f"postgresql://{{{{username}}}}:{{{{password}}}}@127.0.0.1:{self.port}/postgres?sslmode=disable"

    def query(self, statement: str, user: str = "", password: str = "") -> str:
        """Run a statement and return its rows as text. Raises RuntimeError with the server's answer."""
        result = subprocess.run(
            [str(self.psql), "-X", "-q", "-t", "-A", "-w", "-v", "ON_ERROR_STOP=1", "-h", "127.0.0.1"]
            + ["-p", str(self.port), "-U", user or self.admin, "-d", "postgres"],
            input=statement,
            env={**os.environ, "PGPASSWORD": password or self.password, "PGCONNECT_TIMEOUT": "5"},
            capture_output=True,
            text=True,
            check=False,
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
