# Copyright: Contributors to the secretops.vault_eso project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# Private to this collection: what is here may change at any time. Other collections must not import it.
"""All auth methods. Written by `make generate` from the files in `methods`."""

from __future__ import annotations

from .methods import (
    approle,
    aws,
    cert,
    jwt,
    kubernetes,
    ldap,
    oidc,
    token,
    userpass,
)

ALL = (
    approle.METHOD,
    aws.METHOD,
    cert.METHOD,
    jwt.METHOD,
    kubernetes.METHOD,
    ldap.METHOD,
    oidc.METHOD,
    token.METHOD,
    userpass.METHOD,
)
