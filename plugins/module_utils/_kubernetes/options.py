# Copyright: Contributors to the secretops.vault_eso project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# Private to this collection: what is here may change at any time. Other collections must not import it.
"""Creates a client from options, environment and kubeconfig."""

from __future__ import annotations

import os
import tempfile
import threading
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager, suppress
from typing import Any

from .._engine import private_file
from .._engine.credential import in_header
from .._engine.errors import InvalidInput
from .._engine.secret_patterns import shown_path
from .._http import environment, rules
from .client import Client
from .transport import KUBERNETES_ERROR

if KUBERNETES_ERROR is None:
    from kubernetes import client as kubernetes_client
    from kubernetes import config as kubernetes_config
    from kubernetes.config import kube_config

#: the official client shares the files that it writes among all clients of a process
_loading = threading.Lock()


def connect(params: Mapping[str, Any]) -> Client:
    """Return a client from the connection options, ``K8S_AUTH_*``, ``KUBECONFIG``, ``~/.kube/config`` or the pod.

    Raises InvalidInput when none of these is usable.
    """
    timeout, retries = params.get("timeout"), params.get("retries")
    # the official client writes the key and the certificates of a kubeconfig to files
    with _loading, ExitStack() as files:
        configuration, headers = _settings(params, files)
        client = Client(configuration, 30 if timeout is None else timeout, 3 if retries is None else retries, headers)
        if client.transport.reads_files:
            client.at_close = files.pop_all().close
    return client


def _settings(params: Mapping[str, Any], opened: ExitStack) -> tuple[Any, dict[str, str]]:
    """Return the official client's configuration and the headers of every request. Raises InvalidInput.

    Files that the configuration names and that were written for it are removed when ``opened`` is closed.
    """

    def given(option: str) -> Any:
        value = params.get(option)
        return value if value is not None else environment.kubernetes(option)

    kubeconfig, context, host, api_key = map(given, ("kubeconfig", "context", "host", "api_key"))
    configuration = kubernetes_client.Configuration()
    files = {
        "ssl_ca_cert": ("ca_cert", given("ca_cert")),
        "cert_file": ("client_cert", given("client_cert")),
        "key_file": ("client_key", given("client_key")),
    }
    for option, name in files.values():
        if name and not os.path.exists(name):
            raise InvalidInput(
                'no such file: "%s"' % shown_path(name),
                'option "%s"' % option,
                "give the path of an existing PEM file on the machine where the module runs",
            )
    if not (host and (api_key or files["cert_file"][1])):
        _load(configuration, kubeconfig, context, opened)
    if host:
        configuration.host = rules.check_url(str(host), "host", "https://host:6443")
    configuration.host = rules.check_url(str(configuration.host), "host", "https://host:6443")
    if api_key:
        api_key = in_header(api_key, "api_key")
        # a key of the kubeconfig's user would come back through the hook
        configuration.refresh_api_key_hook = None
        configuration.api_key = {"BearerToken": api_key, "authorization": api_key}
        configuration.api_key_prefix = {"BearerToken": "Bearer", "authorization": "Bearer"}
        if not files["cert_file"][1]:
            configuration.cert_file = configuration.key_file = None
    for attribute, (_option, name) in files.items():
        if name:
            setattr(configuration, attribute, name)
    validate = given("validate_certs")
    if validate is not None:
        configuration.verify_ssl = str(validate).lower() not in ("0", "false", "no")
    proxy, no_proxy = given("proxy"), given("no_proxy")
    if proxy:
        configuration.proxy = proxy
    if no_proxy:
        configuration.no_proxy = no_proxy
    headers = {}
    user = given("impersonate_user")
    if user:
        headers["Impersonate-User"] = user
    rules.check_headers(headers)
    return configuration, headers


@contextmanager
def _own_files(folder: str) -> Iterator[None]:
    """Have the official client write the files of one configuration to ``folder``, and forget them afterwards.

    It shares its files among the clients of a process by their contents, and removes all of them at the regular end of
    Python: a client would lose those that it uses with another client's, and use those of others.
    """
    shared: dict[str, str] = getattr(kube_config, "_temp_files", {})
    of_others = dict(shared)
    shared.clear()
    try:
        yield
    finally:
        for path in shared.values():
            # the CA of an OIDC provider, which a login alone needed
            if os.path.dirname(path) != folder:
                with suppress(OSError):
                    os.remove(path)
        shared.clear()
        # a login that is renewed writes again, to the folder of its client, which may be closed by now
        shared.update({text: path for text, path in of_others.items() if os.path.exists(path)})


def _load(configuration: Any, kubeconfig: Any, context: str | None, opened: ExitStack) -> None:
    where = 'option "kubeconfig"'
    try:
        if kubeconfig:
            path = os.path.expanduser(str(kubeconfig))
            if not any(os.path.exists(part) for part in path.split(os.pathsep)):
                raise InvalidInput(
                    'no such file: "%s"' % shown_path(path), where, "give the path of an existing kubeconfig"
                )
        else:
            path = environment.kubeconfig()
            if not context and environment.in_pod() and not os.path.exists(path):
                kubernetes_config.load_incluster_config(client_configuration=configuration)
                return
            if not any(os.path.exists(part) for part in path.split(os.pathsep)):
                raise InvalidInput(
                    "no Kubernetes cluster is known",
                    where,
                    'set "kubeconfig", or "host" with "api_key", or the environment variable KUBECONFIG',
                )
        folder = opened.enter_context(
            tempfile.TemporaryDirectory(dir=private_file.memory_folder(), prefix="kubeconfig-")
        )
        with _own_files(folder):
            kubernetes_config.load_kube_config(
                path, context=context, client_configuration=configuration, persist_config=False, temp_file_path=folder
            )
    except kubernetes_config.ConfigException as error:
        raise InvalidInput(
            "it cannot be used (%s)" % str(error).strip().rstrip("."), where, "check the file and the context's name"
        ) from error
    except InvalidInput:
        raise
    except Exception as error:
        raise InvalidInput(
            "it is not a kubeconfig (%s)" % type(error).__name__, where, "give a file that kubectl can use"
        ) from error
