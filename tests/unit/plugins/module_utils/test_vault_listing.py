# Copyright: Contributors to the secretops.vault_eso project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Which of many objects a LIST shows to be absent."""

from __future__ import annotations

from typing import Any

from ansible_collections.secretops.vault_eso.plugins.module_utils._vault.base import listing


class Folders:
    """Answers a LIST as the API does, from what it is told; None stands for a refusal."""

    def __init__(self, **folders: Any) -> None:
        self.folders = folders
        self.asked: list[str] = []

    def try_list(self, path: str) -> Any:
        self.asked.append(path)
        keys = self.folders[path]
        return None if keys is None else {"keys": keys}


class Object:
    """What is marked."""

    absent = True


def marked(folders: Folders, names: list[str], folder: str = "roles") -> list[str]:
    """Return the names that are marked as absent."""
    places = [(folder, name, Object()) for name in names]
    listing.mark_absent(folders, places)  # type: ignore[arg-type]
    return [name for _folder, name, one in places if one.absent]


MANY = [f"role-{number}" for number in range(listing.MANY)]


def test_what_is_not_listed_is_absent() -> None:
    assert marked(Folders(roles=MANY[1:]), MANY) == ["role-0"]
    assert marked(Folders(roles=[]), MANY) == MANY


def test_names_that_differ_in_case_alone_are_to_be_read() -> None:
    assert marked(Folders(roles=[name.upper() for name in MANY]), MANY) == []


def test_a_name_with_a_slash_is_to_be_read_where_its_folder_is_listed() -> None:
    names = [*MANY, "A/b", "a/b/c", "c/d", "c/e", "missing/b"]
    assert marked(Folders(roles=[*MANY, "a/", "c/d"]), names) == ["c/e", "missing/b"]


def test_few_are_not_listed_and_a_refusal_marks_none() -> None:
    few = Folders(roles=[])
    assert marked(few, MANY[1:]) == [] and few.asked == []
    refused = Folders(roles=None)
    assert marked(refused, MANY) == [] and refused.asked == ["roles"]
