# Copyright: Contributors to the secretops.vault_eso project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Filters through which roles use the product data and the server configuration of the module utilities."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Callable

from ansible.errors import AnsibleFilterError

from ansible_collections.secretops.vault_eso.plugins.module_utils._vault import products, server_config


def vault_product(name: str, version: str = "") -> dict[str, Any]:
    """Return what the product is and can do in this version."""
    try:
        return products.product(str(name)).describe(str(version or ""))
    except ValueError as error:
        raise AnsibleFilterError("vault_product: %s" % error) from None


def vault_detect(output: str) -> dict[str, str]:
    """Return product and version from the output of the binary's C(version) command."""
    try:
        product, version = products.detect(str(output))
    except ValueError as error:
        raise AnsibleFilterError("vault_detect: %s" % error) from None
    return {"product": product, "version": version}


def vault_server_problems(wish: Mapping[str, Any]) -> list[str]:
    """Return why the wish cannot come true, one sentence each."""
    return server_config.problems(wish)


def vault_server_config(wish: Mapping[str, Any]) -> dict[str, Any]:
    """Return the server's configuration, or fail with the wish's problems."""
    found = server_config.problems(wish)
    if found:
        raise AnsibleFilterError("; ".join(found))
    return server_config.build(wish)


def vault_server_environment(wish: Mapping[str, Any]) -> dict[str, str]:
    """Return the environment of the service, secrets included."""
    return server_config.environment(wish)


def vault_server_static_keys(wish: Mapping[str, Any]) -> list[dict[str, str]]:
    """Return which static seal key files belong where."""
    return server_config.static_keys(wish)


def vault_server_written_directories(wish: Mapping[str, Any]) -> list[str]:
    """Return the directories of log and audit files."""
    return server_config.written_directories(wish)


def vault_server_pending(
    desired: Mapping[str, Any],
    product: str,
    started: Mapping[str, Any] | None,
    loaded: Mapping[str, Any] | None,
    restart_because: Sequence[str] = (),
    reload_because: Sequence[str] = (),
) -> dict[str, Any]:
    """Return whether a running node needs a reload or a restart to run as declared, and why."""
    return server_config.pending(
        str(product), desired, started or None, loaded or None, restart_because, reload_because
    )


class FilterModule:
    """The filters of this file."""

    def filters(self) -> dict[str, Callable[..., Any]]:
        """Return the filters by name."""
        return {
            "vault_detect": vault_detect,
            "vault_product": vault_product,
            "vault_server_config": vault_server_config,
            "vault_server_environment": vault_server_environment,
            "vault_server_pending": vault_server_pending,
            "vault_server_problems": vault_server_problems,
            "vault_server_static_keys": vault_server_static_keys,
            "vault_server_written_directories": vault_server_written_directories,
        }
