# Copyright: Contributors to the secretops.vault_eso project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a JSON web token says of itself, and what other texts do not."""

from __future__ import annotations

import base64
import json
from typing import Any

import pytest

from ansible_collections.secretops.vault_eso.plugins.module_utils._engine import jwt


def token(body: Any) -> str:
    """Return a token with this body, as it is on the wire: without padding."""
    return "e30.%s.sig" % base64.urlsafe_b64encode(json.dumps(body).encode()).decode().rstrip("=")


@pytest.mark.parametrize("text", ["", "s.opaque", "a.b.c", "e30.\u00e4.x", token(["a list"]), token("a text")])
def test_what_is_no_token_says_nothing(text: str) -> None:
    assert jwt.claims(text) == {}
    assert jwt.expiry(text) is None


@pytest.mark.parametrize(("body", "end"), [({"exp": 17}, 17.0), ({"exp": "soon"}, None), ({"sub": "a"}, None)])
def test_claims_and_expiry(body: dict[str, Any], end: float | None) -> None:
    assert jwt.claims(token(body)) == body
    assert jwt.expiry(token(body)) == end
