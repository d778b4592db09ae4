# Copyright: Contributors to the secretops.vault_eso project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A real MariaDB server on the loopback interface, in a temporary folder of its own."""

from __future__ import annotations

from pathlib import Path

from .database import Database
from .packages import provide

FOLDERS = ("/usr/sbin", "/usr/libexec")
# the administrator may log in from anywhere, as the plugin's own statements take for granted; nobody else may at all
SETUP = """\
CREATE USER '%s'@'%%' IDENTIFIED BY '%s';
GRANT ALL PRIVILEGES ON *.* TO '%s'@'%%' WITH GRANT OPTION;
DROP USER 'root'@'localhost';
"""


class MariaDb(Database):
    """One server."""

    name = "mariadb"
    account = "mysql"

    def provide(self) -> None:
        self.mariadbd = provide("mariadbd", "mariadb-server", FOLDERS)
        self.install = provide("mariadb-install-db", "mariadb-server")
        self.mariadb = provide("mariadb", "mariadb-client")

    def first(self, password: str) -> str:
        return SETUP % (self.admin, password, self.admin)

    def making(self, secret: Path) -> list[str]:
        return [
            *(str(self.install), "--no-defaults", f"--datadir={self.data}", "--auth-root-authentication-method=normal"),
            *("--skip-test-db", "--skip-name-resolve"),
        ]

    def serving(self, secret: Path) -> list[str]:
        return [
            *(str(self.mariadbd), "--no-defaults", f"--datadir={self.data}", f"--port={self.port}"),
            *("--bind-address=127.0.0.1", f"--socket={self.folder}/server.sock", "--skip-name-resolve"),
            *(f"--pid-file={self.folder}/server.pid", f"--init-file={secret}", "--max-connections=30"),
            *("--innodb-buffer-pool-size=32M", "--innodb-flush-log-at-trx-commit=0"),
        ]

    def asking(self, user: str, password: str) -> tuple[list[str], dict[str, str]]:
        command = [
            *(str(self.mariadb), "--no-defaults", "--batch", "--skip-column-names", "--connect-timeout=5"),
            *("--protocol=tcp", "--host=127.0.0.1", f"--port={self.port}", f"--user={user}"),
        ]
        return command, {"MYSQL_PWD": password}

    @property
    def url(self) -> str:
        """The connection URL as the database engine takes it, credentials left open."""
        return f"{{{{username}}}}:{{{{password}}}}@tcp(127.0.0.1:{self.port})/"
