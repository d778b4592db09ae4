# Copyright: Contributors to the secretops.vault_eso project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What of a connection is told as a warning."""

from __future__ import annotations

from pathlib import Path

from ansible_collections.secretops.vault_eso.plugins.module_utils._http.insecure import warnings_of


def test_a_secure_connection_gives_no_warning(tmp_path: Path) -> None:
    (tmp_path / "token").write_text("x")
    (tmp_path / "token").chmod(0o600)
    urls = ["https://vault.example.com:8200", "http://127.0.0.1:8200", "http://[::1]:8200", "http://localhost:8200"]
    assert warnings_of(urls, True, {"token_file": str(tmp_path / "token"), "jwt_file": None}) == []
    assert warnings_of(urls[1:], False, {"token_file": str(tmp_path / "none")}) == []


def test_what_is_insecure_is_warned_about(tmp_path: Path) -> None:
    (tmp_path / "token").write_text("x")
    (tmp_path / "token").chmod(0o644)
    assert warnings_of(["HTTP://vault.example.com"], True, {})[0].startswith("HTTP://vault.example.com: http sends")
    assert "not checked (validate_certs)" in warnings_of(["https://vault.example.com"], False, {})[0]
    (open_file,) = warnings_of([], True, {"token_file": str(tmp_path / "token")})
    assert open_file == f'option "token_file": others can use {tmp_path}/token (mode 0644); chmod 600 it'
