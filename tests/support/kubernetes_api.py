# Copyright: Contributors to the secretops.vault_eso project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A real Kubernetes API: an existing cluster, or etcd and kube-apiserver on the loopback interface."""

from __future__ import annotations

import base64
import copy
import functools
import json
import os
import re
import ssl
import subprocess
import time
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import yaml
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa
from kubernetes import client, config
from kubernetes.client.exceptions import ApiException
from kubernetes.dynamic import DynamicClient

from .local import Authority, free_ports, only_one, stop, wait_for, write_private

ROOT = Path(__file__).resolve().parents[2]
CACHE = Path("/var/cache/vault-eso-lab")
CRDS = ROOT / "molecule" / "lab" / "files" / "crds"
#: of an operator before 0.16, which serves v1beta1
OLD_CRDS = CRDS / "v1beta1" / "external-secrets-0.9.20.yaml"
#: what CRDs of earlier releases have otherwise. Written by scripts/crd_generations.py
GENERATIONS = ROOT / "tests" / "support" / "crd_generations.json"
LAB_GENERATION = "2.9.0"
NEEDED = ("etcd", "kube-apiserver")
AUDIENCE = "https://kubernetes.default.svc"


class Unavailable(RuntimeError):
    """There is no Kubernetes API to be had here, and the message says why."""


def current_version() -> str:
    """Return the version of the current control plane that the lab builds."""
    text = (ROOT / "molecule" / "lab" / "files" / "kubernetes" / "go.mod").read_text()
    found = re.search(r"^\s*k8s\.io/kubernetes v(\S+)", text, re.MULTILINE)
    assert found, "go.mod of the lab requires no k8s.io/kubernetes"
    return found.group(1)


def caches() -> dict[str, Path]:
    """Return where the lab keeps its control planes, by generation."""
    return {"current": CACHE / f"kubernetes-{current_version()}", "old": CACHE / "kubernetes-1.20"}


@functools.cache
def find_binaries() -> Path:
    """Return a folder with etcd and kube-apiserver: KUBEBUILDER_ASSETS, else the lab's cache, else built by the lab.

    KUBERNETES_GENERATION chooses between the lab's own as it does for the lab. Raises Unavailable with the reason.
    """
    assets = os.environ.get("KUBEBUILDER_ASSETS")
    if assets:
        folder = Path(assets)
        if not complete(folder):
            raise Unavailable(f"KUBEBUILDER_ASSETS={assets} does not hold {' and '.join(NEEDED)}")
        return folder
    generation = os.environ.get("KUBERNETES_GENERATION", "")
    wanted = caches()[generation or "current"]
    with only_one("control-plane"):
        if not complete(wanted):
            # without a generation the lab falls back to the old one by itself
            build()
    return wanted if complete(wanted) else caches()["old"]


def find_old_binaries() -> Path:
    """Return a folder with etcd and an API server of version 1.20. Raises Unavailable where none was built."""
    folder = caches()["old"]
    if not complete(folder):
        raise Unavailable(
            "the API server 1.20 is not in the lab's cache; build it by "
            "KUBERNETES_GENERATION=old ansible-playbook molecule/lab/control_plane.yml"
        )
    return folder


def complete(folder: Path) -> bool:
    """Whether the folder holds the programs."""
    return all(os.access(folder / name, os.X_OK) for name in NEEDED)


def build() -> None:
    """Have the lab build the control plane into its cache. Raises Unavailable when it cannot."""
    if os.geteuid() != 0:
        raise Unavailable(
            "no KUBECONFIG, no KUBEBUILDER_ASSETS, nothing in the lab's cache, and only root can build it: "
            "set one of the two"
        )
    playbook = ROOT / "molecule" / "lab" / "control_plane.yml"
    print("building the Kubernetes control plane, some minutes, once ...", flush=True)
    result = subprocess.run(
        ["ansible-playbook", str(playbook)],
        cwd=ROOT,
        env={**os.environ, "ANSIBLE_CONFIG": str(ROOT / "ansible.cfg"), "KUBECONFIG": ""},
        capture_output=True,
        text=True,
        check=False,
    )
    if result.returncode or not any(complete(folder) for folder in caches().values()):
        tail = "\n".join((result.stdout + result.stderr).splitlines()[-20:])
        # A build that breaks is a failure, not a reason to skip.
        raise RuntimeError(f"{playbook} did not build the control plane:\n{tail}")


class KubeApi:
    """A Kubernetes API with the project's CRDs. ``kubeconfig`` is a file of its administrator."""

    def __init__(self, kubeconfig: Path) -> None:
        self.kubeconfig = str(kubeconfig)
        self.api = config.new_client_from_config(self.kubeconfig)
        self._dynamic: DynamicClient | None = None
        self.url = self.api.configuration.host
        self.ca_cert = str(self.api.configuration.ssl_ca_cert or "")

    def client(self) -> client.ApiClient:
        """Return the administrator's API client."""
        return self.api

    def namespace(self, name: str) -> str:
        """Make a namespace and return its name."""
        client.CoreV1Api(self.api).create_namespace({"metadata": {"name": name}})
        return name

    def forget_namespace(self, name: str) -> None:
        """Delete a namespace without waiting: on a lone API server it stays in Terminating."""
        try:
            client.CoreV1Api(self.api).delete_namespace(name)
        except ApiException as error:
            if error.status not in (404, 409):
                raise

    def service_account(self, namespace: str, name: str, reviewer: bool = False) -> None:
        """Make a service account; a reviewer may check tokens of others (system:auth-delegator)."""
        client.CoreV1Api(self.api).create_namespaced_service_account(namespace, {"metadata": {"name": name}})
        if reviewer:
            client.RbacAuthorizationV1Api(self.api).create_cluster_role_binding(
                {
                    "metadata": {"name": f"{namespace}-{name}-reviewer"},
                    "roleRef": {
                        "apiGroup": "rbac.authorization.k8s.io",
                        "kind": "ClusterRole",
                        "name": "system:auth-delegator",
                    },
                    "subjects": [{"kind": "ServiceAccount", "name": name, "namespace": namespace}],
                }
            )

    def token(self, namespace: str, name: str, *audiences: str, seconds: int = 600) -> str:
        """Return a token of a service account (TokenRequest); no audience means the server's own."""
        answer = client.CoreV1Api(self.api).create_namespaced_service_account_token(
            name,
            namespace,
            {"spec": {"audiences": list(audiences), "expirationSeconds": seconds}},
            _preload_content=False,
        )
        return str(json.loads(answer.data)["status"]["token"])

    def install_crds(self, seconds: float = 60, file: Path | None = None) -> None:
        """Create the custom resource definitions that are missing and wait until they are served.

        ``file`` holds others than those of `load_crds`.
        """
        api = client.ApiextensionsV1Api(self.api)
        # plain JSON: the client's models drop fields that they do not know
        path = "/apis/apiextensions.k8s.io/v1/customresourcedefinitions"
        names = []
        for crd in load_crds(file):
            names.append(crd["metadata"]["name"])
            try:
                self.call("POST", path, crd)
            except ApiException as error:
                if error.status != 409:
                    raise
        deadline = time.monotonic() + seconds
        while True:
            served = {
                item.metadata.name
                for item in api.list_custom_resource_definition().items
                if any(one.type == "Established" and one.status == "True" for one in item.status.conditions or [])
            }
            missing = sorted(set(names) - served)
            if not missing:
                return
            if time.monotonic() > deadline:
                raise RuntimeError(f"these CRDs are not served after {seconds} s: {', '.join(missing)}")
            time.sleep(0.2)

    def call(self, method: str, path: str, body: Any = None, content_type: str = "application/json") -> Any:
        """Send one request and return the answer's JSON. Raises ApiException."""
        # the dynamic client's request is the same in all versions of the library; call_api is not
        self._dynamic = self._dynamic or DynamicClient(self.api)
        response = self._dynamic.request(method, path, body=body, content_type=content_type, serialize=False)
        return json.loads(response.data) if response.data else None

    def stop(self) -> None:
        """Nothing to stop: the cluster was there before."""


def load_crds(file: Path | None = None) -> Iterator[dict[str, Any]]:
    """Yield the CRDs of External Secrets Operator: from a file, LAB_CRDS_DIR, or the lab's own files.

    Raises Unavailable when there are none.
    """
    if file is None:
        folder = Path(os.environ.get("LAB_CRDS_DIR") or CRDS)
        files = sorted(folder.glob("external-secrets*.yaml"))
        if not files:
            raise Unavailable(f"{folder} holds no external-secrets*.yaml; name a folder that does by LAB_CRDS_DIR")
        # the last one is the newest release
        file = files[-1]
    elif not file.is_file():
        raise Unavailable(f"there is no {file}; name a file with the definitions of an old operator by LAB_CRDS_0_9")
    loader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
    for document in yaml.load_all(file.read_text(), Loader=loader):
        if document and document.get("kind") == "CustomResourceDefinition":
            # there is no webhook that could convert
            document["spec"].pop("conversion", None)
            yield document


def generation_changes() -> dict[str, list[tuple[str, Any]]]:
    """Return path and value of what CRDs of earlier releases of the operator have otherwise than the lab's."""
    return {name: changes for name, changes in json.loads(GENERATIONS.read_text()).items() if name}


def generations() -> list[str]:
    """Return releases of the operator whose CRDs `load_generation` knows, the lab's own last."""
    return [*generation_changes(), LAB_GENERATION]


def load_generation(version: str) -> Iterator[dict[str, Any]]:
    """Yield the CRDs of a release of the operator: the lab's, with what that release has otherwise."""
    changes = [(path.split("/"), value) for path, value in generation_changes().get(version, [])]
    for crd in load_crds():
        kind, kept = crd["spec"]["names"]["kind"], []
        for one in crd["spec"]["versions"]:
            trees = {one["name"]: one["schema"]["openAPIV3Schema"]}
            for path, value in changes:
                if path[:2] == [kind, one["name"]]:
                    node: Any = trees
                    for name in path[1:-1]:
                        node = node[name]
                    if value is None:
                        del node[path[-1]]
                    else:
                        node[path[-1]] = copy.deepcopy(value)
            if one["name"] in trees:
                kept.append(one)
        if kept:
            yield {**crd, "spec": {**crd["spec"], "versions": kept}}


class LocalKubeApi(KubeApi):
    """etcd and kube-apiserver of our own, without a controller manager."""

    def __init__(self, folder: Path, binaries: Path | None = None) -> None:
        binaries = binaries or find_binaries()
        folder.mkdir(parents=True, exist_ok=True)
        self.processes: list[subprocess.Popen[bytes]] = []
        authority = Authority(folder / "tls", "vault-eso test cluster")
        server = authority.issue("apiserver")
        admin = authority.issue("admin", organization="system:masters")
        signing = folder / "tls" / "service-account.key"
        # an RSA key: the JWT libraries on both sides read it without surprises
        key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
        write_private(
            signing,
            key.private_bytes(
                serialization.Encoding.PEM, serialization.PrivateFormat.TraditionalOpenSSL, serialization.NoEncryption()
            ),
        )
        port, etcd, peer = free_ports(3)
        url = f"https://127.0.0.1:{port}"
        kubeconfig = folder / "admin.kubeconfig"
        write_private(kubeconfig, yaml.safe_dump(kubeconfig_for(url, authority, admin.cert, admin.key)).encode())
        try:
            self._start(
                folder,
                [
                    str(binaries / "etcd"),
                    f"--data-dir={folder / 'etcd'}",
                    f"--listen-client-urls=http://127.0.0.1:{etcd}",
                    f"--advertise-client-urls=http://127.0.0.1:{etcd}",
                    f"--listen-peer-urls=http://127.0.0.1:{peer}",
                    f"--initial-advertise-peer-urls=http://127.0.0.1:{peer}",
                    f"--initial-cluster=default=http://127.0.0.1:{peer}",
                    "--unsafe-no-fsync",
                ],
            )
            process, log = self._start(
                folder,
                [
                    str(binaries / "kube-apiserver"),
                    f"--etcd-servers=http://127.0.0.1:{etcd}",
                    "--bind-address=127.0.0.1",
                    "--advertise-address=127.0.0.1",
                    f"--secure-port={port}",
                    f"--cert-dir={folder / 'certs'}",
                    f"--tls-cert-file={server.cert}",
                    f"--tls-private-key-file={server.key}",
                    f"--client-ca-file={authority.ca}",
                    "--authorization-mode=RBAC",
                    f"--service-account-key-file={signing}",
                    f"--service-account-signing-key-file={signing}",
                    f"--service-account-issuer={AUDIENCE}",
                    "--service-cluster-ip-range=10.0.0.0/24",
                    # no controller manager makes the default service accounts
                    "--disable-admission-plugins=ServiceAccount",
                    "--endpoint-reconciler-type=none",
                ],
            )
            wait_for("kube-apiserver", lambda: ready(url, authority.ca, admin.cert, admin.key), process, log, 90)
        except BaseException:
            self.stop()
            raise
        super().__init__(kubeconfig)
        self.ca_cert = str(authority.ca)

    def _start(self, folder: Path, command: list[str]) -> tuple[subprocess.Popen[bytes], Path]:
        log = folder / f"{Path(command[0]).name}.log"
        with log.open("wb") as file:
            process = subprocess.Popen(command, cwd=folder, stdin=subprocess.DEVNULL, stdout=file, stderr=file)
        self.processes.append(process)
        return process, log

    def stop(self) -> None:
        """End the processes, the API server before its store."""
        for process in reversed(self.processes):
            stop(process)


def kubeconfig_for(url: str, authority: Authority, cert: Path, key: Path) -> dict[str, Any]:
    """Return the kubeconfig of a user with a client certificate."""

    def encoded(path: Path) -> str:
        return base64.b64encode(path.read_bytes()).decode()

    return {
        "apiVersion": "v1",
        "kind": "Config",
        "clusters": [{"name": "test", "cluster": {"server": url, "certificate-authority-data": encoded(authority.ca)}}],
        "users": [
            {"name": "admin", "user": {"client-certificate-data": encoded(cert), "client-key-data": encoded(key)}}
        ],
        "contexts": [{"name": "test", "context": {"cluster": "test", "user": "admin", "namespace": "default"}}],
        "current-context": "test",
    }


def ready(url: str, ca: Path, cert: Path, key: Path) -> bool:
    """Whether the API server says that it is ready."""
    context = ssl.create_default_context(cafile=str(ca))
    context.load_cert_chain(cert, key)
    try:
        with urllib.request.urlopen(f"{url}/readyz", timeout=5, context=context) as answer:  # noqa: S310 (https only)
            return bool(answer.status == 200)
    except OSError:
        return False


def start(folder: Path) -> KubeApi:
    """Return the API to test against: KUBECONFIG's cluster, else one of our own, with the CRDs installed."""
    kubeconfig = os.environ.get("KUBECONFIG", "")
    # a shell that works with the demo (make demo-env) does not mean to test in it
    if kubeconfig.startswith("/var/lib/vault-eso-lab/"):
        kubeconfig = ""
    api = KubeApi(Path(kubeconfig)) if kubeconfig else LocalKubeApi(folder)
    try:
        api.install_crds()
    except BaseException:
        api.stop()
        raise
    return api


def start_old(folder: Path) -> KubeApi:
    """Return an API server of our own with the definitions of an operator before 0.16, from LAB_CRDS_0_9 or the lab.

    It is one of that time, 1.20, where the lab has it in its cache.
    """
    try:
        binaries: Path | None = find_old_binaries()
    except Unavailable:
        binaries = None
    return start_local(folder, Path(os.environ.get("LAB_CRDS_0_9") or OLD_CRDS), binaries)


def start_local(folder: Path, crds: Path | None = None, binaries: Path | None = None) -> LocalKubeApi:
    """Return an API server of our own, with other definitions or of another version than by default."""
    api = LocalKubeApi(folder, binaries)
    try:
        api.install_crds(file=crds)
    except BaseException:
        api.stop()
        raise
    return api
