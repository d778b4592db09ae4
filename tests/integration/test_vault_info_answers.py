# Copyright: Contributors to the secretops.vault_eso project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""vault_info asks every mount whether the node serves it: an upgrade takes engines away and leaves their mounts."""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import Any, Callable

import pytest

from support.modules import Result
from support.openbao import Unavailable, VaultServer, find_binary, product_of, release

#: all that a login needs to look
RULES = "\n".join(
    f'path "{path}" {{ capabilities = ["{able}"] }}'
    for path, able in (
        ("sys/mounts", "read"),
        ("sys/auth", "read"),
        ("+/sys/mounts", "read"),
        ("+/sys/auth", "read"),
        ("sys/plugins/catalog", "read"),
        ("sys/namespaces", "list"),
        ("+/sys/namespaces", "list"),
    )
)


def test_an_upgrade_leaves_mounts_that_do_not_answer(
    new_server: Callable[..., VaultServer], run_module: Callable[..., Result], tmp_path: Path
) -> None:
    try:
        old = release("2.6.2")
    except Unavailable as reason:
        pytest.skip(str(reason))
    plugin = tmp_path / "ldap"
    plugin.write_text("#!/bin/sh\n")
    plugin.chmod(0o755)
    server = new_server(binary=old, plugin_directory=str(tmp_path))
    root = server.client()
    root.sys.enable_auth_method("ldap")
    root.sys.enable_secrets_engine("openldap", path="directory")
    root.write("sys/namespaces/team")
    server.client(namespace="team").sys.enable_auth_method("radius", path="staff")
    root.sys.create_or_update_policy("look", RULES)
    token = root.auth.token.create(policies=["look"])["auth"]["client_token"]

    def look(*subset: str) -> Result:
        options = {"url": [server.url], "ca_cert": server.ca_cert, "token": token, "gather_subset": list(subset)}
        return run_module("vault_info", options)

    def answers() -> dict[str, Any]:
        result = look("answers")
        assert not result.failed, result.msg
        assert not any(one["external"] for one in result["mounted"])
        return {"/".join((one["namespace"], one["path"])).strip("/"): one["answers"] for one in result["mounted"]}

    before = answers()
    leave = {"auth/ldap", "directory", "team/auth/staff"}
    assert leave < set(before) and {"sys", "identity", "auth/token", "team/sys", "team/cubbyhole"} < set(before)
    assert all(before.values())

    server.stop()
    server.binary = find_binary()
    if product_of(server.binary) < ("openbao", "2.7"):
        pytest.skip("this server still has what leaves in 2.7")
    server.start()
    server.unseal()
    after = answers()
    assert {path for path, answered in after.items() if not answered} == leave
    assert set(after) == set(before)

    root = server.client()
    root.write(
        "sys/plugins/catalog/auth/ldap",
        sha256=hashlib.sha256(plugin.read_bytes()).hexdigest(),
        command="ldap",
        version="v1.0.0",
    )
    assert [one["path"] for one in look("answers")["mounted"] if one["external"]] == ["auth/ldap"]
    assert look("all", "answers").failed, "the policy allows no more than the look"
