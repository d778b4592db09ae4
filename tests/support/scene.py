# Copyright: Contributors to the secretops.vault_eso project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A whole chain from an ExternalSecret to Vault, real on both sides, whose links a test can break one by one."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import hvac

from .kubernetes_api import AUDIENCE, KubeApi
from .modules import Result
from .openbao import VaultServer, enable_kv

Run = Callable[..., Result]


class Scene:
    """A store that logs in by Kubernetes and an ExternalSecret that reads two secrets; ``at`` is its namespace."""

    def __init__(self, kube: KubeApi, vault: VaultServer, run_module: Run, namespace: str, unique: str) -> None:
        self.kube, self.vault, self.run_module = kube, vault, run_module
        self.at, self.name = namespace, unique
        self.client: hvac.Client = vault.client()
        self.role_path = f"auth/{unique}/role/eso"
        self.role = {
            "bound_service_account_names": ["eso"],
            "bound_service_account_namespaces": [namespace],
            "audience": "vault",
            "token_policies": [unique],
            "token_ttl": "10m",
        }
        self.auth = {
            "kubernetes": {
                "mount_path": unique,
                "role": "eso",
                "service_account": {"name": "eso", "audiences": ["vault", AUDIENCE]},
            }
        }

    def raise_up(self) -> None:
        enable_kv(self.client, f"{self.name}-kv")
        self.put("app", user="a-user-name", password="a-secret-password")
        self.put("cache", url="a-secret-url")
        self.allow(f'path "{self.name}-kv/data/*" {{ capabilities = ["read"] }}')
        self.client.sys.enable_auth_method("kubernetes", path=self.name)
        self.client.write(
            f"auth/{self.name}/config",
            kubernetes_host=self.kube.url,
            kubernetes_ca_cert=Path(self.kube.ca_cert).read_text(),
            disable_local_ca_jwt=True,
        )
        self.client.write(self.role_path, **self.role)
        self.kube.service_account(self.at, "eso", reviewer=True)
        self.store()
        self.external()

    def tear_down(self) -> None:
        self.client.sys.disable_auth_method(self.name)
        self.client.sys.disable_secrets_engine(f"{self.name}-kv")
        self.client.sys.delete_policy(self.name)

    def put(self, name: str, **values: str) -> None:
        deadline = time.monotonic() + 20
        while True:
            try:
                self.client.secrets.kv.v2.create_or_update_secret(name, values, mount_point=f"{self.name}-kv")
                return
            except hvac.exceptions.InvalidRequest:
                # a new engine of version 2 is not there at once
                if time.monotonic() > deadline:
                    raise
                time.sleep(0.1)

    def allow(self, rules: str) -> None:
        self.client.sys.create_or_update_policy(self.name, rules)

    def store(self, **change: Any) -> None:
        options = {
            "kubeconfig": self.kube.kubeconfig,
            "name": "vault",
            "namespace": self.at,
            "server": self.vault.url,
            "path": f"{self.name}-kv",
            "ca_bundle": Path(self.vault.ca_cert).read_text(),
            "auth": self.auth,
            **change,
        }
        self.run_module("eso_secretstore", options, must_succeed=True)

    def external(self, **change: Any) -> None:
        options = {
            "kubeconfig": self.kube.kubeconfig,
            "name": "app",
            "namespace": self.at,
            "store": {"name": "vault"},
            "refresh_interval": "1h",
            "data": [{"secret_key": "password", "remote_ref": {"key": "app", "property": "password"}}],
            "data_from": [{"extract": {"key": "cache"}}],
            **change,
        }
        self.run_module("eso_externalsecret", options, must_succeed=True)

    def verify(self, **change: Any) -> Result:
        options = {
            "kubeconfig": self.kube.kubeconfig,
            "namespaces": [self.at],
            "ready": False,
            "vault": {"url": [self.vault.url], "ca_cert": self.vault.ca_cert, "token": self.vault.token},
            **change,
        }
        found = self.run_module("eso_verify", options)
        found.hides("a-secret-password", "a-secret-url", "a-user-name", self.vault.token)
        return found

    def broken(self, link: str, **change: Any) -> str:
        """Return the message, after making sure that this is the link that is named."""
        found = self.verify(**change)
        assert found.failed, f"{link} was broken and nobody saw it"
        assert [one["link"] for one in found["results"] if not one["holds"]] == [link], found.msg
        return found.msg

    def tokens(self) -> set[str]:
        """Which tokens there are, by accessor: others on the same server may end meanwhile, so compare with `<=`."""
        return set(self.client.list("auth/token/accessors")["data"]["keys"])
