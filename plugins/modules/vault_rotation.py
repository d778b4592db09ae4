#!/usr/bin/python
# Copyright: Contributors to the secretops.vault_eso project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: vault_rotation
short_description: Rotate the secrets of applications, from the database to the Pods
version_added: 0.1.0
description:
  - Gives the declared keys of applications new values in a KV engine of version 2, and brings them to all Kubernetes clusters that use them.
  - Looks at everything before it changes anything. An application that a cluster, the database or Vault would not take is left as it is and named.
  - Of each application by itself, the credential is changed where it lives and tried there; the new version is written by check-and-set with every
    other key kept; the ExternalSecrets are forced to sync, and the bytes in the Secrets are compared with those of the version, in memory; only
    then the workloads are restarted, and waited for.
  - When a later step fails, the application is rolled back, and the failure says so. The former values are written as a newer version, and set in the
    database and in the clusters too.
  - Where it cannot be proven that the new values arrived, nothing is restarted and the result is C(not_proven).
  - A rotation that has begun is noted in the custom metadata of its secret (C(rotation_in_progress)), without values. A run that died is completed by the
    next one, and nothing is rotated twice.
author: secretops.vault_eso contributors (@secretops)
extends_documentation_fragment:
  - secretops.vault_eso.vault
  - secretops.vault_eso.vault.login
  - secretops.vault_eso.kubernetes.clusters
requirements:
  - kubernetes >= 29, with O(clusters)
attributes:
  check_mode:
    description: Looks at everything, has the API servers make a dry run of syncs and restarts, and returns the plan.
    support: full
  diff_mode:
    description: Names the keys that get new values.
    support: full
options:
  applications:
    description: What can be rotated.
    type: list
    elements: dict
    required: true
    suboptions:
      name:
        description: Name of the application. For a folder (see O(applications[].path)) each secret's own name is taken.
        type: str
        required: true
      mount:
        description: Mount path of the KV engine, of version 2.
        type: str
        default: secret
      path:
        description:
          - Path of the secret. It must exist, and hold the keys.
          - One that ends with C(/*) stands for every secret in that folder. C(*) in the names and namespaces of O(applications[].external_secrets)
            and O(applications[].workloads), and in O(applications[].database), stands for the secret's name.
        type: str
        required: true
      generate:
        description: The keys that get new values, each with how its value is generated, as in M(secretops.vault_eso.vault_kv).
        type: dict
      timestamp_key:
        description: A key that gets the time of the rotation. The time is in the custom metadata (C(rotated_at)) in any case.
        type: str
      max_age:
        description:
          - How old the values may get, a duration such as V(30d). A younger application is left as it is.
          - Without it the application is rotated at each run.
        type: str
      database:
        description: Where one of the keys is the password of a database user.
        type: dict
        suboptions:
          mount:
            description: Mount path of the database engine.
            type: str
            default: database
          static_roles:
            description:
              - A static role; the server makes its password. It cannot be put back, so after a failure the secret holds what is valid.
              - Of two, the one whose user the secret does not hold is rotated and put into the secret, so that the other user's password stays valid
                until the next rotation.
            type: list
            elements: str
          connection:
            description:
              - A connection whose user may change the password of O(applications[].database.username). Its C(allowed_roles) must let a role
                C(rotation-*) use it; such a role exists for a moment, and so does a connection by which the new password is tried. A warning names
                one that could not be removed.
            type: str
          username:
            description: The user that the connection gives a new password.
            type: str
          statement:
            description: The statement that does it, with C({username}) and C({password}) in it; by default that of PostgreSQL or MySQL.
            type: str
          key:
            description: The key of the secret that holds the password.
            type: str
            required: true
          username_key:
            description: The key of the secret that holds the name of the user; needed with two static roles.
            type: str
      external_secrets:
        description: The ExternalSecrets that carry the secret to Kubernetes.
        type: list
        elements: dict
        default: []
        suboptions:
          cluster:
            description: Name of the cluster in O(clusters); without it every cluster.
            type: str
          namespace:
            description: Namespace of the ExternalSecret.
            type: str
            required: true
          name:
            description: Name of the ExternalSecret.
            type: str
            required: true
      workloads:
        description: What is restarted after the new values have arrived in every cluster.
        type: list
        elements: dict
        default: []
        suboptions:
          cluster:
            description: Name of the cluster in O(clusters); without it every cluster.
            type: str
          kind:
            description: Kind of the workload.
            type: str
            choices: [Deployment, StatefulSet, DaemonSet]
            default: Deployment
          namespace:
            description: Namespace of the workload.
            type: str
            required: true
          name:
            description: Name of the workload.
            type: str
            required: true
      probe:
        description:
          - An HTTP request by which the application shows that it works. The controller sends it before the rotation, so that an application that does
            not work is not begun, and again after the restart; what fails then is rolled back.
        type: dict
        suboptions:
          url:
            description: The URL to get. In a folder C(*) stands for the secret's name.
            type: str
            required: true
          status:
            description: The statuses that mean that the application works. Redirects are not followed.
            type: list
            elements: int
            default: [200]
          ca_cert:
            description: File of the CA that signed the application's certificate; by default the CAs that the controller trusts.
            type: path
          timeout:
            description: Seconds within which the application must answer so after the restart.
            type: int
            default: 60
      unproven:
        description:
          - What to do when it is not known what an ExternalSecret makes of the values, such as by a template with functions.
          - With V(stop) nothing is restarted, and the application fails as C(not_proven). With V(accept) the operator's word is taken.
        type: str
        choices: [stop, accept]
        default: stop
      keep_versions:
        description: How many versions of the secret are kept after a success; older ones are destroyed. V(0) destroys none.
        type: int
        default: 0
  only:
    description: Names of the applications to rotate; empty means all.
    type: list
    elements: str
    default: []
  skip_clusters:
    description:
      - Names of clusters that the new values are not brought to, such as one that is down. What they have to be brought is noted, and a later run
        without this brings it.
    type: list
    elements: str
    default: []
  now:
    description: Whether to rotate what is younger than its O(applications[].max_age) as well.
    type: bool
    default: false
  until:
    description:
      - How far each application goes. With V(written) the new version is written and noted as begun, so that something else can be changed before a
        second task with V(done) proves it, and restarts.
      - With V(rolled_back) what was V(written) gets its former values as a newer version, and nothing else is done.
    type: str
    choices: [done, written, rolled_back]
    default: done
  keep_in_progress:
    description:
      - Whether what is rolled back stays noted as in progress, so that something else can get the former values as well before a task with
        O(until=rolled_back) and without this restarts the workloads and ends it. A run that dies in between is completed by the next one.
    type: bool
    default: false
  batch:
    description: How many applications are rotated at the same time.
    type: int
    default: 20
  failure_budget:
    description: How many applications may fail before no further batch is begun.
    type: int
    default: 5
  sync_timeout:
    description: Seconds within which the new values of a batch must have arrived in Kubernetes.
    type: int
    default: 120
  rollout_wait:
    description: Whether to wait until the restarted workloads are available.
    type: bool
    default: true
  rollout_timeout:
    description: Seconds within which they must be.
    type: int
    default: 300
  retry_timeout:
    description: Seconds for which a step is repeated while no server of the Vault cluster can take it, such as during an election.
    type: int
    default: 120
  workers:
    description: How many requests are under way at the same time, to Vault and to each cluster.
    type: int
    default: 8
notes:
  - The token needs, for the secrets, C(read), C(update) on C(data), C(read), C(update) on C(metadata), and C(update) on C(destroy) with
    O(applications[].keep_versions); C(list) on C(metadata) for a folder. For a static role C(read) on it, on its C(static-creds) and its connection,
    and C(update) on C(rotate-role). For the user of a connection C(create), C(update), C(delete) on C(roles/rotation-*), C(read) on
    C(creds/rotation-*). For both C(create), C(update), C(delete) on C(config/rotation-*).
seealso:
  - module: secretops.vault_eso.vault_kv
  - module: secretops.vault_eso.eso_sync
  - module: secretops.vault_eso.k8s_rollout
"""

EXAMPLES = r"""
- name: Rotate what is older than 30 days
  secretops.vault_eso.vault_rotation:
    applications:
      - name: app
        path: applications/app
        generate:
          api_key: {format: hex, length: 32}
        max_age: 30d
        keep_versions: 5

- name: Rotate an API key, bring it to two clusters and restart what uses it
  secretops.vault_eso.vault_rotation:
    applications:
      - name: app
        path: applications/app
        generate:
          api_key: {format: hex, length: 32}
        external_secrets:
          - {namespace: applications, name: app-secrets}
        workloads:
          - {namespace: applications, name: app}
    clusters:
      - {name: eu, kubeconfig: /etc/kubernetes/eu.yaml}
      - {name: us, kubeconfig: /etc/kubernetes/us.yaml}

- name: Rotate a database password by two users that take turns, so that the old one stays valid
  secretops.vault_eso.vault_rotation:
    applications:
      - name: orders
        path: applications/orders
        database:
          static_roles: [orders-a, orders-b]
          key: password
          username_key: username
"""

RETURN = r"""
results:
  description:
    - One entry per application. C(outcome) is V(done), V(written), V(not_due), V(held) (not begun, as a cluster would not take it), V(not_reached) (not begun
      after too many failures), V(rolled_back), V(not_proven), V(failed), or V(planned) in check mode.
    - C(info) has the versions before and after, whether the bytes were proven, the clusters, and what was destroyed.
  returned: always
  type: list
  elements: dict
  sample: [{kind: application, name: app, secret: secret/applications/app, action: update, changed: true, outcome: done, fields: [api_key],
            info: {version_before: 3, version: 4, proven: true, clusters: [eu, us]}}]
plan:
  description: One sentence per application of what is, or in check mode would be, done.
  returned: always
  type: list
  elements: str
  sample: ["app would be rotated (secret/applications/app, version 3, 40 days old): api_key; syncs 2, restarts 2 in eu, us"]
summary:
  description: How many were rotated (update), are not due (none), failed, and were not begun (not_reached).
  returned: always
  type: dict
  sample: {create: 0, update: 1, delete: 0, none: 0, failed: 0, not_reached: 0}
run:
  description: The name of this run, which C(rotation_run) in the custom metadata of the rotated secrets holds.
  returned: always
  type: str
  sample: 20260131T100000Z-1f2e3d4c
"""

from ansible_collections.secretops.vault_eso.plugins.module_utils._kubernetes.module import (
    CONNECTION_SPEC as KUBERNETES_SPEC,
)
from ansible_collections.secretops.vault_eso.plugins.module_utils._kubernetes.transport import KUBERNETES_ERROR
from ansible_collections.secretops.vault_eso.plugins.module_utils._rotation.run import rotate
from ansible_collections.secretops.vault_eso.plugins.module_utils._vault.connection.module import VaultModule

PLACE = {
    "cluster": {"type": "str"},
    "namespace": {"type": "str", "required": True},
    "name": {"type": "str", "required": True},
}
APPLICATION = {
    "name": {"type": "str", "required": True},
    "mount": {"type": "str", "default": "secret"},
    "path": {"type": "str", "required": True},
    "generate": {"type": "dict", "no_log": False},
    "timestamp_key": {"type": "str", "no_log": False},
    "max_age": {"type": "str"},
    "database": {
        "type": "dict",
        "options": {
            "mount": {"type": "str", "default": "database"},
            "static_roles": {"type": "list", "elements": "str"},
            "connection": {"type": "str"},
            "username": {"type": "str"},
            "statement": {"type": "str"},
            "key": {"type": "str", "required": True, "no_log": False},
            "username_key": {"type": "str", "no_log": False},
        },
    },
    "external_secrets": {"type": "list", "elements": "dict", "default": [], "options": PLACE, "no_log": False},
    "workloads": {
        "type": "list",
        "elements": "dict",
        "default": [],
        "options": {
            **PLACE,
            "kind": {"type": "str", "choices": ["Deployment", "StatefulSet", "DaemonSet"], "default": "Deployment"},
        },
    },
    "probe": {
        "type": "dict",
        "options": {
            "url": {"type": "str", "required": True},
            "status": {"type": "list", "elements": "int", "default": [200]},
            "ca_cert": {"type": "path"},
            "timeout": {"type": "int", "default": 60},
        },
    },
    "unproven": {"type": "str", "choices": ["stop", "accept"], "default": "stop"},
    "keep_versions": {"type": "int", "default": 0},
}
SPEC = {
    "applications": {"type": "list", "elements": "dict", "required": True, "options": APPLICATION},
    "clusters": {
        "type": "list",
        "elements": "dict",
        "default": [],
        "options": {"name": {"type": "str", "required": True}, **KUBERNETES_SPEC},
    },
    "only": {"type": "list", "elements": "str", "default": []},
    "skip_clusters": {"type": "list", "elements": "str", "default": []},
    "now": {"type": "bool", "default": False},
    "until": {"type": "str", "choices": ["done", "written", "rolled_back"], "default": "done"},
    "keep_in_progress": {"type": "bool", "default": False},
    "batch": {"type": "int", "default": 20},
    "failure_budget": {"type": "int", "default": 5},
    "sync_timeout": {"type": "int", "default": 120},
    "rollout_wait": {"type": "bool", "default": True},
    "rollout_timeout": {"type": "int", "default": 300},
    "retry_timeout": {"type": "int", "default": 120},
    "workers": {"type": "int", "default": 8},
}


def main() -> None:
    module = VaultModule(SPEC)
    if module.params["clusters"]:
        module.require("kubernetes", KUBERNETES_ERROR)
    with module.client() as client:
        rotate(module, client)


if __name__ == "__main__":
    main()
