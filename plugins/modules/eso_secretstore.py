#!/usr/bin/python
# Copyright: Contributors to the secretops.vault_eso project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: eso_secretstore
short_description: Manage SecretStores and ClusterSecretStores of External Secrets Operator
version_added: 0.1.0
description:
  - Creates, updates and deletes stores with the Vault provider, one or many in one task.
  - What the operator would refuse, ignore or misread is refused before anything is sent, and the error says what to write instead.
  - A store of another provider can be given as O(spec).
author: secretops.vault_eso contributors (@secretops)
extends_documentation_fragment:
  - secretops.vault_eso.kubernetes
  - secretops.vault_eso.kubernetes.apply
  - secretops.vault_eso.kubernetes.namespaced
  - secretops.vault_eso.kubernetes.wait
  - secretops.vault_eso.reconcile
options:
  kind: &kind
    description: Kind of the store. A V(SecretStore) serves its own namespace, a V(ClusterSecretStore) all of them.
    type: str
    choices: [SecretStore, ClusterSecretStore]
    default: SecretStore
  name: &name
    description: Name of the store.
    type: str
  namespace: &namespace
    description: Namespace of a SecretStore; a ClusterSecretStore has none.
    type: str
  labels: &labels
    description: Labels of the object. Labels of others are left alone.
    type: dict
  annotations: &annotations
    description: Annotations of the object. Annotations of others are left alone.
    type: dict
  spec: &spec
    description: The whole spec, as a manifest has it. Excludes all options below.
    type: dict
  server: &server
    description: URL of Vault as the operator's pods reach it, V(https://vault.example.com:8200).
    type: str
  vault_namespace: &vault_namespace
    description: Vault namespace.
    type: str
  ca_bundle: &ca_bundle
    description: PEM text of the CA certificates that Vault's certificate is checked against. It is encoded as the API wants it.
    type: str
  ca_provider: &ca_provider
    description: Where the cluster keeps these certificates, instead of C(ca_bundle).
    type: dict
    suboptions:
      type:
        description: What holds them.
        type: str
        choices: [Secret, ConfigMap]
        required: true
      name:
        description: Its name.
        type: str
        required: true
      key:
        description: The key in it.
        type: str
      namespace:
        description: Its namespace, required for a ClusterSecretStore and not allowed for others.
        type: str
  auth: &auth
    description: How the operator logs in. Exactly one method.
    type: dict
    suboptions:
      namespace:
        description: Vault namespace of the auth method, when it is another than the secrets'.
        type: str
      kubernetes:
        description: Log in with a service account's token.
        type: dict
        suboptions:
          mount_path:
            description: Mount of the auth method.
            type: str
            default: kubernetes
          role:
            description: Role of the auth method.
            type: str
            required: true
          service_account:
            description: Service account to request a token for.
            type: dict
            suboptions:
              name:
                description: Name of the service account.
                type: str
                required: true
              namespace:
                description: Its namespace, for a ClusterSecretStore.
                type: str
              audiences:
                description: Audiences of the token; the role's O(ignore:audience) must be among them.
                type: list
                elements: str
          secret_ref:
            description: Secret that holds the credential.
            type: dict
            suboptions:
              name:
                description: Name of the Secret.
                type: str
                required: true
              key:
                description: Key in the Secret.
                type: str
              namespace:
                description: Its namespace, for a ClusterSecretStore.
                type: str
      app_role:
        description: Log in with an AppRole.
        type: dict
        suboptions:
          path:
            description: Mount of the auth method.
            type: str
          role_id:
            description: Role ID.
            type: str
          role_ref:
            description: Secret that holds the role ID, instead of C(role_id).
            type: dict
            suboptions:
              name:
                description: Name of the Secret.
                type: str
                required: true
              key:
                description: Key in the Secret.
                type: str
              namespace:
                description: Its namespace, for a ClusterSecretStore.
                type: str
          secret_ref:
            description: Secret that holds the secret ID.
            type: dict
            suboptions:
              name:
                description: Name of the Secret.
                type: str
                required: true
              key:
                description: Key in the Secret.
                type: str
              namespace:
                description: Its namespace, for a ClusterSecretStore.
                type: str
      jwt:
        description: Log in with a JSON web token.
        type: dict
        suboptions:
          path:
            description: Mount of the auth method.
            type: str
          role:
            description: Role of the auth method.
            type: str
          secret_ref:
            description: Secret that holds the credential.
            type: dict
            suboptions:
              name:
                description: Name of the Secret.
                type: str
                required: true
              key:
                description: Key in the Secret.
                type: str
              namespace:
                description: Its namespace, for a ClusterSecretStore.
                type: str
          kubernetes_service_account_token:
            description: Request a service account's token and log in with that.
            type: dict
            suboptions:
              service_account:
                description: Service account to request a token for.
                type: dict
                required: true
                suboptions:
                  name:
                    description: Name of the service account.
                    type: str
                    required: true
                  namespace:
                    description: Its namespace, for a ClusterSecretStore.
                    type: str
                  audiences:
                    description: Audiences of the token; the role's O(ignore:audience) must be among them.
                    type: list
                    elements: str
              audiences:
                description: Audiences of the token. New versions want them in the service account reference.
                type: list
                elements: str
              expiration_seconds:
                description: Life of the token in seconds.
                type: int
      token_secret_ref:
        description: Use a token that stands in a Secret.
        type: dict
        suboptions:
          name:
            description: Name of the Secret.
            type: str
            required: true
          key:
            description: Key in the Secret.
            type: str
          namespace:
            description: Its namespace, for a ClusterSecretStore.
            type: str
      user_pass:
        description: Log in by user name and password.
        type: dict
        suboptions:
          path:
            description: Mount of the auth method.
            type: str
          username:
            description: User name.
            type: str
            required: true
          secret_ref:
            description: Secret that holds the password.
            type: dict
            suboptions:
              name:
                description: Name of the Secret.
                type: str
                required: true
              key:
                description: Key in the Secret.
                type: str
              namespace:
                description: Its namespace, for a ClusterSecretStore.
                type: str
      ldap:
        description: Log in by LDAP.
        type: dict
        suboptions:
          path:
            description: Mount of the auth method.
            type: str
          username:
            description: User name.
            type: str
            required: true
          secret_ref:
            description: Secret that holds the password.
            type: dict
            suboptions:
              name:
                description: Name of the Secret.
                type: str
                required: true
              key:
                description: Key in the Secret.
                type: str
              namespace:
                description: Its namespace, for a ClusterSecretStore.
                type: str
      cert:
        description: Log in with a client certificate.
        type: dict
        suboptions:
          path:
            description: Mount of the auth method.
            type: str
          vault_role:
            description: Role of the auth method.
            type: str
          client_cert:
            description: Secret that holds the certificate.
            type: dict
            suboptions:
              name:
                description: Name of the Secret.
                type: str
                required: true
              key:
                description: Key in the Secret.
                type: str
              namespace:
                description: Its namespace, for a ClusterSecretStore.
                type: str
          secret_ref:
            description: Secret that holds the private key.
            type: dict
            suboptions:
              name:
                description: Name of the Secret.
                type: str
                required: true
              key:
                description: Key in the Secret.
                type: str
              namespace:
                description: Its namespace, for a ClusterSecretStore.
                type: str
      iam:
        description: Log in as an AWS identity; the fields of the manifest.
        type: dict
      gcp:
        description: Log in as a Google Cloud identity; the fields of the manifest.
        type: dict
  tls: &tls
    description: Client certificate for the connection. Both or neither.
    type: dict
    suboptions:
      cert_secret_ref:
        description: Secret that holds the certificate.
        type: dict
        suboptions:
          name:
            description: Name of the Secret.
            type: str
            required: true
          key:
            description: Key in the Secret.
            type: str
          namespace:
            description: Its namespace, for a ClusterSecretStore.
            type: str
      key_secret_ref:
        description: Secret that holds the private key.
        type: dict
        suboptions:
          name:
            description: Name of the Secret.
            type: str
            required: true
          key:
            description: Key in the Secret.
            type: str
          namespace:
            description: Its namespace, for a ClusterSecretStore.
            type: str
  read_your_writes: &read_your_writes
    description: Send Vault's consistency header. Acts only together with C(forward_inconsistent).
    type: bool
  forward_inconsistent: &forward_inconsistent
    description: Have reads that a standby cannot answer consistently forwarded. Acts only together with C(read_your_writes).
    type: bool
  headers: &headers
    description: Further HTTP headers. They stand in the object for all to read and are no place for credentials.
    type: dict
  path: &path
    description: Mount of the KV engine. Without it, each key begins with the mount.
    type: str
  version: &version
    description: Version of the KV engine; V(v2) when it is not given.
    type: str
    choices: [v1, v2]
  check_and_set: &check_and_set
    description: Whether PushSecrets of this store write with check-and-set. From version 0.20 of the operator on.
    type: bool
  conditions: &conditions
    description: Which namespaces may use a ClusterSecretStore.
    type: list
    elements: dict
    suboptions:
      namespaces:
        description: Names of namespaces.
        type: list
        elements: str
      namespace_regexes:
        description: Regular expressions of names of namespaces.
        type: list
        elements: str
      namespace_selector:
        description: Label selector, as a manifest has it.
        type: dict
  controller: &controller
    description: Class of the operator instance that is to serve the store.
    type: str
  refresh_interval: &refresh_interval
    description: How often the operator validates the store, a duration.
    type: str
  retry_settings: &retry_settings
    description: How often and how long apart the operator asks Vault again after an error.
    type: dict
    suboptions:
      max_retries:
        description: How many times at most.
        type: int
      retry_interval:
        description: How long to wait in between, such as V(5s).
        type: str
  stores:
    description: Many stores. Excludes O(name).
    type: list
    elements: dict
    suboptions:
      kind: *kind
      name:
        <<: *name
        required: true
      namespace: *namespace
      labels: *labels
      annotations: *annotations
      spec: *spec
      server: *server
      vault_namespace: *vault_namespace
      ca_bundle: *ca_bundle
      ca_provider: *ca_provider
      auth: *auth
      tls: *tls
      read_your_writes: *read_your_writes
      forward_inconsistent: *forward_inconsistent
      headers: *headers
      path: *path
      version: *version
      check_and_set: *check_and_set
      conditions: *conditions
      controller: *controller
      refresh_interval: *refresh_interval
      retry_settings: *retry_settings
      state:
        description: Whether this store is to exist; by default the module's O(state).
        type: str
        choices: [present, absent]
"""

EXAMPLES = r"""
- name: Let the namespace applications read Vault
  secretops.vault_eso.eso_secretstore:
    name: vault
    namespace: applications
    server: https://vault.example.com:8200
    path: secret
    ca_bundle: "{{ lookup('ansible.builtin.file', 'vault-ca.crt') }}"
    auth:
      kubernetes:
        mount_path: kubernetes
        role: external-secrets
        service_account:
          name: external-secrets
          audiences: [vault]
    wait: true

- name: Declare all stores of a cluster
  secretops.vault_eso.eso_secretstore:
    stores:
      - kind: ClusterSecretStore
        name: vault-ci
        server: https://vault.example.com:8200
        path: cicd
        auth:
          app_role:
            path: approle
            role_id: cicd
            secret_ref: {name: vault-approle, key: secret-id, namespace: external-secrets}
      - name: legacy
        namespace: applications
        state: absent
"""

RETURN = r"""
results:
  description: One entry per store.
  returned: always
  type: list
  elements: dict
  sample: [{kind: SecretStore, name: applications/vault, action: update, changed: true, fields: [spec.provider.vault.server]}]
summary:
  description: How many objects were created, updated, deleted, left alone, failed or not reached.
  returned: always
  type: dict
  sample: {create: 0, update: 1, delete: 0, none: 4, failed: 0, not_reached: 0}
requests:
  description: How many requests were sent, and how many of them were no reads.
  returned: always
  type: dict
  sample: {total: 4, writes: 1}
"""

from ansible_collections.secretops.vault_eso.plugins.module_utils._eso.module import converge
from ansible_collections.secretops.vault_eso.plugins.module_utils._eso.store import Stores


def main() -> None:
    converge(Stores())


if __name__ == "__main__":
    main()
