# Copyright: Contributors to the secretops.vault_eso project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# Private to this collection: what is here may change at any time. Other collections must not import it.
"""The Vault modules' argument spec, and their base class with a connection."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any, Callable

from ..._engine.errors import SecretopsError
from ..._engine.field import argument_spec
from ..._engine.module import UPDATE_SECRETS_SPEC, Module
from ..._engine.report import Report
from ..._engine.secrets import KNOWN
from ..auth.registry import LOGINS, login_fields, login_for
from ..base.kind import Kind, RunContext
from . import session
from .client import Client
from .errors import NoNamespace
from .options import connect
from .transport import HVAC_ERROR

CONNECTION_SPEC: dict[str, Any] = {
    "url": {"type": "list", "elements": "str", "aliases": ["vault_addr"]},
    "ca_cert": {"type": "path"},
    "validate_certs": {"type": "bool"},
    "tls_server_name": {"type": "str"},
    "namespace": {"type": "str"},
    "timeout": {"type": "int", "default": 30},
    "retries": {"type": "int", "default": 4},
    "follow_redirects": {"type": "bool", "default": True},
    "client_cert": {"type": "path"},
    "client_key": {"type": "path", "no_log": False},
    "proxy": {"type": "str"},
}
LOGIN_SPEC: dict[str, Any] = {
    "auth_method": {"type": "str", "choices": sorted(LOGINS)},
    "auth_mount": {"type": "str"},
    **argument_spec(login_fields()),
}


@contextmanager
def logged_in(
    client: Client,
    params: Mapping[str, Any],
    warn: Callable[[str], None],
    check_mode: bool = False,
) -> Iterator[Client]:
    """Log a client in by the login options; at the end revoke the token of this login, and close the client.

    Raises InvalidInput, PermissionDenied, BadRequest, Unreachable, Sealed.
    """
    login = login_for(params)
    kept = ""
    try:
        client.choose()
        client.token = login.token(client)
        if login.leased:
            kept = session.keep_while(client.token, params)
        if not login.leased:
            try:
                client.greet()
            except NoNamespace as error:
                if not check_mode:
                    raise
                # an earlier task may create it
                warn("%s: nothing exists in it yet" % error.what)
                client.expect([""])
        if not login.leased and params.get("token_file"):
            session.keep(client, params["token_file"])
        yield client
    finally:
        if login.leased and client.token:
            # do not wait again for a server that did not answer the task
            client.retries = min(client.retries, 1)
            try:
                client.request("POST", "auth/token/revoke-self", {}, idempotent=True)
                if kept:
                    session.discard(kept)
            except SecretopsError as error:
                # the next run tries again
                warn("the module's own token could not be revoked: %s" % error)
        client.close()


class VaultModule(Module):
    """A module that talks to Vault. ``login=False``: without a token, for init, unseal and the state of a server.

    Such a module takes the login options as well, and leaves them alone: `module_defaults` of the action group give the
    same to all.

    ``whole_cluster``: servers refuse in a namespace what it does. The login is that of the option ``namespace``, all
    else is done in the root namespace. So is all that needs no token.
    """

    def __init__(
        self,
        argument_spec: Mapping[str, Any] | None = None,
        plural: str = "",
        item: Mapping[str, Any] | None = None,
        required: Sequence[str] = ("name",),
        login: bool = True,
        update_secrets: bool = False,
        whole_cluster: bool = False,
        **kwargs: Any,
    ) -> None:
        spec = {
            **CONNECTION_SPEC,
            **LOGIN_SPEC,
            **(UPDATE_SECRETS_SPEC if update_secrets else {}),
            **(argument_spec or {}),
        }
        super().__init__(spec, plural, item, required, **kwargs)
        self.login = login
        self.whole_cluster = whole_cluster
        self.requests: dict[str, int] = {}
        self.require("hvac", HVAC_ERROR)

    def finish(self, report: Report, **extra: Any) -> None:
        """Exit or fail with the report and the number of requests."""
        super().finish(report, requests=dict(self.requests), **extra)

    @contextmanager
    def client(self) -> Iterator[Client]:
        """Yield a logged-in client; revoke the token at the end when this module itself logged in.

        Errors inside end the module with one sentence.
        """
        with self.failing_clearly():
            client = connect(self.params, warn=self.ansible.warn)
            self.requests = client.requests
            if not self.login:
                client.namespace = None
                try:
                    yield client
                finally:
                    client.close()
                return
            with logged_in(client, self.params, self.ansible.warn, self.check_mode):
                yield client.within(None) if self.whole_cluster else client


def converge(kind: Kind) -> None:
    """Run the module of one kind: converge the declared objects and exit with the report."""
    module = VaultModule(
        kind.options,
        kind.plural,
        kind.item,
        required=kind.required,
        update_secrets=kind.update_secrets,
        may_be_empty=kind.may_be_empty,
        concealed=kind.concealed,
        mutually_exclusive=[list(names) for names in kind.mutually_exclusive],
    )
    for library, error in kind.libraries:
        module.require(library, error)
    KNOWN.add(*kind.secrets([module.params, *(module.params[kind.plural] or [])]))
    with module.client() as client:
        items = module.items()
        context = RunContext(module.params, module.check_mode)
        KNOWN.public(kind.public(items, context))
        module.reconcile(kind.resources(client, items, context))
