# Copyright: Contributors to the secretops.vault_eso project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What looks like a secret and must not reach Git, and what only looks so."""

from __future__ import annotations

import base64
from typing import Any

import pytest

from ansible_collections.secretops.vault_eso.plugins.module_utils._engine.errors import InvalidInput
from ansible_collections.secretops.vault_eso.plugins.module_utils._eso.git_secrets import refuse_secrets

KEY = "-----BEGIN EC PRIVATE KEY-----\nCanary1\n-----END EC PRIVATE KEY-----\n"
CERTIFICATE = base64.b64encode(b"-----BEGIN CERTIFICATE-----\n" + b"A" * 64 + b"\n-----END CERTIFICATE-----\n").decode()


def template(**data: str) -> dict[str, Any]:
    return {"spec": {"target": {"template": {"data": data}}}}


def annotated(**annotations: str) -> dict[str, Any]:
    return {"metadata": {"annotations": annotations}}


def at(address: str) -> dict[str, Any]:
    return {"spec": {"provider": {"vault": {"server": address}}}}


@pytest.mark.parametrize(
    "manifest",
    [
        template(password="Canary1"),
        template(DB_PASSWORD="Canary1"),
        template(**{"config.yaml": "host: db\npassword: Canary1\n"}),
        template(**{"config.json": '{"host": "db", "password": "Canary1"}'}),
        template(**{"app.properties": "db.host=db\ndb.password=Canary1\n"}),
        template(url="postgresql://web:Canary1@db/web"),
        template(url="postgresql://web:Can/ary1@db/web"),
        template(dsn="host=db user=web password=Canary1"),
        template(key=KEY),
        template(mixed="user: {{ .user }}\npassword: Canary1"),
        {"spec": {"template": {"templateFrom": [{"literal": "token: Canary1"}]}}},
        {"spec": {"externalSecretSpec": {"target": {"template": {"data": {"token": "Canary1"}}}}}},
        at("https://me:Canary1@vault:8200"),
        at("https://me:Can/ary1@vault:8200"),
        at("HTTPS://me:Canary1@vault:8200"),
        at("https://vault:8200/?private_token=Canary1"),
        {"spec": {"provider": {"vault": {"headers": {"Authorization": "Bearer Canary1"}}}}},
        {"spec": {"provider": {"webhook": {"headers": {"X-Api-Key": "Canary1"}}}}},
        {"spec": {"provider": {"x": {"password": "Canary1"}}}},
        {"spec": {"parameters": {"client_secret": "Canary1"}}},
        annotated(**{"example.com/api-token": "Canary1"}),
        annotated(password="Canary1"),
        annotated(**{"kubectl.kubernetes.io/last-applied-configuration": '{"data":{"password":"Canary1"}}'}),
        annotated(note="glpat-Canary1Canary1Canary1"),
        annotated(note=base64.b64encode(KEY.encode()).decode()),
        annotated(note="https://robot:Canary1@git.example.com/x"),
        {"metadata": {"labels": {"token": "Canary1"}}},
    ],
)
def test_what_looks_like_a_secret_is_refused_and_not_said(manifest: dict[str, Any]) -> None:
    with pytest.raises(InvalidInput, match="looks like a secret") as refused:
        refuse_secrets({"kind": "X", **manifest})
    assert "ary1" not in str(refused.value)


@pytest.mark.parametrize(
    "manifest",
    [
        template(password="{{ .password }}", url="postgresql://web:{{ .password | urlquery }}@db/web", host="db"),
        template(**{"config.yaml": "host: db\npassword: {{ .password | quote }}\ntokens:\n- a\n"}),
        template(**{"config.json": '{"password": {{ .password | toJson }}, "token_ttl": 3600, "use_token": true}'}),
        template(**{"app.properties": "db.password=${DB_PASSWORD}\nauth.token=none\n"}),
        template(dsn="host=db user=web password={{ .password }} sslmode=require"),
        template(note="mail admin@example.com; https://[::1]:8200/a@b https://db:8200/x/@y"),
        at("https://vault:8200"),
        {"spec": {"provider": {"vault": {"caBundle": CERTIFICATE, "path": "secret", "auth": {"role": "token"}}}}},
        {"spec": {"provider": {"vault": {"auth": {"tokenSecretRef": {"name": "token", "key": "token"}}}}}},
        {"spec": {"data": [{"secretKey": "password", "remoteRef": {"key": "apps/token", "property": "password"}}]}},
        {"spec": {"parameters": {"token": "{{ .x }}", "ttl": "1h", "password_policy": "strong"}}},
        annotated(**{"example.com/inject-token": "true", "reloader.stakater.com/match": "token"}),
        {"rules": [{"resources": ["secrets"], "verbs": ["get"]}]},
    ],
)
def test_what_only_looks_so_is_taken(manifest: dict[str, Any]) -> None:
    refuse_secrets({"kind": "X", **manifest})
