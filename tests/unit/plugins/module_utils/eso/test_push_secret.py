# Copyright: Contributors to the secretops.vault_eso project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

from typing import Any

import pytest

from ansible_collections.secretops.vault_eso.plugins.module_utils._eso.push_spec import push_secret_spec
from ansible_collections.secretops.vault_eso.plugins.module_utils._eso.push_versions import (
    filled_by_generator,
    regenerated,
)
from ansible_collections.secretops.vault_eso.plugins.module_utils._kubernetes.waiting import with_cause

GENERATOR = {"dataFrom": [{"sourceRef": {"generatorRef": {"kind": "Password", "name": "long"}}}]}
METADATA = {"apiVersion": "x/v1", "spec": {"secret_push_format": "string", "customMetadata": {"cost_center": "7"}}}


@pytest.mark.parametrize(("option", "field"), [("data", "data"), ("data_to", "dataTo")])
def test_metadata_of_an_entry_stays_as_it_was_written(option: str, field: str) -> None:
    entry = {"conversion_strategy": "None", "metadata": METADATA}
    spec = push_secret_spec({option: [entry]})
    assert spec[field] == [{"conversionStrategy": "None", "metadata": METADATA}]


@pytest.mark.parametrize(
    ("more", "warned"),
    [
        ({}, True),
        ({"refreshInterval": "1h"}, True),
        ({"updatePolicy": "Replace"}, True),
        ({"updatePolicy": "IfNotExists"}, False),
        ({"refreshInterval": "0s"}, False),
        ({"selector": {"secret": {"name": "app"}}}, False),
    ],
)
def test_a_source_that_is_made_anew_is_warned_of(more: dict[str, Any], warned: bool) -> None:
    spec = {"selector": {"generatorRef": {"kind": "Password", "name": "long"}}, **more}
    assert bool(regenerated(spec)) is warned


@pytest.mark.parametrize(
    ("text", "function"),
    [
        ("{{ randAlphaNum 12 }}", "randAlphaNum"),
        ("{{ .user }}:{{ .password | bcrypt }}", "bcrypt"),
        ('{{ now | date "2006" }}', "now"),
        ('{{ $ca := genCA "x" 3 }}{{ $ca.Cert }}', "genCA"),
        ("{{ .now }}", ""),
        ('{{ .a | replace "now" "then" }}', ""),
        ("randAlphaNum", ""),
    ],
)
def test_a_template_that_gives_another_value_each_time_is_warned_of(text: str, function: str) -> None:
    source = {"selector": {"secret": {"name": "app"}}}
    for template in ({"data": {"a": text}}, {"templateFrom": [{"literal": text}]}):
        warnings = regenerated({**source, "template": template})
        assert bool(warnings) is bool(function)
        assert function in str(warnings)
    assert not regenerated({**source, "template": {"data": {"a": text}}, "updatePolicy": "IfNotExists"})


@pytest.mark.parametrize(
    ("more", "warned"),
    [
        ({}, True),
        ({"target": {"name": "app"}}, True),
        ({"target": {"name": "other"}}, False),
        ({"refreshPolicy": "CreatedOnce"}, False),
        ({"refreshInterval": "0"}, False),
        ({"dataFrom": [{"extract": {"key": "app"}}]}, False),
    ],
)
def test_a_source_that_an_external_secret_makes_anew_is_warned_of(more: dict[str, Any], warned: bool) -> None:
    maker = {"metadata": {"name": "app"}, "spec": {**GENERATOR, **more}}
    assert bool(filled_by_generator("app", maker)) is warned


@pytest.mark.parametrize(
    ("lacking", "cause", "text"),
    [
        (
            "is not ready: Errored: set secret failed: x",
            "set secret failed: x",
            "is not ready: Errored: set secret failed: x",
        ),
        ("is not ready: Errored: " + "x" * 300, "x" * 250, "is not ready: Errored: " + "x" * 300),
        ("is not ready: A: could not get it", "could not get it: 403", "is not ready: A: could not get it: 403"),
        ("is not ready: A: generic", "the cause", "is not ready: A: generic: the cause"),
        ("is not ready", "", "is not ready"),
    ],
)
def test_a_cause_is_told_once(lacking: str, cause: str, text: str) -> None:
    assert with_cause(lacking, cause) == text
