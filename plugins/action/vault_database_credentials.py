# Copyright: Contributors to the secretops.vault_eso project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Masks what the module of the same name returns; runs it in Ansible's own worker where it can."""

from __future__ import annotations

from ansible_collections.secretops.vault_eso.plugins.modules import vault_database_credentials
from ansible_collections.secretops.vault_eso.plugins.plugin_utils._in_worker import MaskedModule


class ActionModule(MaskedModule):
    """The module, masked."""

    MODULE = vault_database_credentials
