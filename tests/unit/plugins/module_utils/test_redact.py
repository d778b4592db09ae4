# Copyright: Contributors to the secretops.vault_eso project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What may be printed."""

from __future__ import annotations

import base64
import html
import json
from urllib.parse import quote, quote_plus

import pytest

from ansible_collections.secretops.vault_eso.plugins.module_utils._engine.addresses import (
    address_passwords,
    has_credentials,
    masked_address,
)
from ansible_collections.secretops.vault_eso.plugins.module_utils._engine.display import (
    as_text,
    echo,
    shown_pair,
    visible,
)
from ansible_collections.secretops.vault_eso.plugins.module_utils._engine.errors import SecretopsError
from ansible_collections.secretops.vault_eso.plugins.module_utils._engine.hidden import (
    HIDDEN,
    HIDDEN_NEW,
    HIDDEN_OLD,
    NO_LOG,
)
from ansible_collections.secretops.vault_eso.plugins.module_utils._engine.scrub import (
    occurring,
    scrub,
    scrub_event,
    scrub_foreign,
    weak,
)
from ansible_collections.secretops.vault_eso.plugins.module_utils._engine.secret_patterns import (
    apparent_secrets,
    masked,
    not_a_path,
    shown_path,
    shown_url,
)


def test_pair_hides_values_and_keeps_the_difference_visible() -> None:
    before, after = shown_pair(
        {"password": "old", "same": "kept", "user": "a"},
        {"password": "new", "same": "kept", "user": "b"},
        {"password", "same"},
        ["password", "user"],
    )
    assert before == {"password": HIDDEN_OLD, "same": HIDDEN, "user": "a"}
    assert after == {"password": HIDDEN_NEW, "same": HIDDEN, "user": "b"}
    assert before["password"] != after["password"]


def test_pair_hides_everything_by_a_star() -> None:
    before, after = shown_pair(None, {"a": 1, "b": {"c": "deep"}}, {"*"}, ["a"])
    assert before == {}
    assert after == {"a": HIDDEN_NEW, "b": HIDDEN}


def test_pair_leaves_the_given_states_alone() -> None:
    state = {"password": "old"}
    shown_pair(state, state, {"password"})
    assert state == {"password": "old"}


def test_scrub_takes_the_longest_first() -> None:
    text = "token ab1d-long and ab1d here"
    assert scrub(text, ["ab1d", "ab1d-long"]) == "token %s and %s here" % (HIDDEN, HIDDEN)
    assert "long" not in scrub(text, ["ab1d", "ab1d-long"])


def test_scrub_spares_what_is_too_short_to_be_a_secret() -> None:
    assert scrub("a yes and a no", ["a", "yes", ""]) == "a yes and a no"


def test_as_text_is_sorted_and_keeps_blocks_as_lines() -> None:
    text = as_text({"b": "x", "a": ["1", "2"], "pem": "one\ntwo\n", "n": None})
    assert text == 'a: ["1", "2"]\nb: x\nn: null\npem: |\n  one\n  two\n'
    assert as_text({}) == ""


def test_occurring_finds_every_value_that_is_part_of_a_text_and_no_other() -> None:
    texts = ["the pin is 1234", "password=s3cret-with-tail", "a\nb", "x"]
    values = ["1234", "12345", "s3cret-with-tail", "s3cret-with-other", "s3cret-w", "a\nb", "x", "yy", "in", "", "gone"]
    assert occurring(values, texts) == {"1234", "s3cret-with-tail", "s3cret-w", "a\nb", "x", "in"}
    assert occurring(["password-of-%05d" % number for number in range(20000)], ["password-of-00017"] * 5000) == {
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
    shown, secret = echo(
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
        "data": NO_LOG,
        "dta": HIDDEN,
        "login": {"user": "ada", "password": NO_LOG, "pasword": HIDDEN},
        "entries": [{"name": "b", "data": NO_LOG, "daat": HIDDEN}, HIDDEN],
    }
    assert secret == {"quote'and\\slash", "second-secret", "third-secret", "fourth-secret"}


def test_echo_hides_what_has_another_shape_than_the_spec_says() -> None:
    for value in ("text", {"data": "text"}, 7):
        assert echo({"entries": value}, SPEC) == ({"entries": HIDDEN}, set())
    assert echo({"entries": [["text"]], "login": "text"}, SPEC) == (
        {"entries": [HIDDEN], "login": HIDDEN},
        set(),
    )
    assert echo({"entries": None, "data": None}, SPEC) == ({"entries": None, "data": None}, set())


@pytest.mark.parametrize(
    ("address", "shown"),
    [
        ("root:one@tcp(db:3306)/x?tls=skip-verify", "root:(hidden)@tcp(db:3306)/x?tls=skip-verify"),
        ("root:o@n/e:x@tcp(db:3306)/", "root:(hidden)@tcp(db:3306)/"),
        ("root:o%20e@unix(/run/x.sock)/", "root:(hidden)@unix(/run/x.sock)/"),
        ("me/o@ne@//db:1521/svc", "me/(hidden)@//db:1521/svc"),
        ("me/one@db", "me/(hidden)@db"),
        ("host=db password=one user=me", "host=db password=(hidden) user=me"),
        ("host=db password=o;n&e\\ x user=me", "host=db password=(hidden) user=me"),
        ("host=db password = 'o n\\'e' user=me", "host=db password = '(hidden)' user=me"),
        ("host=db password='it''s one' sslpassword=two", "host=db password='(hidden)' sslpassword=(hidden)"),
        ("host=db password='never closed", "host=db password=(hidden)"),
        # as the server gives it back
        ("host=db%20password=%27o%20e%27%20user=me", "host=db password='(hidden)' user=me"),
        ("server=db;user id=sa;Pwd=o n e;database=x", "server=db;user id=sa;Pwd=(hidden);database=x"),
        ('server=db;password="o;n""e";encrypt=true', 'server=db;password="(hidden)";encrypt=true'),
        ("odbc:server=db;password={o}}n;e@};user id=sa", "odbc:server=db;password=(hidden);user id=sa"),
        ("server=db;password={one};user id=sa", "server=db;password=(hidden);user id=sa"),
        (
            "postgresql://me:one@db/x?password=two&sslmode=on",
            "postgresql://me:(hidden)@db/x?password=(hidden)&sslmode=on",
        ),
        ("postgresql://me:o/n:e@db/x", "postgresql://me:(hidden)@db/x"),
        ("postgresql://me:o?n#e@db/x", "postgresql://me:(hidden)@db/x"),
        ("mongodb://me:one@a:1,b:2/admin?w=1", "mongodb://me:(hidden)@a:1,b:2/admin?w=1"),
        *(
            (text, text)
            for text in (
                "",
                "db:5432",
                "/run/x.sock",
                "me@tcp(db:3306)/x",
                "password= user=me",
                "postgresql://me:xxxxx@db/x",
                "postgresql://[::1]:5432/x?mail=a@b",
                "mongodb://a:1,b:2/admin?mail=a@b",
                "{{username}}:{{ password }}@tcp(db:3306)/x?loc=US%2FEastern",
                "{username}/{password}@//db:1521/svc",
                "host=db password='{{password}}' user={{username}}",
                "odbc:server=db;password={{password}};user id=sa",
            )
        ),
    ],
)
def test_address_shows_everything_but_passwords(address: str, shown: str) -> None:
    assert masked_address(address) == shown
    assert bool(address_passwords(address)) == (address != shown)


def test_address_passwords_are_found_as_they_are_sent_and_as_they_are_meant() -> None:
    assert address_passwords("host=db%20password=a%20b%20user=me") == ["a%20b%20user=me", "a b"]
    assert address_passwords("server=db;password={o}}ne};user id=sa") == ["{o}}ne}"]


KEY = "-----BEGIN EC PRIVATE KEY-----\nabc\n-----END EC PRIVATE KEY-----"


def test_masked_hides_what_looks_like_a_secret_and_shows_the_rest() -> None:
    value = {
        "provider_config": {"provider": "azure", "client_secret": "one", "nested": [{"api-key": "two", "api": "x"}]},
        "headers": json.dumps({"Authorization": ["Bearer three"], "Accept": ["x"]}),
        "uri": "https://me:four@host:1/x and https://you:five@host",
        "certificate": "-----BEGIN CERTIFICATE-----\n%s\n" % KEY,
        "template": {"password": "{{ .password }}", "secret": {"name": "x", "key": "y"}, "token": ""},
        "connection_url": "host=db password=six",
        "plain": {
            "secretKey": "x",
            "token_ttl": "1h",
            "password_policy": "x",
            "url": "https://{{username}}:{{password}}@h",
        },
        "count": 1,
        "text": '{"no JSON',
    }
    shown = masked(value)
    assert shown["provider_config"] == {
        "provider": "azure",
        "client_secret": HIDDEN,
        "nested": [{"api-key": HIDDEN, "api": "x"}],
    }
    assert json.loads(shown["headers"]) == {"Authorization": [HIDDEN], "Accept": ["x"]}
    assert shown["uri"] == "https://me:(hidden)@host:1/x and https://you:(hidden)@host"
    assert shown["certificate"] == "-----BEGIN CERTIFICATE-----\n(hidden)\n"
    assert shown["connection_url"] == "host=db password=(hidden)"
    assert {name: shown[name] for name in ("template", "plain", "count", "text")} == {
        name: value[name] for name in ("template", "plain", "count", "text")
    }
    assert masked("cut -----BEGIN PRIVATE KEY-----\nabc") == "cut (hidden)"
    assert apparent_secrets(value) == {"one", "two", KEY}


def test_pair_shows_that_only_what_is_hidden_differs() -> None:
    before, after = shown_pair(
        {"host": "https://me:one@a/", "other": "https://me:one@a/", "config": {"password": "one"}},
        {"host": "https://me:two@a/", "other": "https://me:one@b/", "config": {"password": "one"}},
        (),
        ["host", "other", "config"],
    )
    assert before == {
        "host": "https://me:%s@a/" % HIDDEN_OLD,
        "other": "https://me:(hidden)@a/",
        "config": {"password": HIDDEN_OLD},
    }
    assert after["host"] == "https://me:%s@a/" % HIDDEN_NEW
    assert after["other"] == "https://me:(hidden)@b/"


SECRET = "Canary42 '\"\\/+%&<é\n$x"


@pytest.mark.parametrize(
    "text",
    [
        f"got {SECRET} there",
        json.dumps(SECRET),
        json.dumps(SECRET, ensure_ascii=False),
        json.dumps(json.dumps({"x": SECRET})),
        repr(SECRET),
        "x=" + quote(SECRET),
        "x=" + quote_plus(SECRET),
        html.escape(SECRET),
        json.dumps(SECRET).replace("&", "\\u0026").replace("<", "\\u003c"),
        " ".join(SECRET.split()),
        base64.b64encode(f"a:{SECRET}".encode()).decode(),
        base64.urlsafe_b64encode(SECRET.encode()).decode(),
        SECRET.encode().hex(),
        "the value Canary42",
        "cut off: Canary42 '\"\\/...",
    ],
)
def test_a_secret_is_found_in_what_others_say(text: str) -> None:
    shown = scrub_foreign(text, [SECRET, "other-Secret-1"])
    assert HIDDEN in shown
    for form in ("Canary42", "Q2FuYXJ5", base64.b64encode(b"Canary42").decode()[:8], "43616e617279"):
        assert form not in shown


def test_a_common_word_does_not_eat_a_message() -> None:
    """Not our own; a foreign text loses the word, as nobody can tell by what it was put there."""
    text = 'the module "admin" is true: password "admin" of administrators, user=admin and is-true'
    words = ["admin", "true", "module", "is", "a"]
    assert scrub(text, words) == text
    assert scrub_foreign(text, words) == (
        'the (hidden) "(hidden)" is (hidden): password "(hidden)" of administrators, user=(hidden) and is-true'
    )
    assert scrub_foreign('user="is"', words) == 'user="(hidden)"'
    assert all(map(weak, ("admin", "true", "1234", "See", "module", "server", "policy", "a", "0.5")))


@pytest.mark.parametrize("word", ["correcthorse", "hunter", "sesame", "LETMEIN", "123456", "Admin1", "s3cr", "tiger"])
def test_a_plain_word_that_is_no_word_of_ours_is_hidden_everywhere(word: str) -> None:
    text = f"cannot log in: {word} is wrong (x{word}y)"
    for shown in (scrub(text, [word]), scrub_foreign(text, [word])):
        assert shown == "cannot log in: (hidden) is wrong (x(hidden)y)"


@pytest.mark.parametrize(
    ("text", "kept", "gone"),
    [
        (
            'template: k:1:3: executing "k" at <mustToDate "2006" .d>: error calling mustToDate: parsing time'
            ' "Canary" as "2006": cannot parse "Canary" as "2006"',
            "error calling mustToDate",
            "Canary",
        ),
        (
            "template: k:1:3: error calling mustRegexMatch: error parsing regexp: missing closing ]: `[Canary`",
            "mustRegexMatch",
            "Canary",
        ),
        ("unable to execute template at key k: range can't iterate over Canary", "key k", "Canary"),
        ('template: x: error calling atoi: strconv.Atoi: parsing "Canary": invalid syntax', "atoi", "Canary"),
        ("template: x: error calling b64dec: illegal base64 data at input byte 4", "input byte 4", "Canary"),
        ('template: k:1: map has no entry for key "pasword"', '"pasword"', "Canary"),
        (
            'Secret "x" is invalid: metadata.labels: Invalid value: "Canary\\"!": a valid label',
            "a valid label",
            "Canary",
        ),
        ('could not get secret data: key "password" does not exist in secret "apps/db"', '"apps/db"', "Canary"),
    ],
)
def test_events_hold_no_value(text: str, kept: str, gone: str) -> None:
    shown = scrub_event(text)
    assert kept in shown
    assert gone not in shown


def test_conditions_and_warnings_and_addresses_hold_no_value() -> None:
    from ansible_collections.secretops.vault_eso.plugins.module_utils._engine.secrets import KNOWN
    from ansible_collections.secretops.vault_eso.plugins.module_utils._kubernetes.objects import condition
    from ansible_collections.secretops.vault_eso.plugins.module_utils._vault.connection.client import Client

    KNOWN.add("Canary-known-1")
    told = 'error calling atoi: strconv.Atoi: parsing "Canary": invalid syntax'
    entry = {"type": "Ready", "status": "False", "message": told + "; Canary-known-1"}
    assert "Canary" not in str(condition({"status": {"conditions": [entry]}}))
    assert "atoi" in condition({"status": {"conditions": [entry]}})["message"]
    client = Client(["https://127.0.0.1:1"], token="Canary-token-1")
    client._keep_warnings(["got Canary-token-1, Canary-sent-1 and Canary-known-1"], {"password": "Canary-sent-1"})
    assert client.take_warnings() == ["got (hidden), (hidden) and (hidden)"]


def test_nothing_of_a_text_controls_the_terminal() -> None:
    text = "a\x1b[31mred\x07\x9b1m \u202eevil\u2028\r\nline\tend é"
    assert visible(text) == "a\\x1b[31mred\\x07\\x9b1m \\u202eevil\\u2028\nline\tend é"
    assert "\x1b" not in str(SecretopsError(text, text, text))
    assert "\x1b" not in as_text({"a": text, "b": [text]})


@pytest.mark.parametrize("text", ["/etc/ssl/ca.crt", "~/.vault-token", "./x", "a/b", "token.txt", "/dev/shm/x-1/token"])
def test_a_path_is_shown(text: str) -> None:
    assert shown_path(text) == text
    assert not not_a_path(text)


@pytest.mark.parametrize(
    ("text", "sure"),
    [
        ("-----BEGIN PRIVATE KEY-----\nabc\n-----END PRIVATE KEY-----", True),
        ("hvs." + "CAESIJ0123456789ab1defghij", True),
        ("s." + "EJiI9Ko5Vy5RbkZFkR1jrbfv", True),
        ("0b1c9f3e-1111-2222-3333-444455556666", True),
        ("x9Kq2LmPz7VtR4wYbN8s", True),
        ('{"type": "service_account"}', True),
        ("eyJhbGciOiJSUzI1NiJ9.eyJpc3MiOiJrdWJl.c2ln", True),
        ("hunter2-and-more", False),
        ("/x9Kq2LmPz7VtR4wYbN8sQd3/abc", False),
    ],
)
def test_what_is_no_path_is_not_shown(text: str, sure: bool) -> None:
    assert shown_path(text) == HIDDEN
    assert not_a_path(text) is sure


def test_the_options_that_are_shown_hold_no_secret_by_its_looks() -> None:
    spec = {"metadata": {"type": "dict"}, "url": {"type": "list", "elements": "str"}, "key": {"type": "path"}}
    options = {
        "metadata": {"password": "Canary", "headers": {"Authorization": "Canary"}, "owner": "ada"},
        "url": ["https://me:Canary@host:1"],
        "key": "Canary/x9Kq2LmPz7VtR4wYbN8sQd3",
    }
    shown = echo(options, spec)[0]
    assert "Canary" not in json.dumps(shown)
    assert shown["metadata"]["owner"] == "ada"


@pytest.mark.parametrize(
    ("address", "held"),
    [
        ("https://vault:8200", False),
        ("https://[::1]:8200/x", False),
        ("https://me@vault", True),
        ("https://me:p/w@vault:8200", True),
        ("HTTPS://me:pw@vault", True),
        ("https://vault/?private_token=x", True),
        ("me:pw@vault:8200", True),
    ],
)
def test_credentials_in_an_address(address: str, held: bool) -> None:
    assert has_credentials(address) is held
    assert shown_url(address) == (HIDDEN if held else address)
