# Copyright: Contributors to the secretops.vault_eso project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""An operator that serves the cluster: the real one where it runs, else ESO_CONTROLLER, else the emulated one."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from .kubernetes_api import KubeApi
from .local import stop

EMULATED = Path(__file__).resolve().parents[2] / "molecule" / "lab" / "eso_controller" / "eso_controller.py"
REAL_OPERATOR_RUNS = 3
GROUP = "external-secrets.io"


def serves(kube_api: KubeApi, version: str) -> bool:
    """Whether a cluster has a version of the operator's API."""
    groups = kube_api.call("GET", "/apis")["groups"]
    return any(one["version"] == version for group in groups if group["name"] == GROUP for one in group["versions"])


def name_namespace(kube_api: KubeApi, namespace: str) -> None:
    """Give a namespace the label that an API server since 1.21 gives it, by which an operator finds it."""
    labels = {"metadata": {"labels": {"kubernetes.io/metadata.name": namespace}}}
    kube_api.call("PATCH", f"/api/v1/namespaces/{namespace}", labels, "application/merge-patch+json")


@contextmanager
def running(kube_api: KubeApi, folder: Path) -> Iterator[subprocess.Popen[bytes]]:
    """Run an operator while the block runs, and yield its process; its output goes to ``operator.log`` in the folder.

    The process has ended where the real operator serves the cluster already.

    What ESO_CONTROLLER names is taken for one of today, which knows v1 only: a cluster of before has the emulated one.
    """
    log = folder / "operator.log"
    named = os.environ.get("ESO_CONTROLLER") if serves(kube_api, "v1") else None
    command = [named] if named else [sys.executable, str(EMULATED), "--kubeconfig", kube_api.kubeconfig]
    with log.open("wb") as output:
        process = subprocess.Popen(
            command, stdout=output, stderr=output, env={**os.environ, "KUBECONFIG": kube_api.kubeconfig}
        )
    try:
        time.sleep(2)
        assert process.poll() in (None, REAL_OPERATOR_RUNS), log.read_text()
        yield process
    finally:
        stop(process)
