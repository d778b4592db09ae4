# Copyright: Contributors to the secretops.vault_eso project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A real LDAP directory (slapd) on the loopback interface, in a temporary folder of its own."""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from .local import free_ports, stop, wait_for, write_private
from .packages import Unavailable, provide, unprivileged

SUFFIX = "dc=example,dc=com"
CONFIGURATION = """\
include {schema}/core.schema
include {schema}/cosine.schema
include {schema}/inetorgperson.schema
modulepath /usr/lib/ldap
moduleload back_mdb
pidfile {folder}/slapd.pid
database mdb
suffix "{suffix}"
rootdn "cn=admin,{suffix}"
rootpw {password}
directory {folder}/data
maxsize 10485760
access to attrs=userPassword by anonymous auth by * none
access to * by users read by anonymous auth
"""


class Directory:
    """One directory with users and groups; ``binddn`` and ``password`` are its administrator's."""

    def __init__(self, password: str, users: Mapping[str, str], groups: Mapping[str, Sequence[str]]) -> None:
        """Start it with ``users`` (name: password) and ``groups`` (name: members).

        Raises support.packages.Unavailable when it cannot be had.
        """
        server = provide("slapd", "slapd", ("/usr/sbin",))
        fill = provide("slapadd", "slapd", ("/usr/sbin",))
        schema = Path("/etc/ldap/schema")
        if not (schema / "inetorgperson.schema").exists():
            raise Unavailable(f"slapd is installed, but {schema} holds no schemas")
        self.binddn, self.password = f"cn=admin,{SUFFIX}", password
        self.userdn, self.groupdn = f"ou=people,{SUFFIX}", f"ou=groups,{SUFFIX}"
        (self.port,) = free_ports(1)
        self.url = f"ldap://127.0.0.1:{self.port}"
        account = unprivileged("openldap")
        self.process: subprocess.Popen[bytes] | None = None
        self.folder = Path(tempfile.mkdtemp(prefix="vault-eso-ldap-"))
        try:
            (self.folder / "data").mkdir()
            configuration, content = self.folder / "slapd.conf", self.folder / "content.ldif"
            text = CONFIGURATION.format(schema=schema, folder=self.folder, suffix=SUFFIX, password=password)
            write_private(configuration, text.encode())
            write_private(content, self._content(users, groups).encode())
            for path in (self.folder, self.folder / "data", configuration, content):
                os.chown(path, account.pw_uid, account.pw_gid)
            identity: dict[str, Any] = {}
            if os.geteuid() == 0:
                identity = {"user": account.pw_uid, "group": account.pw_gid, "extra_groups": []}
            filled = subprocess.run(
                [str(fill), "-f", str(configuration), "-l", str(content)],
                capture_output=True,
                text=True,
                check=False,
                **identity,
            )
            if filled.returncode:
                raise RuntimeError(f"slapadd failed: {filled.stderr}")
            log = self.folder / "slapd.log"
            with log.open("wb") as file:
                # a debug level, if none that says anything, keeps it in the foreground
                self.process = subprocess.Popen(
                    [str(server), "-d", "0", "-f", str(configuration), "-h", self.url],
                    cwd=self.folder,
                    stdin=subprocess.DEVNULL,
                    stdout=file,
                    stderr=file,
                    **identity,
                )
            wait_for("slapd", self._answers, self.process, log)
        except BaseException:
            self.stop()
            raise

    def _answers(self) -> bool:
        try:
            with socket.create_connection(("127.0.0.1", self.port), timeout=1):
                return True
        except OSError:
            return False

    def _content(self, users: Mapping[str, str], groups: Mapping[str, Sequence[str]]) -> str:
        entries = [f"dn: {SUFFIX}\nobjectClass: dcObject\nobjectClass: organization\no: Example\ndc: example\n"]
        for unit in (self.userdn, self.groupdn):
            name = unit.split(",")[0].split("=")[1]
            entries.append(f"dn: {unit}\nobjectClass: organizationalUnit\nou: {name}\n")
        for name, password in users.items():
            entries.append(
                f"dn: uid={name},{self.userdn}\nobjectClass: inetOrgPerson\nuid: {name}\ncn: {name}\nsn: {name}\n"
                f"mail: {name}@example.com\nuserPassword: {password}\n"
            )
        for name, members in groups.items():
            lines = "".join(f"member: uid={member},{self.userdn}\n" for member in members)
            entries.append(f"dn: cn={name},{self.groupdn}\nobjectClass: groupOfNames\ncn: {name}\n{lines}")
        return "\n".join(entries)

    def stop(self) -> None:
        """End the server and remove its folder."""
        if self.process is not None:
            stop(self.process)
        shutil.rmtree(self.folder, ignore_errors=True)
