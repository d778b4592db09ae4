#!/usr/bin/python
# Copyright: Contributors to the secretops.vault_eso project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: vault_database_role
short_description: Manage roles of the database engine of Vault or OpenBao
version_added: 0.1.0
description:
  - Creates, updates and deletes dynamic roles, which make a database user for each who asks, and static roles, which rotate the password of one that exists.
  - A role whose connection does not exist, or does not allow it, gives a warning; a static role is refused then, because the server tries it at once.
  - Durations, statements and defaults are compared by their meaning. Fields that are not declared are left alone.
author: secretops.vault_eso contributors (@secretops)
extends_documentation_fragment:
  - secretops.vault_eso.vault
  - secretops.vault_eso.vault.login
  - secretops.vault_eso.reconcile
  - secretops.vault_eso.reconcile.mounts
options:
  mount: &mount
    description:
      - Path of the database engine, by default V(database).
      - Next to O(roles), the mount of entries without one of their own.
    type: str
  name: &name
    description: Name of the role.
    type: str
  type: &type
    description: Type of the role. A dynamic and a static one of the same name are two roles.
    type: str
    choices: [dynamic, static]
    default: dynamic
  db_name: &db_name
    description: Name of the connection, see P(secretops.vault_eso.vault_database_connection#module).
    type: str
  credential_type: &credential_type
    description: Type of the credentials.
    type: str
    choices: [password, rsa_private_key, client_certificate]
  credential_config: &credential_config
    description:
      - Settings of the O(credential_type), such as C(password_policy) or C(key_bits). What is not named is not compared.
      - A private key among them, as C(ca_private_key), is not printed.
    type: dict
  creation_statements: &creation_statements
    description:
      - For a dynamic role, the statements that create a user, a list or one text, with C({name}), C({password}) and C({expiration}) in their places.
      - These become the server's own C({{name}}) and so on, which Jinja would take for variables; under C(!unsafe) these can be written as well.
    type: raw
  revocation_statements: &revocation_statements
    description: For a dynamic role, the statements that remove a user; by default the plugin's own.
    type: raw
  rollback_statements: &rollback_statements
    description: For a dynamic role, the statements that run after a failed creation.
    type: raw
  renew_statements: &renew_statements
    description: For a dynamic role, the statements that extend the validity of a user.
    type: raw
  default_ttl: &default_ttl
    description: For a dynamic role, the TTL of a lease, a duration; V(0) is the engine's default.
    type: str
  max_ttl: &max_ttl
    description: For a dynamic role, the maximum TTL of a lease including renewals, a duration; V(0) is the engine's default.
    type: str
  db_username: &db_username
    description: For a static role, the user in the database, C(username) in the API. It cannot be changed.
    type: str
  rotation_period: &rotation_period
    description: For a static role, after which time the password is rotated, a duration. A static role needs this or a O(rotation_schedule).
    type: str
  rotation_schedule: &rotation_schedule
    description: For a static role, when the password is rotated, in the form of cron; HashiCorp Vault only.
    type: str
  rotation_window: &rotation_window
    description: For a static role with a O(rotation_schedule), how long after each time the rotation may be tried, a duration.
    type: str
  rotation_statements: &rotation_statements
    description: For a static role, the statements that set the password, with C({name}) and C({password}) in their places; by default the plugin's
      own.
    type: raw
  options: &options
    description: All other fields by their names in the API.
    type: dict
  roles:
    description: Many roles. Excludes O(name).
    type: list
    elements: dict
    suboptions:
      mount: *mount
      name:
        <<: *name
        required: true
      type: *type
      db_name: *db_name
      credential_type: *credential_type
      credential_config: *credential_config
      creation_statements: *creation_statements
      revocation_statements: *revocation_statements
      rollback_statements: *rollback_statements
      renew_statements: *renew_statements
      default_ttl: *default_ttl
      max_ttl: *max_ttl
      db_username: *db_username
      rotation_period: *rotation_period
      rotation_schedule: *rotation_schedule
      rotation_window: *rotation_window
      rotation_statements: *rotation_statements
      options: *options
      state:
        description: Whether this role is to exist; by default the module's O(state).
        type: str
        choices: [present, absent]
  purge:
    description: Delete the roles of both types that are not declared, in the mounts that O(roles) names and in O(mount). See O(purge_mounts).
    type: bool
    default: false
  protected:
    description: Names of roles, or C(mount/name), that O(purge) never deletes.
    type: list
    elements: str
    default: []
"""

EXAMPLES = r"""
- name: Hand out users that may read
  secretops.vault_eso.vault_database_role:
    name: orders-ro
    db_name: orders
    creation_statements:
      - CREATE ROLE "{name}" WITH LOGIN PASSWORD '{password}' VALID UNTIL '{expiration}'
      - GRANT SELECT ON ALL TABLES IN SCHEMA public TO "{name}"
    default_ttl: 1h
    max_ttl: 24h

- name: Rotate the password of a user that exists, and remove the roles that are not declared
  secretops.vault_eso.vault_database_role:
    roles:
      - name: orders-batch
        type: static
        db_name: orders
        db_username: batch
        rotation_period: 24h
    purge: true
"""

RETURN = r"""
results:
  description: One entry per role.
  returned: always
  type: list
  elements: dict
  sample: [{kind: dynamic database role, name: database/orders-ro, action: update, changed: true, fields: [max_ttl]}]
summary:
  description: How many objects were created, updated, deleted, left alone, failed or not reached.
  returned: always
  type: dict
  sample: {create: 0, update: 1, delete: 0, none: 4, failed: 0, not_reached: 0}
last_rotation:
  description: When the server last rotated the password. With O(roles) it is in each entry's C(info).
  returned: for a single static role that existed
  type: str
  sample: "2026-01-31T12:00:00.123456789Z"
"""

from ansible_collections.secretops.vault_eso.plugins.module_utils._vault.connection.module import converge
from ansible_collections.secretops.vault_eso.plugins.module_utils._vault.engines.database.roles import DatabaseRoles


def main() -> None:
    converge(DatabaseRoles())


if __name__ == "__main__":
    main()
