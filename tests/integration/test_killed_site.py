# Copyright: Contributors to the secretops.vault_eso project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""`site.yml` is ended at its worst moments: after the next whole run no token of those before lives."""

from __future__ import annotations

import functools
import http.client
import json
import os
import signal
import ssl
import subprocess
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from support.openbao import VaultServer
from support.system import BIN, ROOT, Play

ADMIN = "auth/approle/role/secretops-admin"
#: A run is ended when the second request arrives after the first was answered, before anything answers the second: what
#: the first one gave is lost unless it was kept at once.
MOMENTS = [
    # the root token's child makes the way in that replaces it
    ("auth/token/create", ADMIN, signal.SIGTERM),
    # the module that ends the root token has logged in by itself
    ("auth/approle/login", "sys/capabilities-self", signal.SIGKILL),
    # the session of the role vault_cluster has logged in, and nothing more
    ("auth/approle/login", "auth/token/", signal.SIGKILL),
    # in the middle of the configuration
    ("sys/policies/acl/reader", "secret/", signal.SIGINT),
]


class Relay(ThreadingHTTPServer):
    """Stands before a server, remembers each token that it gives, and calls `end` at a moment."""

    daemon_threads = True

    def __init__(self, server: VaultServer) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.behind = urlsplit(server.url)
        self.trust = ssl.create_default_context(cafile=server.ca_cert)
        self.seen: list[str] = []
        self.tokens: set[str] = set()
        self.moment: tuple[str, str] | None = None
        self.end: Callable[[], None] = lambda: None
        self.lock = threading.Lock()
        threading.Thread(target=self.serve_forever, daemon=True).start()

    def arrives(self, path: str) -> None:
        """Note a request, and end the run when its moment has come."""
        with self.lock:
            before, self.seen = self.seen, [*self.seen, path]
            if self.moment and path.startswith(self.moment[1]) and self.moment[0] in before:
                self.moment = None
                self.end()


class Handler(BaseHTTPRequestHandler):
    """Hands a request on."""

    protocol_version = "HTTP/1.1"
    server: Relay

    def log_message(self, *_arguments: Any) -> None:
        """Be silent."""

    def relay(self) -> None:
        """Hand on a request and its answer."""
        self.server.arrives(self.path.removeprefix("/v1/"))
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        headers = {name: value for name, value in self.headers.items() if name.lower() not in ("host", "connection")}
        behind = http.client.HTTPSConnection(self.server.behind.netloc, context=self.server.trust)
        try:
            behind.request(self.command, self.path, body, headers)
            answer = behind.getresponse()
            content = answer.read()
        except OSError:
            self.close_connection = True
            return
        finally:
            behind.close()
        with suppress(ValueError, AttributeError):
            found = json.loads(content)
            given = [(found.get("auth") or {}).get("client_token"), found.get("root_token")]
            self.server.tokens |= {token for token in given if token}
        with suppress(OSError):
            self.send_response(answer.status)
            self.send_header("Content-Type", answer.headers.get("Content-Type") or "application/json")
            self.send_header("Content-Length", str(len(content)))
            self.end_headers()
            self.wfile.write(content)

    do_GET = do_PUT = do_POST = do_DELETE = do_LIST = do_PATCH = relay  # noqa: N815  (the server's way to name them)


def family(pid: int) -> list[int]:
    """Return a process and all that descend from it."""
    children: dict[int, list[int]] = {}
    for stat in Path("/proc").glob("[0-9]*/stat"):
        with suppress(OSError):
            children.setdefault(int(stat.read_text().rpartition(")")[2].split()[1]), []).append(int(stat.parent.name))
    found = [pid]
    for one in found:
        found.extend(children.get(one, []))
    return found


def lives(pid: int) -> bool:
    """Tell whether a process runs."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] not in "ZX"
    except OSError:
        return False


class Site:
    """Runs of `site.yml` for a server that nobody has initialised."""

    def __init__(self, server: VaultServer, folder: Path) -> None:
        self.relay, self.folder = Relay(server), folder
        self.kept = folder / "kept"
        self.sessions = folder / "run"
        self.sessions.mkdir(mode=0o700)
        names = {name: str(self.kept / name) for name in ("role-id", "secret-id", "unseal-keys.json")}
        login = {"auth_method": "approle", "role_id_file": names["role-id"], "secret_id_file": names["secret-id"]}
        declared = {
            "vault_connection": {"url": [f"http://127.0.0.1:{self.relay.server_address[1]}"]},
            "vault_session_login": login,
            "vault_cluster_key_store": names["unseal-keys.json"],
            "vault_cluster_plain_shares": True,
            "vault_cluster_admin_role_id_file": names["role-id"],
            "vault_cluster_admin_secret_id_file": names["secret-id"],
            "vault_config_secrets_engines": [{"path": "secret", "type": "kv-v2"}],
            "vault_config_policies": [
                {"name": "reader", "rules": [{"path": "secret/data/*", "capabilities": ["read"]}]}
            ],
            "vault_config_secrets": [{"path": "app", "generate": {"password": {"length": 20}}}],
        }
        (folder / "hosts.json").write_text(json.dumps({"vault_clusters": {"hosts": {"vault": declared}}}))

    def run(self, moment: tuple[str, str] | None = None, by: int = 0) -> Play:
        """Run it, to the end or to a moment."""
        clean = {
            name: value for name, value in os.environ.items() if not name.startswith(("VAULT_", "BAO_", "ANSIBLE_"))
        }
        clean.update(ANSIBLE_CONFIG=str(ROOT / "ansible.cfg"), ANSIBLE_NOCOLOR="1", XDG_RUNTIME_DIR=str(self.sessions))
        with (self.folder / "output").open("wb") as output:
            process = subprocess.Popen(
                [str(BIN / "ansible-playbook"), "-i", "hosts.json", str(ROOT / "playbooks" / "site.yml")],
                cwd=self.folder,
                env=clean,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=output,
                start_new_session=True,
                # what runs the tests may have been started in the background, where nobody interrupts
                preexec_fn=functools.partial(signal.signal, signal.SIGINT, signal.SIG_DFL),
            )
            members: list[int] = []

            def end() -> None:
                members.extend(family(process.pid))
                # as the kernel, a service manager and a terminal do
                for pid in members if by == signal.SIGKILL else [process.pid]:
                    with suppress(ProcessLookupError):
                        os.kill(pid, by)
                if by == signal.SIGKILL:
                    deadline = time.monotonic() + 10
                    while any(map(lives, members[1:])) and time.monotonic() < deadline:
                        time.sleep(0.01)

            self.relay.seen, self.relay.moment, self.relay.end = [], moment, end
            process.wait(300)
            deadline = time.monotonic() + 30
            while any(map(lives, members)) and time.monotonic() < deadline:
                time.sleep(0.05)
        said = (self.folder / "output").read_text()
        if moment:
            assert self.relay.moment is None, f"the run never came to {moment}:\n{said[-2000:]}"
            assert process.returncode != 0
        return Play(process.returncode, said)


def test_after_the_next_run_no_token_of_killed_ones_lives(
    new_server: Callable[..., VaultServer], tmp_path: Path
) -> None:
    server = new_server(initialise=False)
    site = Site(server, tmp_path)
    for first, second, by in MOMENTS:
        site.run((first, second), by)
    assert any(valid(server, token) for token in site.relay.tokens)
    site.run().succeeded()
    left = [token for token in site.relay.tokens if valid(server, token)]
    assert not left, [server.client(one).lookup_token()["data"] for one in left]
    assert [path for path in site.sessions.rglob("*") if path.is_file()] == []
    # neither a temporary file nor a reserved place
    assert sorted(path.name for path in site.kept.iterdir()) == ["role-id", "secret-id", "unseal-keys.json"]
    again = site.run().succeeded()
    assert again.changed == 0, again.changed_tasks()


def valid(server: VaultServer, token: str) -> bool:
    """Tell whether a token lives."""
    return server.client(token).is_authenticated()
