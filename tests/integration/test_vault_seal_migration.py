# Copyright: Contributors to the secretops.vault_eso project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""vault_unseal with migrate: from key shares to a seal that opens by itself, and back."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any, Callable

from support.modules import run_module
from support.openbao import VaultServer, enable_kv


def start_with(server: VaultServer, **seal: Any) -> None:
    """Start the server with another seal; without one it has that of key shares."""
    server.stop()
    configuration = json.loads(server.configuration.read_text())
    configuration.pop("seal", None)
    server.configuration.write_text(json.dumps({**configuration, **({"seal": seal} if seal else {})}))
    server.start()


def test_a_seal_is_migrated_and_back(new_server: Callable[..., VaultServer], tmp_path: Path) -> None:
    server = new_server(initialise=False)
    store = tmp_path / "keys" / "unseal-keys.json"
    where = {"url": [server.url], "ca_cert": server.ca_cert}
    made = {**where, "key_store": str(store), "shares": 3, "threshold": 2, "plain_shares": True}
    run_module("vault_init", made, must_succeed=True)
    unsealing = {**where, "key_store": str(store), "wait_timeout": 20}
    run_module("vault_unseal", unsealing, must_succeed=True)
    held = json.loads(store.read_text())
    client = server.client(held["root_token"])
    enable_kv(client, "kv")
    client.secrets.kv.v2.create_or_update_secret("canary", {"value": "one"}, mount_point="kv")
    (tmp_path / "static.key").write_bytes(os.urandom(32))
    static = {"current_key_id": "one", "current_key": f"file://{tmp_path}/static.key"}

    def migrate(kind: str) -> None:
        refused = run_module("vault_unseal", unsealing)
        assert refused.failed and "waits for a migration" in refused["msg"], refused
        planned = run_module("vault_unseal", {**unsealing, "migrate": True}, check=True)
        assert planned["changed"] is True and server.health() == 503
        done = run_module("vault_unseal", {**unsealing, "migrate": True}, must_succeed=True)
        assert done["unsealed"] == [server.url]
        done.hides(*held["shares"])
        server.wait_active()
        told = json.loads(store.read_text())
        assert (told["share_type"], told["shares"]) == (kind, held["shares"])
        again = run_module("vault_unseal", {**unsealing, "migrate": True}, must_succeed=True)
        assert again["changed"] is False
        value = client.secrets.kv.v2.read_secret_version("canary", mount_point="kv", raise_on_deleted_version=True)
        assert value["data"]["data"] == {"value": "one"}
        proven = {**where, "token": held["root_token"], "key_store": str(store)}
        assert run_module("vault_key_shares", proven, must_succeed=True)["proven"] is True

    start_with(server, static=static)
    migrate("recovery")
    server.restart()
    server.wait_active()
    start_with(server, static={**static, "disabled": "true"})
    migrate("unseal")
    # the former stanza is taken away
    start_with(server)
    run_module("vault_unseal", unsealing, must_succeed=True)
    server.wait_active()
