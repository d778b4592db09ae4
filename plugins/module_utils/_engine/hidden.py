# Copyright: Contributors to the secretops.vault_eso project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# Private to this collection: what is here may change at any time. Other collections must not import it.
"""Placeholders for masked secrets."""

from __future__ import annotations

HIDDEN = "(hidden)"
HIDDEN_OLD = "(hidden, other value)"
HIDDEN_NEW = "(hidden, new value)"
#: Ansible's own placeholder
NO_LOG = "VALUE_SPECIFIED_IN_NO_LOG_PARAMETER"
