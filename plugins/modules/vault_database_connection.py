#!/usr/bin/python
# Copyright: Contributors to the secretops.vault_eso project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: vault_database_connection
short_description: Manage connections of the database engine of Vault or OpenBao
version_added: 0.1.0
description:
  - Creates, updates and deletes the connections of database engines to PostgreSQL, MySQL and all other databases that the server has a plugin for.
  - A plugin that the server does not have is refused before anything changes.
  - The password is never read back and follows O(update_secrets). Once the server has rotated it, what is declared is not written any more.
  - Fields that are not declared are left alone.
author: secretops.vault_eso contributors (@secretops)
extends_documentation_fragment:
  - secretops.vault_eso.vault
  - secretops.vault_eso.vault.login
  - secretops.vault_eso.reconcile
  - secretops.vault_eso.reconcile.mounts
  - secretops.vault_eso.reconcile.update_secrets
options:
  mount: &mount
    description:
      - Path of the database engine, by default V(database).
      - Next to O(connections), the mount of entries without one of their own.
    type: str
  name: &name
    description: Name of the connection.
    type: str
  plugin_name: &plugin_name
    description: Plugin for the database, such as V(postgresql-database-plugin) or V(mysql-database-plugin). Needed for a new connection.
    type: str
  plugin_version: &plugin_version
    description: Version of an external plugin.
    type: str
  connection_url: &connection_url
    description:
      - Address of the database, with C({username}) and C({password}) in the places of the credential.
      - They become the server's own C({{username}}) and C({{password}}), which Jinja would take for variables; under C(!unsafe) these can be written
        as well.
      - An address that holds a password is refused, because it would be shown. One that somebody gave the server by hand is shown without it.
    type: str
  root_username: &root_username
    description: The server's user in the database, C(username) in the API. O(username) is that of the module's own login.
    type: str
  root_password: &root_password
    description:
      - Password of O(root_username), C(password) in the API.
      - It is written when the connection is created or O(root_username) changes, otherwise by O(update_secrets).
    type: str
  allowed_roles: &allowed_roles
    description: Names of the roles that may use the connection, with V(*) as wildcard. The order does not matter.
    type: list
    elements: str
  root_rotation_statements: &root_rotation_statements
    description: Statements that rotate the root credential, a list or one text; by default the plugin's own.
    type: raw
  password_policy: &password_policy
    description: Name of the password policy for the passwords that the server makes; empty for its default.
    type: str
  verify_connection: &verify_connection
    description: Whether the server tests the connection when it is written, which is its default. It does not store this, so it is not compared.
    type: bool
  max_open_connections: &max_open_connections
    description: How many connections to the database may be open at a time.
    type: int
  max_idle_connections: &max_idle_connections
    description: How many of them may be idle; a negative number for none.
    type: int
  max_connection_lifetime: &max_connection_lifetime
    description: How long a connection may be used, a duration; V(0s) for no limit.
    type: str
  username_template: &username_template
    description: Template of the names of the users that dynamic roles create. Protect it from Jinja by C(!unsafe).
    type: str
  rotate_root: &rotate_root
    description:
      - With V(once) the server gives its root credential a new password that nobody else knows, after the connection is created, and never again.
      - The time of the rotation is stored in the connection's details as C(vault_eso_root_rotated), where every later run finds it. A run that is
        interrupted in between rotates once more.
      - As long as it is there, O(root_password) is not written, whatever O(update_secrets) is.
      - After the password was reset in the database by hand, run once with V(never), O(update_secrets=always) and the new password; that removes it.
    type: str
    choices: [never, once]
    default: never
  options: &options
    description:
      - All other details of the plugin, such as C(tls_ca), C(hosts) or C(disable_escaping).
      - Secrets are refused here, see O(secret_options).
    type: dict
  secret_options: &secret_options
    description: Secret details, such as C(private_key) or C(pem_bundle). They follow O(update_secrets) when the server does not return them.
    type: dict
  connections:
    description: Many connections. Excludes O(name).
    type: list
    elements: dict
    suboptions:
      mount: *mount
      name:
        <<: *name
        required: true
      plugin_name: *plugin_name
      plugin_version: *plugin_version
      connection_url: *connection_url
      root_username: *root_username
      root_password: *root_password
      allowed_roles: *allowed_roles
      root_rotation_statements: *root_rotation_statements
      password_policy: *password_policy
      verify_connection: *verify_connection
      max_open_connections: *max_open_connections
      max_idle_connections: *max_idle_connections
      max_connection_lifetime: *max_connection_lifetime
      username_template: *username_template
      rotate_root: *rotate_root
      options: *options
      secret_options: *secret_options
      state:
        description: Whether this connection is to exist; by default the module's O(state).
        type: str
        choices: [present, absent]
  purge:
    description: Delete the connections that are not declared, in the mounts that O(connections) names and in O(mount). See O(purge_mounts).
    type: bool
    default: false
  protected:
    description: Names of connections, or C(mount/name), that O(purge) never deletes.
    type: list
    elements: str
    default: []
  purge_data:
    description:
      - Names of connections, or C(mount/name), that O(purge) may delete.
      - A rotated root credential is known to nobody else, so each must be named here.
    type: list
    elements: str
    default: []
"""

EXAMPLES = r"""
- name: Connect the engine to PostgreSQL, and take the root credential over
  secretops.vault_eso.vault_database_connection:
    name: orders
    plugin_name: postgresql-database-plugin
    connection_url: "postgresql://{username}:{password}@db.example.com:5432/orders?sslmode=verify-full"
    root_username: vault
    root_password: "{{ orders_database_password }}"
    allowed_roles: [orders-*]
    max_open_connections: 5
    max_connection_lifetime: 5m
    rotate_root: once

- name: Declare all connections of a mount
  secretops.vault_eso.vault_database_connection:
    mount: database
    connections:
      - name: orders
        plugin_name: postgresql-database-plugin
        connection_url: "postgresql://{username}:{password}@db.example.com:5432/orders"
        root_username: vault
        root_password: "{{ orders_database_password }}"
        allowed_roles: [orders-ro, orders-rw]
      - name: shop
        plugin_name: mysql-database-plugin
        connection_url: "{username}:{password}@tcp(mysql.example.com:3306)/"
        root_username: vault
        root_password: "{{ shop_database_password }}"
        allowed_roles: [shop]
    purge: true
    purge_data: [legacy]
"""

RETURN = r"""
results:
  description: One entry per connection.
  returned: always
  type: list
  elements: dict
  sample: [{kind: database connection, name: database/orders, action: create, changed: true, fields: [allowed_roles, connection_url, plugin_name]}]
summary:
  description: How many objects were created, updated, deleted, left alone, failed or not reached.
  returned: always
  type: dict
  sample: {create: 1, update: 0, delete: 0, none: 0, failed: 0, not_reached: 0}
root_rotated:
  description: When the root credential was rotated for O(rotate_root=once). With O(connections) it is in each entry's C(info).
  returned: for a single connection whose root credential was rotated
  type: str
  sample: "2026-01-31T12:00:00+00:00"
"""

from ansible_collections.secretops.vault_eso.plugins.module_utils._vault.connection.module import converge
from ansible_collections.secretops.vault_eso.plugins.module_utils._vault.engines.database.connection import (
    DatabaseConnections,
)


def main() -> None:
    converge(DatabaseConnections())


if __name__ == "__main__":
    main()
