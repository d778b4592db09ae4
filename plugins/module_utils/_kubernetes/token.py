# Copyright: Contributors to the secretops.vault_eso project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# Private to this collection: what is here may change at any time. Other collections must not import it.
"""Short-lived service account tokens. Source: TokenRequest, authentication.k8s.io/v1."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from .._engine import private_file
from .._engine.errors import InvalidInput
from .client import Client
from .kind import SERVICE_ACCOUNT


def issue(client: Client, params: Mapping[str, Any]) -> dict[str, Any]:
    """Ask for a token, write it to ``dest``, and return when it expires: never the token itself.

    Raises InvalidInput, KubernetesError.
    """
    private_file.prepare(params["dest"], "dest")
    where = 'service account "%s/%s"' % (params["namespace"], params["name"])
    path = SERVICE_ACCOUNT.path("v1", params["namespace"], params["name"])
    if client.get(path) is None:
        raise InvalidInput("does not exist", where, "create it, or correct its name and namespace")
    spec: dict[str, Any] = {"expirationSeconds": params["expiration_seconds"]}
    if params["audiences"]:
        spec["audiences"] = params["audiences"]
    wanted = {"apiVersion": "authentication.k8s.io/v1", "kind": "TokenRequest", "spec": spec}
    answer = client.request("POST", path + "/token", wanted) or {}
    private_file.write(params["dest"], answer["status"]["token"])
    return {"expiration": answer["status"]["expirationTimestamp"], "dest": params["dest"]}
