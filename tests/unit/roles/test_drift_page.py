# Copyright: Contributors to the secretops.vault_eso project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The page of the role drift: every tag is closed, every name is escaped, and what has no details is no fold."""

from __future__ import annotations

from html.parser import HTMLParser
from typing import Any

import jinja2

from ansible_collections.secretops.vault_eso.plugins.filter import drift
from support.system import ROOT

VOID = ("meta", "br")
NAME = "<b>x</b>{{ 'y' }}"


class Tags(HTMLParser):
    """Counts tags and refuses one that is closed in the wrong place."""

    def __init__(self) -> None:
        super().__init__()
        self.open: list[str] = []
        self.seen: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.seen.append(tag)
        if tag not in VOID:
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag


def result(**more: Any) -> dict[str, Any]:
    """Return the result of a module with a new object and one that differs."""
    objects = [
        {"kind": "policy", "name": NAME, "action": action, "changed": True, "fields": [NAME]}
        for action in ("create", "update")
    ]
    diff = [{"before_header": f'policy "{NAME}" (update)', "before": f"a: {NAME}\n", "after": "a: b\n"}]
    return {"results": objects, "diff": diff, "warnings": [NAME], **more}


def test_the_page_is_whole_and_escapes_names() -> None:
    parts = [
        *drift.drift_part(result(), "policies", NAME),
        *drift.drift_part({"failed": True, "msg": NAME}, "quotas"),
    ]
    report = drift.drift_report({NAME: parts, "clean": []}, "2026-01-01T00:00:00Z")
    # Ansible's own settings for templates
    text = (ROOT / "roles/drift/templates/drift.html.j2").read_text()
    environment = jinja2.Environment(trim_blocks=True, undefined=jinja2.StrictUndefined)  # noqa: S701
    page = environment.from_string(text).render(drift_report=report)
    tags = Tags()
    tags.feed(page)
    assert tags.open == []
    assert "<b>" not in page and page.count("&lt;b&gt;") >= 8
    # the object that differs; the new one has no lines to fold
    assert tags.seen.count("details") == tags.seen.count("summary") == tags.seen.count("pre") == 1
    assert page.count('class="change"') == 1
