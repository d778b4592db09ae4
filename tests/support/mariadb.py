# Copyright: Contributors to the secretops.vault_eso project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A real MariaDB server on the loopback interface, in a temporary folder of its own."""

from __future__ import annotations

import os
import shutil
import subprocess
import tempfile
from pathlib import Path
from typing import Any

from .local import free_ports, stop, wait_for, write_private
from .packages import provide, unprivileged

FOLDERS = ("/usr/sbin", "/usr/libexec")
# the administrator may log in from anywhere, as the plugin's own statements take for granted; nobody else may at all
SETUP = """\
CREATE USER '%s'@'%%' IDENTIFIED BY '%s';
GRANT ALL PRIVILEGES ON *.* TO '%s'@'%%' WITH GRANT OPTION;
DROP USER 'root'@'localhost';
"""


class MariaDb:
    """One server with password logins only; ``admin`` and ``password`` are its administrator's."""

    def __init__(self, password: str) -> None:
        """Start it. Raises support.packages.Unavailable when it cannot be had."""
        server = provide("mariadbd", "mariadb-server", FOLDERS)
        install = provide("mariadb-install-db", "mariadb-server")
        self.mariadb = provide("mariadb", "mariadb-client")
        self.admin, self.password = "vault_admin", password
        (self.port,) = free_ports(1)
        account = unprivileged("mysql")
        # not below pytest's folder: that is closed to the other account that the server runs as
        self.folder = Path(tempfile.mkdtemp(prefix="vault-eso-mariadb-"))
        self.process: subprocess.Popen[bytes] | None = None
        try:
            setup, data, log = self.folder / "setup.sql", self.folder / "data", self.folder / "server.log"
            write_private(setup, (SETUP % (self.admin, password, self.admin)).encode())
            for path in (self.folder, setup):
                os.chown(path, account.pw_uid, account.pw_gid)
            identity: dict[str, Any] = {}
            if os.geteuid() == 0:
                identity = {"user": account.pw_uid, "group": account.pw_gid, "extra_groups": []}
            made = subprocess.run(
                [str(install), "--no-defaults", f"--datadir={data}", "--auth-root-authentication-method=normal"]
                + ["--skip-test-db", "--skip-name-resolve"],
                cwd=self.folder,
                capture_output=True,
                text=True,
                check=False,
                **identity,
            )
            if made.returncode:
                raise RuntimeError(f"mariadb-install-db failed: {made.stdout}{made.stderr}")
            with log.open("wb") as file:
                self.process = subprocess.Popen(
                    [str(server), "--no-defaults", f"--datadir={data}", f"--port={self.port}"]
                    + ["--bind-address=127.0.0.1", f"--socket={self.folder}/server.sock", "--skip-name-resolve"]
                    + [f"--pid-file={self.folder}/server.pid", f"--init-file={setup}", "--max-connections=30"]
                    + ["--innodb-buffer-pool-size=32M", "--innodb-flush-log-at-trx-commit=0"],
                    cwd=self.folder,
                    stdin=subprocess.DEVNULL,
                    stdout=file,
                    stderr=file,
                    **identity,
                )
            wait_for("mariadbd", lambda: self.login(self.admin, password), self.process, log)
        except BaseException:
            self.stop()
            raise

    @property
    def url(self) -> str:
        """The connection URL as the database engine takes it, credentials left open."""
        return f"{{{{username}}}}:{{{{password}}}}@tcp(127.0.0.1:{self.port})/"

    def query(self, statement: str, user: str = "", password: str = "") -> str:
        """Run a statement and return its rows as text. Raises RuntimeError with the server's answer."""
        result = subprocess.run(
            [str(self.mariadb), "--no-defaults", "--batch", "--skip-column-names", "--connect-timeout=5"]
            + ["--protocol=tcp", "--host=127.0.0.1", f"--port={self.port}", f"--user={user or self.admin}"],
            input=statement,
            env={**os.environ, "MYSQL_PWD": password or self.password},
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
