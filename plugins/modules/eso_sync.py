#!/usr/bin/python
# Copyright: Contributors to the secretops.vault_eso project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: eso_sync
short_description: Force ExternalSecrets and PushSecrets to be synced and prove that they were
version_added: 0.1.0
description:
  - Changes an annotation of each ExternalSecret to a unique value, so that the operator reads Vault at once.
  - Waits until the operator's status shows a success that is newer than that and about the newest spec.
  - Success is the Secret with its keys. The operator says Ready as well where it writes nothing, such as a find that matches nothing or a Merge
    into a Secret that does not exist; that fails here, and says what is missing.
  - Where the Secret may not be read a warning says that nothing is proven, and RV(proven) is false.
  - Compares the Secret's values before and after, by digest and in memory, and names the keys that changed. No value leaves the module.
  - With O(vault) what was not synced in time is followed link by link as M(secretops.vault_eso.eso_verify) does, and the link that does not hold
    is named for each.
  - A PushSecret is forced in the same way; with O(vault) the values that it pushes are compared with those in Vault, in memory.
  - Many are one list, one write each and one watch.
  - An ExternalSecret that the operator never syncs again is refused, with the reason.
author: secretops.vault_eso contributors (@secretops)
extends_documentation_fragment:
  - secretops.vault_eso.kubernetes
  - secretops.vault_eso.kubernetes.vault_connection
requirements:
  - hvac >= 2.3, for the option O(vault)
attributes:
  check_mode:
    description: Reads everything, forces nothing, and reports what would be forced.
    support: full
  diff_mode:
    description: Shows the annotation that is changed.
    support: full
options:
  kind: &kind
    description: What is forced. With V(ClusterExternalSecret) all the ExternalSecrets that it made are, and each of them is waited for.
    type: str
    choices: [ExternalSecret, ClusterExternalSecret, PushSecret]
    default: ExternalSecret
  name: &name
    description: Name of the ExternalSecret, ClusterExternalSecret or PushSecret.
    type: str
  namespace: &namespace
    description: Namespace of an ExternalSecret or PushSecret.
    type: str
  expect_keys: &expect_keys
    description: Keys that the Secret must have in the end.
    type: list
    elements: str
  expect_sha256: &expect_sha256
    description: Keys of the Secret and the SHA-256 of the values that they must have in the end, in hexadecimal digits.
    type: dict
  expect_versions: &expect_versions
    description:
      - Secrets of KV version 2 that an ExternalSecret reads, by key, and the version of each that its Secret must hold in the end. Needs O(vault).
      - Each must be the newest version before and after the forced sync, so that the operator must have read it.
      - What the Secret holds is compared with what the version makes of it, in memory and by digest; another value is a failure. Templates that
        put values in as they are, or through C(toString), C(b64enc) or C(urlquery), are compared too.
      - What is not known here, such as a template with other functions, is not proven; O(unproven) says what becomes of that.
    type: dict
  unproven: &unproven
    description:
      - What to do when a version of O(expect_versions) could not be proven, nor disproven. With V(warn) a warning and RV(unproven) say why, and
        RV(versions) does not have it. With V(fail) the module fails.
    type: str
    choices: [warn, fail]
    default: warn
  external_secrets:
    description: Many of them. Excludes O(name).
    type: list
    elements: dict
    suboptions:
      kind: *kind
      name:
        <<: *name
        required: true
      namespace: *namespace
      expect_keys: *expect_keys
      expect_sha256: *expect_sha256
      expect_versions: *expect_versions
      unproven: *unproven
  api_version:
    description: Version of the API to use; by default V(v1) where the API server serves it, else V(v1beta1).
    type: str
  wait_timeout:
    description: Seconds to wait for all syncs together.
    type: int
    default: 120
  workers:
    description: How many requests are under way at the same time, over one pool of connections.
    type: int
    default: 4
"""

EXAMPLES = r"""
- name: Bring a rotated password to the cluster at once
  secretops.vault_eso.eso_sync:
    name: app-secrets
    namespace: applications
    expect_keys: [password]
  register: sync

- name: Prove that the version that was just written has arrived, or name the link that broke
  secretops.vault_eso.eso_sync:
    name: app-secrets
    namespace: applications
    expect_versions:
      applications/app: 7
    vault: "{{ vault_connection }}"

- name: Make sure that nothing but the password changed
  ansible.builtin.assert:
    that: sync.changed_keys == ["password"]

- name: Sync many at once
  secretops.vault_eso.eso_sync:
    external_secrets:
      - {name: app-secrets, namespace: applications}
      - {name: cache, namespace: applications}
      - {kind: ClusterExternalSecret, name: registry}

- name: Prove that what is pushed is in Vault
  secretops.vault_eso.eso_sync:
    kind: PushSecret
    name: backup
    namespace: applications
    vault: "{{ vault_connection }}"
"""

RETURN = r"""
results:
  description:
    - One entry per ExternalSecret. The C(info) of each has what stands below for a single one.
  returned: always
  type: list
  elements: dict
  sample: [{kind: ExternalSecret, name: applications/app-secrets, action: update, changed: true, fields: [force-sync],
            info: {target: app-secrets, keys: [password, username], changed_keys: [password]}}]
summary:
  description: How many were forced (update) and how many failed.
  returned: always
  type: dict
  sample: {create: 0, update: 2, delete: 0, none: 0, failed: 0, not_reached: 0}
target:
  description: Name of the Secret, or of the object of another kind that the ExternalSecret fills.
  returned: for a single ExternalSecret
  type: str
  sample: app-secrets
secret_keys:
  description: Keys of the Secret.
  returned: for a single ExternalSecret, when the Secret may be read
  type: list
  elements: str
  sample: [password, username]
changed_keys:
  description: Keys whose value was changed, added or removed by this sync; of a ClusterExternalSecret by namespace.
  returned: for a single object, when the Secret may be read
  type: raw
  sample: [password]
namespaces:
  description: The namespaces in which it was synced.
  returned: for a single ClusterExternalSecret
  type: list
  elements: str
  sample: [payments-api, payments-web]
proven:
  description:
    - Whether the Secret was looked at, and with O(expect_versions) whether it holds each of them. False where it may not be read.
  returned: for a single ExternalSecret or ClusterExternalSecret
  type: bool
  sample: true
unproven:
  description: The versions that were neither proven nor disproven, by key, and why.
  returned: for a single ExternalSecret with O(expect_versions)
  type: dict
  sample: {applications/app: template.data.url makes what is not known here}
versions:
  description: The versions that were proven, by key; of a PushSecret those that hold what it pushes.
  returned: for a single ExternalSecret with O(expect_versions), for a single PushSecret with O(vault)
  type: dict
  sample: {applications/app: 7}
requests:
  description: How many requests were sent to the API server, how many of them were no reads, and how many watches there were.
  returned: always
  type: dict
  sample: {total: 505, writes: 500, watches: 1}
refresh_time:
  description: When the operator says it was synced.
  returned: for a single ExternalSecret
  type: str
  sample: "2026-08-01T12:00:00Z"
synced_resource_version:
  description: The operator's mark of what was synced, generation and a hash.
  returned: for a single ExternalSecret
  type: str
  sample: 3-4f2c
"""

from functools import partial

from ansible_collections.secretops.vault_eso.plugins.module_utils._chain import verify
from ansible_collections.secretops.vault_eso.plugins.module_utils._chain.proof import Proof, PushProof
from ansible_collections.secretops.vault_eso.plugins.module_utils._eso.forced import SyncRun
from ansible_collections.secretops.vault_eso.plugins.module_utils._eso.sync import FORCED, syncs
from ansible_collections.secretops.vault_eso.plugins.module_utils._kubernetes.module import ActionModule
from ansible_collections.secretops.vault_eso.plugins.module_utils._vault.connection.module import (
    CONNECTION_SPEC,
    LOGIN_SPEC,
)
from ansible_collections.secretops.vault_eso.plugins.module_utils._vault.connection.transport import HVAC_ERROR

ITEM = {
    "kind": {
        "type": "str",
        "choices": list(FORCED),
        "default": "ExternalSecret",
    },
    "name": {"type": "str"},
    "namespace": {"type": "str"},
    "expect_keys": {"type": "list", "elements": "str", "no_log": False},
    "expect_sha256": {"type": "dict", "no_log": True},
    "expect_versions": {"type": "dict"},
    "unproven": {"type": "str", "choices": ["warn", "fail"], "default": "warn"},
}
SPEC = {
    "api_version": {"type": "str"},
    "wait_timeout": {"type": "int", "default": 120},
    "vault": {"type": "dict", "options": {**CONNECTION_SPEC, **LOGIN_SPEC}},
}


def main() -> None:
    module = ActionModule(SPEC, "external_secrets", ITEM, ["name"])
    with module.client() as client:
        items, version = module.items(), module.params["api_version"]
        if module.params["vault"] is None:
            module.carry_out(client, syncs(SyncRun(client, version), items), wait=True)
        module.require("hvac", HVAC_ERROR)
        with verify.connected(client, module) as verifier:
            verifier.sources.read(sorted({item["namespace"] for item in items if item["namespace"]}))
            run = SyncRun(client, version, partial(Proof, verifier), partial(PushProof, verifier))
            module.carry_out(client, syncs(run, items), wait=True, reasons=verifier.reasons)


if __name__ == "__main__":
    main()
