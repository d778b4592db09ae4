# Copyright: Contributors to the secretops.vault_eso project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# Private to this collection: what is here may change at any time. Other collections must not import it.
"""The kinds of External Secrets Operator.

Source of fields and rules: External Secrets Operator 0.9 to 2.9, API reference and admission webhooks.
"""

from __future__ import annotations

OPERATOR = "External Secrets Operator"
GROUP = "external-secrets.io"
#: v1beta1 was served up to 0.16, v1 since 0.16
VERSIONS = ("v1", "v1beta1")
