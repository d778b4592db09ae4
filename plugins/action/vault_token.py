# Copyright: Contributors to the secretops.vault_eso project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Masks what the module of the same name returns."""

from __future__ import annotations

from ansible_collections.secretops.vault_eso.plugins.plugin_utils.masking import MaskedModule


class ActionModule(MaskedModule):
    """The module, masked."""
