# Copyright: Contributors to the secretops.vault_eso project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What may be printed."""

from __future__ import annotations

from ansible_collections.secretops.vault_eso.plugins.module_utils import redact


def test_pair_hides_values_and_keeps_the_difference_visible() -> None:
    before, after = redact.pair(
        {"password": "old", "same": "kept", "user": "a"},
        {"password": "new", "same": "kept", "user": "b"},
        {"password", "same"},
        ["password", "user"],
    )
    assert before == {"password": redact.HIDDEN_OLD, "same": redact.HIDDEN, "user": "a"}
    assert after == {"password": redact.HIDDEN_NEW, "same": redact.HIDDEN, "user": "b"}
    assert before["password"] != after["password"]


def test_pair_hides_everything_by_a_star() -> None:
    before, after = redact.pair(None, {"a": 1, "b": {"c": "deep"}}, {"*"}, ["a"])
    assert before == {}
    assert after == {"a": redact.HIDDEN_NEW, "b": redact.HIDDEN}


def test_pair_leaves_the_given_states_alone() -> None:
    state = {"password": "old"}
    redact.pair(state, state, {"password"})
    assert state == {"password": "old"}


def test_scrub_takes_the_longest_first() -> None:
    text = "token abcd-long and abcd here"
    assert redact.scrub(text, ["abcd", "abcd-long"]) == "token %s and %s here" % (redact.HIDDEN, redact.HIDDEN)
    assert "long" not in redact.scrub(text, ["abcd", "abcd-long"])


def test_scrub_spares_what_is_too_short_to_be_a_secret() -> None:
    assert redact.scrub("a yes and a no", ["a", "yes", ""]) == "a yes and a no"


def test_as_text_is_sorted_and_keeps_blocks_as_lines() -> None:
    text = redact.as_text({"b": "x", "a": ["1", "2"], "pem": "one\ntwo\n", "n": None})
    assert text == 'a: ["1", "2"]\nb: x\nn: null\npem: |\n  one\n  two\n'
    assert redact.as_text({}) == ""


def test_occurring_finds_every_value_that_is_part_of_a_text_and_no_other() -> None:
    texts = ["the pin is 1234", "password=s3cret-with-tail", "a\nb", "x"]
    values = ["1234", "12345", "s3cret-with-tail", "s3cret-with-other", "s3cret-w", "a\nb", "x", "yy", "in", "", "gone"]
    assert redact.occurring(values, texts) == {"1234", "s3cret-with-tail", "s3cret-w", "a\nb", "x", "in"}
    assert redact.occurring(["password-of-%05d" % number for number in range(20000)], ["password-of-00017"] * 5000) == {
        "password-of-00017"
    }


SPEC = {
    "name": {"type": "str", "aliases": ["title"]},
    "data": {"type": "dict", "no_log": True},
    "login": {"type": "dict", "options": {"user": {"type": "str"}, "password": {"type": "str", "no_log": True}}},
    "entries": {
        "type": "list",
        "elements": "dict",
        "options": {"name": {"type": "str"}, "data": {"type": "dict", "no_log": True}},
    },
}


def test_echo_goes_by_the_spec() -> None:
    shown, secret = redact.echo(
        {
            "title": "a",
            "data": {"password": "quote'and\\slash", "n": 1, "list": ["second-secret"]},
            "dta": {"password": "misspelt"},
            "login": {"user": "ada", "password": "third-secret", "pasword": "misspelt"},
            "entries": [{"name": "b", "data": {"k": "fourth-secret"}, "daat": "misspelt"}, "misplaced"],
        },
        SPEC,
    )
    assert shown == {
        "title": "a",
        "data": redact.NO_LOG,
        "dta": redact.HIDDEN,
        "login": {"user": "ada", "password": redact.NO_LOG, "pasword": redact.HIDDEN},
        "entries": [{"name": "b", "data": redact.NO_LOG, "daat": redact.HIDDEN}, redact.HIDDEN],
    }
    assert secret == {"quote'and\\slash", "second-secret", "third-secret", "fourth-secret"}


def test_echo_hides_what_has_another_shape_than_the_spec_says() -> None:
    for value in ("text", {"data": "text"}, 7):
        assert redact.echo({"entries": value}, SPEC) == ({"entries": redact.HIDDEN}, set())
    assert redact.echo({"entries": [["text"]], "login": "text"}, SPEC) == (
        {"entries": [redact.HIDDEN], "login": redact.HIDDEN},
        set(),
    )
    assert redact.echo({"entries": None, "data": None}, SPEC) == ({"entries": None, "data": None}, set())
