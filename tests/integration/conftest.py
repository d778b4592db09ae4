# Copyright: Contributors to the secretops.vault_eso project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Session-wide real servers for the integration tests; see tests/README.md."""

from __future__ import annotations

import itertools
import os
import shutil
import signal
import subprocess
import tempfile
import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Callable

import pytest

from support import eso_operator, kubernetes_api, modules, packages
from support.openbao import VaultServer
from support.postgresql import PASSWORD, PostgreSql
from support.rotation import DatabaseEngine, Work
from support.scene import Scene
from support.storage import S3Server

_numbers = itertools.count(1)

#: Files that take longest, the longest first. With several processes each takes the next file, so that a long one among
#: the last would leave the other processes with nothing to do.
LONGEST = (
    "restore",
    "restore_cut",
    "role_eso",
    "secrecy",
    "eso_sync_many",
    "role_eso_resources",
    "gitops",
    "newcomer",
    "restore_drill",
    "vault_rotation_cut",
    "vault_rotation",
    "killed_site",
    "guides_configuration",
    "lookups",
    "hostile_vault",
    "hostile_kubernetes",
    "generated_values",
    "vault_export",
    "examples",
    "vault_keys",
    "in_worker",
    "eso_schemas",
    "role_vault_certificates",
    "role_vault_cluster",
    "tenant",
    "vault_unseal",
    "vault_raft",
    "vault_login",
)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Have the longest files first.

    With xdist that needs ``--no-loadscope-reorder``: it would put those with the most tests first.
    """
    order = {f"test_{name}.py": number for number, name in enumerate(LONGEST)}
    items.sort(key=lambda item: order.get(item.path.name, len(order)))


def pytest_configure(config: pytest.Config) -> None:
    """Take Ctrl-C even in the background of a script, and keep the sessions of these tests apart.

    A shell without job control lets what it starts with ``&`` ignore SIGINT, and that is inherited by every play here.
    Sessions that killed runs leave are revoked by the next run of the same user, with a warning where their server is
    gone: those of the tests are nobody else's, and those of others are not theirs.
    """
    if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
        signal.signal(signal.SIGINT, signal.default_int_handler)
    runtime = tempfile.mkdtemp(prefix="vault-eso-run-")
    os.environ["XDG_RUNTIME_DIR"] = runtime
    config.add_cleanup(lambda: shutil.rmtree(runtime, ignore_errors=True))


@pytest.fixture(scope="session")
def openbao(tmp_path_factory: pytest.TempPathFactory) -> Iterator[VaultServer]:
    """An unsealed server with TLS and raft storage, shared by all tests."""
    server = VaultServer(tmp_path_factory.mktemp("openbao"))
    try:
        yield server
    finally:
        server.discard()


@pytest.fixture
def new_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Callable[..., VaultServer]]:
    """A function that starts one more server: ``new_server(initialise=False, seal={...})``."""
    servers: list[VaultServer] = []

    def start(**options: Any) -> VaultServer:
        servers.append(VaultServer(tmp_path_factory.mktemp("server"), **options))
        return servers[-1]

    try:
        yield start
    finally:
        for server in servers:
            server.discard()


@pytest.fixture
def gpg(tmp_path: Path) -> Iterator[Callable[..., bytes]]:
    """A function that runs gpg with a key ring of its own, which has one key, ada@example.com."""
    home = tmp_path / "gpg"
    home.mkdir(mode=0o700)
    # the agent's socket must have a short path
    env = {**os.environ, "GNUPGHOME": str(home)}

    def run(*arguments: str, given: bytes = b"") -> bytes:
        command = [
            "gpg",
            "--batch",
            "--quiet",
            "--no-tty",
            "--pinentry-mode",
            "loopback",
            "--passphrase",
            "",
            *arguments,
        ]
        return subprocess.run(command, input=given, env=env, capture_output=True, check=True).stdout

    try:
        run("--quick-gen-key", "ada@example.com", "rsa2048", "encrypt")
    except FileNotFoundError:
        pytest.skip("gpg is not installed")
    try:
        yield run
    finally:
        subprocess.run(["gpgconf", "--kill", "all"], env=env, check=False)


@pytest.fixture(scope="session")
def kube_api(tmp_path_factory: pytest.TempPathFactory) -> Iterator[kubernetes_api.KubeApi]:
    """A Kubernetes API with the CRDs of External Secrets Operator, shared by all tests."""
    try:
        api = kubernetes_api.start(tmp_path_factory.mktemp("kubernetes"))
    except kubernetes_api.Unavailable as reason:
        pytest.skip(str(reason))
    try:
        yield api
    finally:
        api.stop()


@pytest.fixture(scope="session")
def old_kube_api(tmp_path_factory: pytest.TempPathFactory) -> Iterator[kubernetes_api.KubeApi]:
    """An API server of our own that serves v1beta1, as an operator before 0.16 has it, shared by all tests."""
    try:
        api = kubernetes_api.start_old(tmp_path_factory.mktemp("old-kubernetes"))
    except kubernetes_api.Unavailable as reason:
        pytest.skip(str(reason))
    try:
        yield api
    finally:
        api.stop()


@pytest.fixture(scope="session")
def very_old_kube_api(tmp_path_factory: pytest.TempPathFactory) -> Iterator[kubernetes_api.KubeApi]:
    """An API server 1.20 of our own with the current CRDs: no CEL, no strict validation, no OpenAPI 3."""
    try:
        binaries = kubernetes_api.find_old_binaries()
    except kubernetes_api.Unavailable as reason:
        pytest.skip(str(reason))
    api = kubernetes_api.start_local(tmp_path_factory.mktemp("very-old-kubernetes"), binaries=binaries)
    try:
        yield api
    finally:
        api.stop()


@pytest.fixture(scope="module")
def operator(
    kube_api: kubernetes_api.KubeApi, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[subprocess.Popen[bytes]]:
    """The process of an operator that serves the Kubernetes API while the tests of a file run."""
    with eso_operator.running(kube_api, tmp_path_factory.mktemp("operator")) as process:
        yield process


@pytest.fixture(scope="module")
def postgresql() -> Iterator[PostgreSql]:
    """A PostgreSQL server that the tests of a file share."""
    try:
        server = PostgreSql(PASSWORD)
    except packages.Unavailable as reason:
        pytest.skip(str(reason))
    try:
        yield server
    finally:
        server.stop()


@pytest.fixture
def unique() -> str:
    """A name that no other test of this session uses."""
    return f"t{os.environ.get('PYTEST_XDIST_WORKER', '')}{next(_numbers)}"


@pytest.fixture
def namespace(kube_api: kubernetes_api.KubeApi) -> Iterator[str]:
    """The name of a fresh Kubernetes namespace."""
    name = kube_api.namespace(f"vault-eso-test-{uuid.uuid4().hex[:8]}")
    try:
        yield name
    finally:
        kube_api.forget_namespace(name)


@pytest.fixture(scope="session")
def vault_args(openbao: VaultServer) -> dict[str, Any]:
    """Connection options of the shared server, for run_module."""
    return {"url": [openbao.url], "ca_cert": openbao.ca_cert, "token": openbao.token}


@pytest.fixture(scope="session")
def kube_args(kube_api: kubernetes_api.KubeApi) -> dict[str, Any]:
    """Connection options of the Kubernetes API, for run_module."""
    return {"kubeconfig": kube_api.kubeconfig}


@pytest.fixture
def run_module() -> Callable[..., modules.Result]:
    """The function that runs a module as a process of its own."""
    return modules.run_module


@pytest.fixture
def scene(
    operator: None,
    kube_api: kubernetes_api.KubeApi,
    openbao: VaultServer,
    run_module: Callable[..., modules.Result],
    namespace: str,
    unique: str,
) -> Iterator[Scene]:
    """A chain from an ExternalSecret to Vault that an operator serves, its store ready."""
    made = Scene(kube_api, openbao, run_module, namespace, unique)
    made.raise_up()
    made.store(wait=True, wait_timeout=30)
    yield made
    made.tear_down()


@pytest.fixture
def work(scene: Scene) -> Work:
    """Applications that are rotated."""
    return Work(scene)


@pytest.fixture
def database(work: Work, postgresql: PostgreSql, unique: str) -> Iterator[DatabaseEngine]:
    """A database engine whose users are rotated."""
    made = DatabaseEngine(work, postgresql, unique)
    yield made
    work.client.sys.disable_secrets_engine(made.mount)


@pytest.fixture(autouse=True)
def _no_stray_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    """The caller's own Vault must never be what a test talks to."""
    for name in list(os.environ):
        if name.startswith(("VAULT_", "BAO_")) and name not in ("VAULT_BINARY", "VAULT_ESO_LAB"):
            monkeypatch.delenv(name)


@pytest.fixture
def area(openbao: VaultServer, unique: str) -> str:
    """The path of a new namespace, for one test."""
    name = f"tree-{unique}"
    openbao.client().adapter.post(f"/v1/sys/namespaces/{name}")
    return name


@pytest.fixture
def tree(
    run_module: Callable[..., modules.Result], vault_args: dict[str, Any], area: str
) -> Callable[..., modules.Result]:
    """A function that converges a tree of declarations inside the test's namespace."""

    def run(configuration: Any, check: bool = False, **options: Any) -> modules.Result:
        given = {**vault_args, "namespace": area, "configuration": configuration, **options}
        return run_module("vault_configuration", given, check=check, diff=True)

    return run


@pytest.fixture(scope="module")
def s3(tmp_path_factory: pytest.TempPathFactory) -> Iterator[S3Server]:
    """S3-compatible storage without a bucket."""
    server = S3Server(tmp_path_factory.mktemp("moto"))
    try:
        yield server
    finally:
        server.stop()
