# Copyright: Contributors to the secretops.vault_eso project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# Private to this collection: what is here may change at any time. Other collections must not import it.
"""Archives of raft snapshots on their way from and to the active node. Source: /api-docs/system/storage/raft."""

from __future__ import annotations

import http.client
import os
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

from ..._engine.credential import in_header
from ..._engine.errors import SecretopsError
from ..._http import rules
from ..connection.client import Client
from ..connection.errors import Unreachable, VaultError, unreachable
from .status import PAUSE

try:
    import requests
except ImportError:
    requests = None  # type: ignore[assignment]  # the module has said so before it comes here


#: Restored data names the leader of the cluster that it came from until the next one is elected; seconds.
ELECTION = 15.0


class NotLeading(Unreachable):
    """The node led the cluster when it was chosen, and is a standby now."""


def leader(client: Client, seconds: float = ELECTION) -> Client:
    """Return a client for the active node, which may take ``seconds`` to be elected. Raises SecretopsError."""
    deadline = time.monotonic() + seconds
    while True:
        url = client.choose()
        state = client.at(url).api.sys.read_leader_status()
        if state.get("is_self") or not state.get("ha_enabled", True):
            return client.at(url, client.token)
        address = str(state.get("leader_address") or "")
        if address and rules.origin(address) in client.named:
            return client.at(address, client.token)
        if time.monotonic() > deadline:
            if not address:
                raise SecretopsError("the cluster has no leader", url, "unseal more than half of its nodes")
            raise VaultError(
                "the leader is at %s, which is not among the named addresses" % str(rules.origin(address)),
                url,
                'add that address to "url" if it is a node of the cluster',
            )
        time.sleep(PAUSE)
        client.choose_again()


@contextmanager
def transfer(
    client: Client, method: str, path: str, params: Mapping[str, Any], body: Any = None
) -> Iterator[Iterator[bytes]]:
    """Send or fetch an archive, and give the answer piece by piece. Raises VaultError for what is no success."""
    headers = {"X-Vault-Token": in_header(client.token or "", "token"), "X-Vault-Request": "true"}
    if body is not None:
        headers["Content-Length"] = str(os.fstat(body.fileno()).st_size)
    seconds = params["transfer_timeout"]
    url = "%s/v1/%s" % (client.url, path)
    try:
        with client.session.transfer(method, url, headers, body, seconds, params["max_size"]) as (answer, pieces):
            if answer.status_code in rules.REDIRECTS:
                client.redirected(answer, url)
                raise NotLeading("the node is not the leader any more", client.url, "run again")
            if answer.status_code not in (200, 204):
                answer.content = next(pieces, b"")
                client.understand(answer, method, path)
            yield pieces
    except (http.client.HTTPException, requests.exceptions.RequestException, OSError) as error:
        if isinstance(error, OSError) and error.filename:
            raise SecretopsError(
                "cannot be written (%s)" % error.strerror, error.filename, "make room on the disk"
            ) from error
        raise unreachable(error, client.url, seconds, client.ca_cert) from error
