# Copyright: Contributors to the secretops.vault_eso project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Servers on the loopback interface that keep files for others: OpenSSH's SFTP, and moto's S3."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
from pathlib import Path
from typing import Any

from .local import free_ports, stop, wait_for, write_private
from .packages import Unavailable, provide
from .ssh import key_pair


def _answers(port: int) -> bool:
    with socket.socket() as trial:
        trial.settimeout(1)
        return trial.connect_ex(("127.0.0.1", port)) == 0


class SftpServer:
    """A real sshd for this user, with SFTP and no shell. ``home`` is where relative paths begin."""

    def __init__(self, folder: Path) -> None:
        """Start it. Raises Unavailable where there is no sshd."""
        if os.geteuid() != 0:
            raise Unavailable("sshd is started by root only")
        program = provide("sshd", "openssh-server", ["/usr/sbin"])
        provide("sftp", "openssh-client")
        # sshd wants it for its unprivileged half
        Path("/run/sshd").mkdir(mode=0o755, exist_ok=True)
        (self.port,) = free_ports(1)
        self.folder, self.key, self.known_hosts = folder, folder / "client", folder / "known_hosts"
        host_public, host_private = key_pair()
        public, private = key_pair()
        write_private(folder / "host", host_private.encode())
        write_private(self.key, private.encode())
        write_private(folder / "authorized", f"restrict {public}\n".encode())
        self.known_hosts.write_text(f"[127.0.0.1]:{self.port} {host_public}\n")
        settings = {
            "Port": self.port,
            "ListenAddress": "127.0.0.1",
            "HostKey": folder / "host",
            "AuthorizedKeysFile": folder / "authorized",
            "PasswordAuthentication": "no",
            "StrictModes": "no",
            "UsePAM": "no",
            "PidFile": "none",
            "Subsystem": "sftp internal-sftp",
            "ForceCommand": "internal-sftp",
        }
        (folder / "sshd_config").write_text("".join(f"{name} {value}\n" for name, value in settings.items()))
        self.log = folder / "sshd.log"
        with self.log.open("ab") as log:
            self.process = subprocess.Popen([program, "-D", "-e", "-f", folder / "sshd_config"], stdout=log, stderr=log)
        wait_for("sshd", lambda: _answers(self.port), self.process, self.log)

    def options(self, directory: Path) -> dict[str, Any]:
        """Return the options of a place in a directory of this machine."""
        return {
            "url": f"sftp://root@127.0.0.1:{self.port}{directory}",
            "ssh_key": str(self.key),
            "ssh_known_hosts": str(self.known_hosts),
        }

    def stop(self) -> None:
        """End it."""
        stop(self.process)


class S3Server:
    """moto's server, with S3 alone. ``client()`` looks at what it holds."""

    ACCESS, SECRET = "AKIAVAULTESOTEST", "secret-key-of-the-storage"

    def __init__(self, folder: Path) -> None:
        (port,) = free_ports(1)
        self.url = f"http://127.0.0.1:{port}"
        log = folder / "moto.log"
        command = [str(Path(sys.executable).parent / "moto_server"), "-H", "127.0.0.1", "-p", str(port)]
        clean = {name: value for name, value in os.environ.items() if not name.startswith("AWS_")}
        with log.open("ab") as file:
            self.process = subprocess.Popen(command, stdout=file, stderr=file, env=clean)
        wait_for("moto", lambda: _answers(port), self.process, log)

    def client(self) -> Any:
        """Return a client of boto3."""
        import boto3  # type: ignore[import-untyped,unused-ignore]

        return boto3.client(
            "s3",
            endpoint_url=self.url,
            region_name="us-east-1",
            aws_access_key_id=self.ACCESS,
            aws_secret_access_key=self.SECRET,
        )

    def options(self, bucket: str, prefix: str = "") -> dict[str, Any]:
        """Return the options of a place in a bucket."""
        return {
            "url": f"s3://{bucket}/{prefix}" if prefix else f"s3://{bucket}",
            "s3_endpoint": self.url,
            "s3_access_key": self.ACCESS,
            "s3_secret_key": self.SECRET,
        }

    def stop(self) -> None:
        """End it."""
        stop(self.process)
