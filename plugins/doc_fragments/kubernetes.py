# Copyright: Contributors to the secretops.vault_eso project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Options that all Kubernetes modules share."""

from __future__ import annotations

import textwrap

from ansible_collections.secretops.vault_eso.plugins.doc_fragments import vault


def suboptions(option: str, *fragments: str) -> str:
    """Return the options of fragments as suboptions of an option, with references to each other as such."""
    texts = [text.partition("options:\n")[2].partition("\nrequirements:")[0].strip("\n") for text in fragments]
    return textwrap.indent("\n".join(texts).replace("O(", "O(%s." % option), " " * 4)


class ModuleDocFragment:
    """Connection, applying and waiting."""

    DOCUMENTATION = r"""
options:
  kubeconfig:
    description:
      - Path of a kubeconfig; several are separated by colons. E(K8S_AUTH_KUBECONFIG), then E(KUBECONFIG), then C(~/.kube/config).
      - Inside a pod without any of these, the pod's own service account is used.
    type: path
  context:
    description: Context of the kubeconfig instead of its current one. E(K8S_AUTH_CONTEXT).
    type: str
  host:
    description: URL of the API server. With O(api_key) or O(client_cert) no kubeconfig is read. E(K8S_AUTH_HOST).
    type: str
  api_key:
    description: Bearer token. E(K8S_AUTH_API_KEY).
    type: str
  ca_cert:
    description: Path of the PEM file with the cluster's CA certificates. E(K8S_AUTH_CA_CERT), E(K8S_AUTH_SSL_CA_CERT).
    type: path
    aliases: [ssl_ca_cert]
  client_cert:
    description: Path of a PEM client certificate. E(K8S_AUTH_CLIENT_CERT), E(K8S_AUTH_CERT_FILE).
    type: path
    aliases: [cert_file]
  client_key:
    description: Path of the client certificate's private key. E(K8S_AUTH_CLIENT_KEY), E(K8S_AUTH_KEY_FILE).
    type: path
    aliases: [key_file]
  validate_certs:
    description:
      - Whether the API server's certificate is checked. Never switch this off outside a trial. E(K8S_AUTH_VALIDATE_CERTS), E(K8S_AUTH_VERIFY_SSL).
    type: bool
    aliases: [verify_ssl]
  proxy:
    description: URL of an HTTP proxy. E(K8S_AUTH_PROXY).
    type: str
  no_proxy:
    description: Hosts that are reached without the proxy, separated by commas. E(K8S_AUTH_NO_PROXY).
    type: str
  impersonate_user:
    description: User to act as. E(K8S_AUTH_IMPERSONATE_USER).
    type: str
  timeout:
    description: Seconds that one request may take, from the look-up of the name to the last byte of the answer.
    type: int
    default: 30
  retries:
    description: How often a request that may be repeated safely is repeated after a connection error or the answers 429, 502, 503 and 504.
    type: int
    default: 3
requirements:
  - kubernetes >= 29
"""

    WAIT = r"""
options:
  wait:
    description: Whether to wait for the result, of all objects together.
    type: bool
    default: false
  wait_timeout:
    description: Seconds to wait for all objects together.
    type: int
    default: 120
"""

    APPLY = r"""
options:
  api_version:
    description:
      - Version of the API to use, such as V(v1beta1).
      - By default the newest that the API server serves and this collection knows.
    type: str
  force_conflicts:
    description:
      - Whether to take over fields that another tool applies as well, such as a GitOps controller. That tool will probably take them back.
      - Edits by hand are put back without this.
    type: bool
    default: false
  purge:
    description:
      - Delete the objects of this kind that this collection applied and that are not declared, in the namespaces of the declared objects.
      - Of modules with several kinds, cluster-wide objects only where one of their kind is declared.
      - Objects that others made are never deleted; an object's field manager tells.
    type: bool
    default: false
notes:
  - Objects are written by server-side apply with the field manager C(secretops.vault_eso). Fields of others are left alone.
  - A field that was applied by this collection and is declared no longer is removed.
  - In check mode the API server makes a dry run of what would change, so that what it would refuse is seen. Where nothing differs it is only read.
"""

    NAMESPACED = r"""
options:
  purge_namespaces:
    description: Further namespaces that O(purge) looks into.
    type: list
    elements: str
    default: []
"""

    # annotated, as sanity tests take any plain assignment here for a text
    VAULT_CONNECTION: str = (
        r"""
options:
  vault:
    description:
      - Connection to Vault, by the same options as the modules for Vault have, for reading auth methods, roles, engines and secrets.
      - It must be the Vault that the stores name, whatever the address by which it is reached from here.
      - What its token may not read is not verified, and a warning says so.
    type: dict
    suboptions:
"""
        + suboptions("vault", vault.ModuleDocFragment.DOCUMENTATION, vault.ModuleDocFragment.LOGIN)
        + "\n"
    )

    CLUSTERS: str = (
        r"""
options:
  clusters:
    description:
      - The Kubernetes clusters, each with a name and the connection options of the modules for Kubernetes.
      - They are reached from where the module runs.
    type: list
    elements: dict
    default: []
    suboptions:
      name:
        description: Name by which the other options name it.
        type: str
        required: true
"""
        + suboptions("clusters", DOCUMENTATION)
        + "\n"
    )
