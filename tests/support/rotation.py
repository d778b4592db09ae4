# Copyright: Contributors to the secretops.vault_eso project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the tests of rotations work on: applications of a scene, and users of a database."""

from __future__ import annotations

import base64
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, Callable

import hvac
from kubernetes.client import ApiException

from .modules import Result
from .postgresql import PostgreSql
from .scene import Scene

DEPLOYMENTS = "/apis/apps/v1/namespaces/{}/deployments"


class Work:
    """Applications of a scene."""

    def __init__(self, scene: Scene) -> None:
        self.scene = scene
        self.mount = f"{scene.name}-kv"
        self.client: hvac.Client = scene.client

    def application(self, name: str = "app", **more: Any) -> dict[str, Any]:
        """Return an application whose password is rotated."""
        return {
            "name": name,
            "mount": self.mount,
            "path": name,
            "generate": {"password": {"length": 24}},
            "external_secrets": [{"namespace": self.scene.at, "name": name}],
            **more,
        }

    def rotate(self, *applications: dict[str, Any], check: bool = False, diff: bool = False, **more: Any) -> Result:
        """Run the module; nothing secret is printed."""
        before = self.everything(applications)
        options = {
            "url": [self.scene.vault.url],
            "ca_cert": self.scene.vault.ca_cert,
            "token": self.scene.vault.token,
            "applications": list(applications),
            "clusters": [{"name": "one", "kubeconfig": self.scene.kube.kubeconfig}],
            "sync_timeout": 30,
            "rollout_wait": False,
            "retry_timeout": 20,
            **more,
        }
        result = self.scene.run_module("vault_rotation", options, check=check, diff=diff, timeout=300)
        result.hides(*before, *self.everything(applications), self.scene.vault.token)
        return result

    def everything(self, applications: tuple[dict[str, Any], ...]) -> list[str]:
        """Return all values of the applications' secrets that are longer than a word."""
        found = []
        for one in applications:
            try:
                found += [value for value in self.held(one["path"]).values() if len(value) > 10]
            except hvac.exceptions.InvalidPath:
                continue
        return found

    def held(self, path: str, version: int | None = None) -> dict[str, str]:
        """Return what a secret holds."""
        return dict(
            self.client.secrets.kv.v2.read_secret_version(
                path, version, mount_point=self.mount, raise_on_deleted_version=True
            )["data"]["data"]
        )

    def version(self, path: str) -> int:
        """Return the number of a secret's newest version."""
        return int(self.about(path)["current_version"])

    def about(self, path: str) -> dict[str, Any]:
        """Return a secret's metadata."""
        return dict(self.client.secrets.kv.v2.read_secret_metadata(path, mount_point=self.mount)["data"])

    def custom(self, path: str) -> dict[str, str]:
        """Return a secret's custom metadata."""
        return dict(self.about(path)["custom_metadata"] or {})

    def secret(self, name: str, scene: Scene | None = None) -> dict[str, str]:
        """Return what a Secret of Kubernetes holds; ``scene``: in another cluster."""
        scene = scene or self.scene
        found = scene.kube.call("GET", f"/api/v1/namespaces/{scene.at}/secrets/{name}")
        return {key: base64.b64decode(value).decode() for key, value in found["data"].items()}

    def secret_is(self, name: str, password: str) -> None:
        """Wait until a Secret of Kubernetes holds a password."""
        deadline = time.monotonic() + 20
        while True:
            with suppress(ApiException):
                if self.secret(name).get("password") == password:
                    return
            assert time.monotonic() < deadline, f"the Secret {name} does not hold the password"
            time.sleep(0.1)

    def note(self, path: str, **custom: str) -> None:
        """Write the custom metadata."""
        self.client.secrets.kv.v2.update_metadata(path, mount_point=self.mount, custom_metadata=custom)

    def deploy(self, name: str) -> None:
        """Make a Deployment without Pods."""
        labels = {"app": name}
        pod = {"containers": [{"name": "app", "image": "example.com/app:1"}]}
        template = {"metadata": {"labels": labels}, "spec": pod}
        spec = {"selector": {"matchLabels": labels}, "template": template, "replicas": 0}
        body = {"apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": name}, "spec": spec}
        self.scene.kube.call("POST", DEPLOYMENTS.format(self.scene.at), body)

    def restarted(self, name: str) -> Any:
        """Return when a Deployment was restarted, None when it never was."""
        found = self.scene.kube.call("GET", DEPLOYMENTS.format(self.scene.at) + "/" + name)
        return (found["spec"]["template"]["metadata"].get("annotations") or {}).get("kubectl.kubernetes.io/restartedAt")

    def freeze(self) -> None:
        """Make the Secret immutable as soon as it is there, so that a sync fails after its time."""
        path = f"/api/v1/namespaces/{self.scene.at}/secrets/app"
        deadline = time.monotonic() + 20
        while True:
            try:
                self.scene.kube.call("PATCH", path, {"immutable": True}, "application/merge-patch+json")
                return
            except ApiException:
                # it is not synced yet
                if time.monotonic() > deadline:
                    raise
                time.sleep(0.2)


def entry(result: Result, name: str = "app") -> dict[str, Any]:
    """Return the result of one application."""
    return next(one for one in result["results"] if one["name"] == name)


class Shop:
    """An application over HTTP: ``status`` is called for each look at its health, ``asked`` are the answers."""

    def __init__(self, url: str, status: Callable[[], int]) -> None:
        self.url, self.status = url, status
        self.asked: list[int] = []


@contextmanager
def open_shop(status: Callable[[], int] = lambda: 200) -> Iterator[Shop]:
    """Have an application over HTTP."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            shop.asked.append(shop.status())
            self.send_response(shop.asked[-1] if self.path == "/health/" else 404)
            self.end_headers()

        def log_message(self, *_arguments: Any) -> None:
            """Say nothing."""

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        shop = Shop(f"http://127.0.0.1:{server.server_port}/health/", status)
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield shop
        server.shutdown()


class DatabaseEngine:
    """A database engine with two static roles and a connection that may change the password of a third user."""

    def __init__(self, work: Work, postgresql: PostgreSql, unique: str) -> None:
        self.work, self.postgresql, self.mount = work, postgresql, f"{unique}-db"
        self.users = [f"{unique}_{letter}" for letter in "abc"]
        self.root = f"root_{unique}"
        postgresql.query(f"CREATE ROLE {self.root} SUPERUSER LOGIN PASSWORD '{postgresql.password}'")
        for user in self.users:
            postgresql.query(f"CREATE ROLE {user} LOGIN PASSWORD 'the-first-of-{user}'")
        work.client.sys.enable_secrets_engine("database", path=self.mount)
        self.connect()
        for user in self.users[:2]:
            work.client.write_data(
                f"{self.mount}/static-roles/{user}",
                data={"db_name": "main", "username": user, "rotation_period": "8760h"},
            )

    def connect(self, **change: Any) -> None:
        self.work.client.write_data(
            f"{self.mount}/config/main",
            data={
                "plugin_name": "postgresql-database-plugin",
                "connection_url": self.postgresql.url,
                "username": self.root,
                "password": self.postgresql.password,
                "allowed_roles": [*self.users, "rotation-*"],
                **change,
            },
        )

    def password(self, user: str) -> str:
        """Return the password of a static role."""
        return str(self.work.client.read(f"{self.mount}/static-creds/{user}")["data"]["password"])

    def let_in(self, user: str, password: str) -> bool:
        """Tell whether PostgreSQL itself lets somebody in."""
        return self.postgresql.login(user, password)

    def leftovers(self) -> list[str]:
        """Return what a rotation left in the engine."""
        found = []
        for folder in ("roles", "config"):
            listed = self.work.client.list(f"{self.mount}/{folder}") or {"data": {"keys": []}}
            found += [name for name in listed["data"]["keys"] if name.startswith("rotation-")]
        return found
