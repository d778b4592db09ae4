# Copyright: Contributors to the secretops.vault_eso project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Show what stands after `make demo`: nodes, what is configured, what is synchronised, and how to look around.

Names and states only; no value of a secret is read.
"""

from __future__ import annotations

import json
import os
import time
from typing import Any, Callable

import hvac
import hvac.exceptions
from demo_common import STATE, Demo, ending_clearly, health, operator_login, read_demo
from kubernetes import client as kube
from kubernetes import config
from kubernetes.client.exceptions import ApiException


def table(title: str, rows: list[tuple[str, ...]], heads: tuple[str, ...]) -> None:
    """Print rows under a title, each column as wide as it must be."""
    print(f"\n{title}")
    widths = [max(len(row[column]) for row in [heads, *rows]) for column in range(len(heads))]
    for row in [heads, *rows] if rows else [("(none)",)]:
        print("  " + "  ".join(text.ljust(width) for text, width in zip(row, widths)).rstrip())


def nodes(demo: Demo, client: hvac.Client) -> None:
    """Each node: its state, whether it leads, whether it votes."""
    try:
        peers = client.sys.read_raft_config()["data"]["config"]["servers"]
    except hvac.exceptions.Forbidden:
        peers = []
    voters = {peer["node_id"]: "voter" if peer["voter"] else "non-voter" for peer in peers}
    rows: list[tuple[str, ...]] = []
    for url in demo.urls:
        state = health(demo, url)
        name = demo.node(url)
        if not state:
            word = "does not answer"
        elif not state.get("initialized"):
            word = "not initialised"
        elif state.get("sealed"):
            word = "sealed"
        else:
            word = "standby" if state.get("standby") else "leader"
        rows.append((name, url, word, voters.get(name, "?"), str(state.get("version", "?"))))
    table(f"Vault cluster {demo.name}", rows, ("NODE", "ADDRESS", "STATE", "RAFT", "VERSION"))


def names(read: Callable[[], list[str]]) -> str:
    """Return a list of names as text, or why it cannot be had."""
    try:
        return ", ".join(sorted(read())) or "(none)"
    except hvac.exceptions.Forbidden:
        return "(not for the operator to see)"


def configured(client: hvac.Client) -> None:
    """Mounts, auth methods and policies by name."""
    rows = [
        ("secrets engines", names(lambda: list(client.sys.list_mounted_secrets_engines()["data"]))),
        ("auth methods", names(lambda: list(client.sys.list_auth_methods()["data"]))),
        ("policies", names(lambda: list(client.sys.list_acl_policies()["data"]["keys"]))),
    ]
    print("\nConfigured")
    for title, text in rows:
        print(f"  {title:<16}{text}")


def condition(item: dict[str, Any]) -> tuple[str, str]:
    """Return status and reason of an object's Ready condition."""
    for one in item.get("status", {}).get("conditions", []):
        if one["type"] == "Ready":
            return "Ready" if one["status"] == "True" else "not ready", one.get("reason", "")
    return "no status", ""


def external_secrets(api: kube.ApiClient) -> list[dict[str, Any]]:
    """Return all ExternalSecrets, by the newest version that the API serves."""
    custom = kube.CustomObjectsApi(api)
    for version in ("v1", "v1beta1"):
        try:
            return list(custom.list_cluster_custom_object("external-secrets.io", version, "externalsecrets")["items"])
        except ApiException as error:
            if error.status != 404:
                raise
    return []


def synchronised(name: str, connection: dict[str, Any]) -> None:
    """The ExternalSecrets of a cluster and the keys of their Secrets."""
    api = config.new_client_from_config(connection.get("kubeconfig"), context=connection.get("context"))
    core = kube.CoreV1Api(api)
    rows: list[tuple[str, ...]] = []
    for item in external_secrets(api):
        namespace, own = item["metadata"]["namespace"], item["metadata"]["name"]
        target = item["spec"].get("target", {}).get("name") or own
        status, reason = condition(item)
        try:
            keys = ", ".join(sorted(core.read_namespaced_secret(target, namespace).data or {}))
        except ApiException as error:
            keys = "(no such Secret)" if error.status == 404 else f"({error.reason})"
        rows.append((namespace, own, f"{status} {reason}".strip(), f"Secret {target}: {keys}"))
    table(f"Kubernetes cluster {name}: ExternalSecrets", rows, ("NAMESPACE", "NAME", "STATUS", "WHAT CAME"))


#: what stands in for External Secrets Operator, by the lab's own word for it
CONTROLLERS = {
    "emulated": "The controller that serves these ExternalSecrets is an emulation, not External Secrets Operator,\n"
    "  whose image needs a container runtime. Vault, its hosts and the Kubernetes API are real.\n"
    "  ESO_CONTROLLER=/path names a real one.",
    "external": "None: the cluster's own External Secrets Operator serves these ExternalSecrets.",
}


def closing(ui: str, ca_cert: str, controller: str, seconds: int | None) -> str:
    """Return what a person needs to know next: how to log in, where the shares lie, what is real, what to try."""
    took = f"\nIt took {seconds // 60} min {seconds % 60} s.\n" if seconds is not None else ""
    real = CONTROLLERS.get(controller, f"The controller that serves these ExternalSecrets is {controller}.")
    return f"""{took}
Emulation
  {real}

Log in
  eval "$(make -s demo-env)"                  # this shell as the operator: VAULT_*, BAO_*, KUBECONFIG, PATH
  {ui}     # from this machine; method Token, and the token is: echo "$BAO_TOKEN"
  {ca_cert}     # signed its certificate; tell the browser, or let it warn

Keys
  {STATE}/credentials/unseal-keys.json     # the shares, in clear, for root alone; the root token is revoked

Watch a change arrive (after the eval; within 15 seconds)
  bao kv patch -mount=secret applications/web-app webhook_secret=new-value &&
    kubectl -n production wait secret/web-app --timeout=60s \\
      --for=jsonpath='{{.data.WEBHOOK_SECRET}}'="$(printf new-value | base64)"

Look around
  bao operator raft list-peers
  bao policy list; bao secrets list; bao auth list
  kubectl get externalsecret,secret -A
  ansible-playbook -i inventories/demo playbooks/site.yml --check --diff
  make demo-overview                          # this page again
  make demo-down                              # remove it all"""


def main() -> None:
    """Print the overview."""
    demo = read_demo()
    client = operator_login(demo)
    try:
        nodes(demo, client)
        configured(client)
    finally:
        client.auth.token.revoke_self()
    for name, connection in demo.kubernetes.items():
        synchronised(name, connection)
    started = os.environ.get("DEMO_STARTED", "")
    lab = json.loads((STATE / "lab.json").read_text())
    print(
        closing(
            f"{client.url}/ui",
            demo.ca_cert,
            str(lab.get("eso_controller", "")),
            int(time.time()) - int(started) if started.isdigit() else None,
        )
    )


if __name__ == "__main__":
    with ending_clearly():
        main()
