# Copyright: Contributors to the secretops.vault_eso project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A real PostgreSQL server on the loopback interface, in a temporary folder of its own."""

from __future__ import annotations

from pathlib import Path

from .database import Database
from .packages import provide

#: the administrator's, on the server that the tests of a file share
PASSWORD = "first-password-of-root-4711"
FOLDERS = ("/usr/lib/postgresql/*/bin",)


class PostgreSql(Database):
    """One server; its administrator is the superuser."""

    name = "postgresql"
    account = "postgres"

    def provide(self) -> None:
        self.initdb = provide("initdb", "postgresql", FOLDERS)
        self.postgres = provide("postgres", "postgresql", FOLDERS)
        self.psql = provide("psql", "postgresql-client", FOLDERS)

    def first(self, password: str) -> str:
        return password

    def making(self, secret: Path) -> list[str]:
        return [
            *(str(self.initdb), f"--pgdata={self.data}", f"--username={self.admin}", f"--pwfile={secret}"),
            *("--auth=scram-sha-256", "--encoding=UTF8", "--locale=C", "--no-sync"),
        ]

    def serving(self, secret: Path) -> list[str]:
        return [
            *(str(self.postgres), "-D", str(self.data), "-p", str(self.port), "-h", "127.0.0.1"),
            *("-k", str(self.folder), "-c", "fsync=off", "-c", "max_connections=30"),
            # else a server that is killed leaves its memory in /dev/shm
            *("-c", "dynamic_shared_memory_type=mmap"),
        ]

    def asking(self, user: str, password: str) -> tuple[list[str], dict[str, str]]:
        command = [
            *(str(self.psql), "-X", "-q", "-t", "-A", "-w", "-v", "ON_ERROR_STOP=1", "-h", "127.0.0.1"),
            *("-p", str(self.port), "-U", user, "-d", "postgres"),
        ]
        return command, {"PGPASSWORD": password, "PGCONNECT_TIMEOUT": "5"}

    @property
    def url(self) -> str:
        """The connection URL as the database engine takes it, credentials left open."""
        return f"postgresql://{{{{username}}}}:{{{{password}}}}@127.0.0.1:{self.port}/postgres?sslmode=disable"
