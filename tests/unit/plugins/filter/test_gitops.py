# Copyright: Contributors to the secretops.vault_eso project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the role eso_gitops hands to Git."""

from __future__ import annotations

import pytest

from ansible_collections.secretops.vault_eso.plugins.filter.gitops import eso_gitops_problems

GOOD = {"repository": "https://git.example.com/fleet.git", "branch": "main", "path": "clusters/eu-1/external-secrets"}


@pytest.mark.parametrize(
    "change",
    [
        {},
        {"repository": "ssh://git@git.example.com:2222/fleet.git"},
        {"repository": "git@git.example.com:platform/fleet.git"},
        {"repository": "git.example.com:platform/fleet.git"},
        {"repository": "/srv/git/fleet@2:1.git"},
        {"repository": "../fleet.git"},
        {"repository": "HTTPS://git.example.com:8443/fleet.git"},
        {"repository": "https://[2001:db8::1]:8443/fleet.git"},
        {"repository": "ssh://[2001:db8::1]/fleet.git"},
        {"repository": "file:///srv/git/fleet.git"},
        {"branch": "release/1.2"},
        {"path": "a"},
        {"path": "clusters/.hidden/[eu]*"},
    ],
)
def test_what_git_takes_for_what_it_is(change: dict[str, str]) -> None:
    assert eso_gitops_problems({**GOOD, **change}) == []


@pytest.mark.parametrize(
    ("repository", "word"),
    [
        ("--upload-pack=touch /tmp/x", "option or a command"),
        ("-u", "option or a command"),
        ("ext::sh -c touch% /tmp/x", "option or a command"),
        ("ssh://-oProxyCommand=x/y", "option or a command"),
        ("git@-oProxyCommand=x:y", "option or a command"),
        ("https://git.example.com/a b", "option or a command"),
        ("javascript://x/y", "option or a command"),
        ("https://robot:Canary1@git.example.com/x", "credentials"),
        ("HTTPS://robot:Canary1@git.example.com/x", "credentials"),
        ("https://robot:Can/ary1@git.example.com/x", "credentials"),
        ("https://robot:12/Canary1@git.example.com/x", "credentials"),
        ("https://Canary1@git.example.com/x", "credentials"),
        ("https://git.example.com/x?private_token=Canary1", "credentials"),
        ("https://git.example.com/x#Canary1", "credentials"),
        ("ssh://robot:Canary1@git.example.com/x", "credentials"),
        ("ssh://robot:Can/ary1@git.example.com/x", "credentials"),
        ("git+ssh://robot:Can/ary1@git.example.com/x", "credentials"),
        ("robot:Canary1@git.example.com:x", "credentials"),
        ("ftp://robot:Canary1@git.example.com/x", "credentials"),
    ],
)
def test_an_address_that_is_none_or_holds_a_secret(repository: str, word: str) -> None:
    problems = eso_gitops_problems({**GOOD, "repository": repository})
    assert len(problems) == 1
    assert word in problems[0]
    assert "ary1" not in problems[0]


@pytest.mark.parametrize(
    "change",
    [
        *(
            {"path": path}
            for path in (":/", ":(top)x", "", "/etc", "a/../../x", "./a", "a//b", ".git/x", "a/.GIT", "-a")
        ),
        *({"path": path} for path in ("a\nb", "a\\b")),
        *({"branch": branch} for branch in ("", "--force", "a b", "a..b", "x.lock", "a:b", "@{1}", "/a", "a~1", "*")),
        {"branch": "refs/heads/main"},
    ],
)
def test_a_path_or_branch_that_git_reads_otherwise(change: dict[str, str]) -> None:
    assert len(eso_gitops_problems({**GOOD, **change})) == 1
