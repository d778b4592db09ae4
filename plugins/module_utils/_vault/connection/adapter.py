# Copyright: Contributors to the secretops.vault_eso project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# Private to this collection: what is here may change at any time. Other collections must not import it.
"""hvac's API classes over this collection's client.

For requests without a token: logins, and the state of a server before anybody can log in. The client itself sends
everything else: it knows which requests are idempotent and what an answer means.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from .transport import HVAC_ERROR

if HVAC_ERROR is None:
    import hvac
    from hvac.adapters import Adapter
else:
    Adapter = object

if TYPE_CHECKING:
    from .client import Client


class ClientAdapter(Adapter):
    """hvac's extension point: requests of its API classes go through `Client.request`, without a token.

    So they use the client's pool, deadline, redirects, errors and namespace. Only GET and LIST are retried. Answers are
    decoded JSON, as those of hvac's own adapter.
    """

    #: the client that sends; set by `api`, because hvac makes the adapter
    client: Client

    def get_login_token(self, response: Mapping[str, Any]) -> str:
        """Return the token of a login's answer."""
        return str(response["auth"]["client_token"])

    def request(
        self,
        method: str,
        url: str,
        headers: Mapping[str, str] | None = None,
        raise_exception: bool = True,
        json: Mapping[str, Any] | None = None,
        params: Mapping[str, Any] | None = None,
    ) -> dict[str, Any]:
        """Send a request and return its answer. Raises as `Client.request` does, whatever ``raise_exception`` says."""
        # hvac sends options that are not given as null
        body = None if json is None else {name: value for name, value in json.items() if value is not None}
        path = url.strip("/")
        answer = self.client.request(
            method.upper(),
            path[3:] if path.startswith("v1/") else path,
            body,
            params,
            idempotent=method.upper() in ("GET", "LIST"),
            authenticated=False,
            headers=headers,
        )
        return answer or {}


def api(client: Client) -> Any:
    """Return hvac's client over ours, for requests without a token."""
    # all arguments are named, because hvac reads the environment for missing ones; the adapter does not use the session
    found = hvac.Client(url=client.url, token="", verify=True, session=client.session, adapter=ClientAdapter)
    found.adapter.client = client
    return found
