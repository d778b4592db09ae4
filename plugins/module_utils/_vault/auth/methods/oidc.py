# Copyright: Contributors to the secretops.vault_eso project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# Private to this collection: what is here may change at any time. Other collections must not import it.
"""OIDC: people log in with their browser. The plugin is that of `jwt`. Source: /api-docs/auth/jwt."""

from __future__ import annotations

from dataclasses import replace

from . import jwt

# a module cannot log in with a browser
METHOD = replace(jwt.METHOD, name="oidc", login=None)
