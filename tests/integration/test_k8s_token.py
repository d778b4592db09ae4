# Copyright: Contributors to the secretops.vault_eso project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""k8s_token against a real API server: the file works as a token, and nothing of it is printed."""

from __future__ import annotations

import base64
import json
import stat
from pathlib import Path
from typing import Any, Callable

from kubernetes import client

from support.kubernetes_api import KubeApi


def test_token_is_written_and_has_the_wanted_audience(
    kube_api: KubeApi,
    kube_args: dict[str, Any],
    namespace: str,
    run_module: Callable[..., Any],
    tmp_path: Path,
) -> None:
    dest = tmp_path / "private" / "token"
    options = {**kube_args, "name": "probe", "namespace": namespace, "audiences": ["vault"], "dest": str(dest)}
    missing = run_module("k8s_token", options)
    assert missing.failed
    assert f'service account "{namespace}/probe": does not exist' in missing.msg

    core = client.CoreV1Api(kube_api.client())
    core.create_namespaced_service_account(namespace, {"metadata": {"name": "probe"}})
    got = run_module("k8s_token", options, must_succeed=True)
    assert stat.S_IMODE(dest.stat().st_mode) == 0o600
    token = dest.read_text().strip()
    got.hides(token)
    claims = json.loads(base64.urlsafe_b64decode(token.split(".")[1] + "=="))
    assert claims["aud"] == ["vault"]
    assert claims["sub"] == f"system:serviceaccount:{namespace}:probe"
