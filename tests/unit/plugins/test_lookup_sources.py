# Copyright: Contributors to the secretops.vault_eso project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Who comes from community.hashi_vault changes a name and nothing else: its sources of options are the lookups' too."""

from __future__ import annotations

from typing import Any

import pytest
import yaml

from ansible_collections.secretops.vault_eso.plugins.doc_fragments import lookup, vault
from ansible_collections.secretops.vault_eso.plugins.plugin_utils._lookup import (
    CONNECTION,
    LOGIN,
    AnsibleError,
    proxy_for,
)

connection = pytest.importorskip("ansible_collections.community.hashi_vault.plugins.doc_fragments.connection")
auth = pytest.importorskip("ansible_collections.community.hashi_vault.plugins.doc_fragments.auth")

#: options of methods that are not ours, and those that need nothing of us
OTHERS = ("aws_", "azure_", "region", "boto_profile", "retry_action", "token_validate")
#: the same idea under our name
RENAMED = {"cert_auth_public_key": "client_cert", "cert_auth_private_key": "client_key", "mount_point": "auth_mount"}
RENAMED["proxies"] = "proxy"


def options(*texts: str) -> dict[str, dict[str, Any]]:
    """Return the options of several fragments, put together as Ansible does it."""
    found: dict[str, dict[str, Any]] = {}
    for text in texts:
        for name, option in yaml.safe_load(text)["options"].items():
            found.setdefault(name, {}).update(option)
    return found


def sources(of: dict[str, dict[str, Any]]) -> dict[tuple[str, str], str]:
    """Return the option that each variable, environment variable and setting is for."""
    return {
        (kind, entry[key]): name
        for name, option in of.items()
        for kind, key in (("vars", "name"), ("env", "name"), ("ini", "key"))
        for entry in option.get(kind) or ()
    }


OURS = options(
    vault.ModuleDocFragment.DOCUMENTATION, vault.ModuleDocFragment.LOGIN, lookup.ModuleDocFragment.DOCUMENTATION
)


def test_sources_of_the_other_collection_are_understood() -> None:
    given = (connection.ModuleDocFragment, auth.ModuleDocFragment)
    theirs = options(*(getattr(one, part) for one in given for part in ("DOCUMENTATION", "PLUGINS")))
    wanted = {
        source: RENAMED.get(name, name) for source, name in sources(theirs).items() if not name.startswith(OTHERS)
    }
    assert len(wanted) > 40
    ours = sources(OURS)
    assert {source: ours.get(source) for source in wanted} == wanted
    names = {name for option in OURS for name in (option, *(OURS[option].get("aliases") or ()))}
    assert {name for name in theirs if not name.startswith(OTHERS)} <= names


def test_each_option_of_the_modules_reaches_the_request() -> None:
    module = options(vault.ModuleDocFragment.DOCUMENTATION, vault.ModuleDocFragment.LOGIN)
    assert set(module) == {*CONNECTION, *LOGIN}


def test_a_proxy_for_each_scheme() -> None:
    both = {"http": "http://one", "https": "http://two"}
    assert proxy_for(both, ["https://vault"]) == "http://two"
    assert proxy_for(both, ["HTTP://vault"]) == "http://one"
    assert proxy_for('{"https": "http://two"}', []) == "http://two"
    assert proxy_for({"http": "http://one"}, ["https://vault"]) is None
    assert proxy_for("http://one", ["https://vault"]) == "http://one"
    assert proxy_for("", None) is None
    for wrong in ("{", ["http://one"], {"https": 5}):
        with pytest.raises(AnsibleError, match='"proxy"'):
            proxy_for(wrong, None)
