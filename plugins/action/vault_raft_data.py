# Copyright: Contributors to the secretops.vault_eso project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Runs the module of the same name in Ansible's own worker where it can."""

from __future__ import annotations

from ansible_collections.secretops.vault_eso.plugins.modules import vault_raft_data
from ansible_collections.secretops.vault_eso.plugins.plugin_utils._in_worker import ModuleInWorker


class ActionModule(ModuleInWorker):
    """The module."""

    MODULE = vault_raft_data
