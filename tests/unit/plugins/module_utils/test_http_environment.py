# Copyright: Contributors to the secretops.vault_eso project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Environment variables of connections and logins: one table, which the documentation of the options agrees with."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
import yaml

from ansible_collections.secretops.vault_eso.plugins.doc_fragments import kubernetes, lookup, vault
from ansible_collections.secretops.vault_eso.plugins.module_utils._engine.errors import InvalidInput
from ansible_collections.secretops.vault_eso.plugins.module_utils._http import environment
from ansible_collections.secretops.vault_eso.plugins.module_utils._vault.auth import registry
from ansible_collections.secretops.vault_eso.plugins.module_utils._vault.connection.options import settings

ROOT = Path(__file__).resolve().parents[4]
OTHERS = {name for names in environment.OTHERS.values() for name in names}


def documented(*fragments: str) -> dict[str, list[str]]:
    """Return the variables that the documentation of options names, by option, without those of other programs."""
    options: dict[str, Any] = {}
    for text in fragments:
        for name, option in yaml.safe_load(text)["options"].items():
            options.setdefault(name, []).append(str(option.get("description") or ""))
    found = {name: re.findall(r"E\((\w+)\)", " ".join(texts)) for name, texts in options.items()}
    found.pop("auth_method", None)
    return {name: [one for one in names if one not in OTHERS] for name, names in found.items() if names}


@pytest.mark.parametrize(
    ("fragments", "table"),
    [
        ((vault.ModuleDocFragment.DOCUMENTATION, vault.ModuleDocFragment.LOGIN), environment.VAULT),
        ((kubernetes.ModuleDocFragment.DOCUMENTATION,), environment.KUBERNETES),
    ],
    ids=["vault", "kubernetes"],
)
def test_each_option_documents_its_variables(fragments: tuple[str, ...], table: Mapping[str, Any]) -> None:
    assert documented(*fragments) == {name: list(names) for name, names in table.items()}


def test_lookups_document_the_same() -> None:
    for name, names in documented(lookup.ModuleDocFragment.DOCUMENTATION).items():
        assert names == list(environment.VAULT[name])


def test_no_other_file_reads_a_variable_of_the_table() -> None:
    names = {name for table in (environment.VAULT, environment.KUBERNETES) for each in table.values() for name in each}
    pattern = re.compile(r"""(?:environ|getenv)\b[^\n]*["'](%s)["']""" % "|".join(names))
    found = {
        str(path.relative_to(ROOT)): match[1]
        for path in sorted((ROOT / "plugins").rglob("*.py"))
        for match in [pattern.search(path.read_text())]
        if match
    }
    assert found == {}


def test_the_first_variable_with_a_value_counts(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in environment.VAULT["proxy"]:
        monkeypatch.delenv(name, raising=False)
    assert environment.vault("proxy") is None
    monkeypatch.setenv("VAULT_HTTP_PROXY", "http://last:1")
    monkeypatch.setenv("BAO_PROXY_ADDR", "")
    assert environment.vault("proxy") == "http://last:1"
    monkeypatch.setenv("VAULT_PROXY_ADDR", "http://first:1")
    assert settings({})["proxy"] == "http://first:1"
    assert settings({"proxy": "http://given:1"})["proxy"] == "http://given:1"


def test_a_login_by_certificate_takes_the_files_of_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    login = registry.LOGINS["cert"]({"auth_method": "cert"})
    for option in ("client_cert", "client_key"):
        for name in environment.VAULT[option]:
            monkeypatch.delenv(name, raising=False)
    with pytest.raises(InvalidInput, match='needs "client_cert"'):
        login.validate()
    monkeypatch.setenv("VAULT_CLIENT_CERT", "/tls/client.crt")
    monkeypatch.setenv("BAO_CLIENT_KEY", "/tls/client.key")
    login.validate()
