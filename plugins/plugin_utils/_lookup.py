# Copyright: Contributors to the secretops.vault_eso project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# Private to this collection: what is here may change at any time. Other collections must not import it.
"""What the lookups share: their options, who is asked, and what is masked."""

from __future__ import annotations

import difflib
import json
import os
from collections.abc import Mapping, Sequence
from typing import Any, ClassVar

from ansible.errors import AnsibleError
from ansible.plugins.lookup import LookupBase
from ansible.utils.display import Display

from ansible_collections.secretops.vault_eso.plugins.plugin_utils import _run as run
from ansible_collections.secretops.vault_eso.plugins.plugin_utils._masking import mask_task

display = Display()

#: options that say how to connect, in the names of the modules
CONNECTION = (
    *("url", "ca_cert", "validate_certs", "tls_server_name", "namespace", "timeout", "retries", "follow_redirects"),
    *("client_cert", "client_key", "proxy"),
)
#: and how to log in
LOGIN = (
    "auth_method",
    "auth_mount",
    "auth_role",
    "token",
    "token_file",
    "role_id",
    "role_id_file",
    "secret_id",
    "secret_id_file",
    "jwt",
    "jwt_file",
    "username",
    "password",
)
#: options that the other collections' users may give, and that need nothing of us
IGNORED = ("token_validate", "retry_action")
#: options whose names a request uses for something else
RENAMED = {"kv_version": "engine"}
#: what a session of the role vault_session tells the play
SESSION = "vault_session_token"


def plain(value: Any) -> Any:
    """Return a value without Ansible's own types, for JSON."""
    if isinstance(value, str):
        # joining gives a text of the type itself
        return "".join(value)
    if isinstance(value, Mapping):
        return {plain(key): plain(part) for key, part in value.items()}
    if isinstance(value, (list, tuple)):
        return [plain(part) for part in value]
    return value


def proxy_for(given: Any, urls: Any) -> str | None:
    """Return the proxy of a text, or of a mapping by scheme (also as text of JSON). Raises AnsibleError."""
    if isinstance(given, str) and given.lstrip().startswith("{"):
        try:
            given = json.loads(given)
        except ValueError:
            raise AnsibleError('"proxy" begins like a mapping and is not JSON') from None
    if isinstance(given, Mapping):
        scheme = str(urls[0]).partition("://")[0].lower() if urls else "https"
        given = given.get(scheme)
    if given is not None and not isinstance(given, str):
        raise AnsibleError('"proxy" is the URL of a proxy, or a mapping of "http" and "https" to such URLs')
    return given or None


class Lookup(LookupBase):
    """A lookup of values; subclasses say ``what`` they ask for, and which of their options the request holds."""

    what: ClassVar[str] = ""
    sent: ClassVar[Sequence[str]] = ()

    def run(self, terms: Sequence[Any], variables: Mapping[str, Any] | None = None, **kwargs: Any) -> list[Any]:
        """Return one value for each term. Raises AnsibleError."""
        variables = variables or {}
        self._check_names(kwargs)
        self.set_options(var_options=self._variables(variables), direct=kwargs)
        params = self._params(variables, kwargs)
        results, masked = [], False
        for term in terms:
            if not isinstance(term, str) or not term.strip():
                raise AnsibleError('a term of this lookup is the path of what to read, and "%s" is none' % (term,))
            request = {RENAMED.get(name, name): self.get_option(name) for name in self.sent}
            answer = self._ask({**request, "what": self.what, "path": term, "params": params})
            if "value" in answer:
                results.append(answer["value"])
            elif "missing" in answer and "default" in kwargs:
                results.append(kwargs["default"])
            else:
                sentence = str(answer.get("error") or answer.get("missing"))
                if masked:
                    # what the failed task itself has to say is hidden
                    display.warning(sentence)
                raise AnsibleError(sentence)
            if self.get_option("mask") and not masked:
                masked = mask_task()
        return results

    def _check_names(self, given: Mapping[str, Any]) -> None:
        """Refuse an option that there is not: Ansible itself would ignore it. Raises AnsibleError."""
        known = set(self.option_definitions)
        for option in self.option_definitions.values():
            known |= set(option.get("aliases") or ())
        for name in given:
            if name not in known:
                near = difflib.get_close_matches(name, known, 1)
                hint = 'did you mean "%s"?' % near[0] if near else "see ansible-doc -t lookup"
                raise AnsibleError('this lookup has no option "%s"; %s' % (name, hint))

    def _variables(self, variables: Mapping[str, Any]) -> dict[str, Any]:
        """Return the variables that options may come from, with the templates in them evaluated."""
        names = {entry["name"] for option in self.option_definitions.values() for entry in option.get("vars") or ()}
        return {name: self._value(variables[name]) for name in names if name in variables}

    def _value(self, value: Any) -> Any:
        return self._templar.template(value) if self._templar is not None else value

    def _is_given(self, name: str, value: Any, direct: Mapping[str, Any]) -> bool:
        option = self.option_definitions[name]
        named = {name, *(option.get("aliases") or ())} & set(direct)
        return value is not None and (bool(named) or value != option.get("default"))

    def _params(self, variables: Mapping[str, Any], direct: Mapping[str, Any]) -> dict[str, Any]:
        """Return how to connect and log in: the lookup's options, completed by what the roles' variables say."""
        params = {name: self.get_option(name) for name in (*CONNECTION, *LOGIN)}
        given = {name for name, value in params.items() if self._is_given(name, value, direct)}
        session = self._value(variables[SESSION]) if SESSION in variables else None
        groups = (self.get_option("connection"), session or self.get_option("login"))
        for group, names in zip(groups, ((*CONNECTION, *LOGIN), LOGIN)):
            for name, value in (group or {}).items():
                if name in names and name not in given and value is not None:
                    params[name] = value
        if isinstance(params["url"], str):
            params["url"] = [part.strip() for part in params["url"].split(",") if part.strip()]
        params["proxy"] = proxy_for(params["proxy"], params["url"])
        folder = self.get_option("token_path")
        if folder:
            params["token_file"] = os.path.join(folder, params["token_file"] or ".vault-token")
        if params["auth_method"] in ("cert", "jwt", "kubernetes") and not params["auth_role"]:
            params["auth_role"] = params["role_id"]
        for name in (*CONNECTION, *LOGIN):
            if name.endswith("_file") or name in ("ca_cert", "client_cert", "client_key"):
                # the broker's directory is not ours
                params[name] = os.path.abspath(os.path.expanduser(params[name])) if params[name] else None
        return dict(plain(params))

    def _ask(self, request: Mapping[str, Any]) -> dict[str, Any]:
        request = dict(plain(request))
        try:
            return run.ask(request)
        except run.NoBroker as reason:
            display.warning("each lookup of Vault logs in by itself: %s" % reason)
        from ansible_collections.secretops.vault_eso.plugins.plugin_utils._service import Service

        service = Service()
        try:
            return service.answer(request)
        finally:
            service.end()
