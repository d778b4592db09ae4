# Copyright: Contributors to the secretops.vault_eso project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# Private to this collection: what is here may change at any time. Other collections must not import it.
"""What may be printed. Pure: no I/O."""

from __future__ import annotations

import base64
import json
import re
from collections.abc import Collection, Iterable, Iterator, Mapping
from typing import Any, Callable
from urllib.parse import unquote

HIDDEN = "(hidden)"
HIDDEN_OLD = "(hidden, other value)"
HIDDEN_NEW = "(hidden, new value)"
#: Ansible's own words for it, by which people know that it works
NO_LOG = "VALUE_SPECIFIED_IN_NO_LOG_PARAMETER"
# Ansible's message about a list within a list, which holds all that was given
MISPLACED = re.compile(r"Value '.*' in the sub parameter field", re.DOTALL)
#: names under which servers return what somebody wrote there by hand, and which is a secret by that name
SECRET_NAME = re.compile(
    r"(?:^|[._-])(?:password|password_hash|passwd|passphrase|bindpass|pwd|secret|token|credentials|authorization|cookie"
    r"|(?:secret|private|api|certificate|tls)[_-]key|secret[_-]access[_-]key|(?:reviewer|account)[_-]jwt"
    r"|service[_-]account|service[_-]account[_-]json)$",
    re.IGNORECASE,
)
#: names of addresses in the many forms that drivers of databases know
ADDRESS_NAME = re.compile(r"(?:^|[._-])(?:connection[_-](?:url|uri|string)|dsn)$", re.IGNORECASE)
#: options that take the address of a server
ADDRESSES = frozenset(("url", "urls", "vault_addr", "host", "proxy", "server"))
PRIVATE_KEY = re.compile(r"-----BEGIN ([A-Z0-9 ]*)PRIVATE KEY-----.*?(?:-----END \1PRIVATE KEY-----|\Z)", re.DOTALL)
# a password that is not escaped may hold what would end it; a port and a path are none
URL_PASSWORD = re.compile(
    r"(://[^\s/?#:@\"'<>\[]*:)([^\s/?#\"'<>]+|(?!\d+[/?#])[^\s@\"'<>]+)(?=@)",
)
#: for HTTP a user without a password is a token
URL_USER = re.compile(r"(\bhttps?://)([^\s/?#:@\"'<>]+)(?=@)", re.IGNORECASE)
#: a token within the query of an address
URL_TOKEN = re.compile(
    r"([?&](?:[\w.-]*(?:token|secret|password|passwd|api[_-]?key|signature)|sig|pwd|auth)=)([^&\s#\"'<>]+)",
    re.IGNORECASE,
)
#: what is a credential by its own form: tokens of Vault, OpenBao, GitHub, GitLab, Slack, Stripe, and JWTs
TOKEN = re.compile(
    r"(?<![\w.-])(?:hv[sbr]\.[\w-]{20,}|[sbr]\.[A-Za-z0-9]{24,}|gh[pousr]_[A-Za-z0-9]{36,}|github_pat_\w{22,}"
    r"|glpat-[\w-]{20,}|xox[abeoprs]-[\w-]{10,}|[rs]k_live_\w{16,}|eyJ[\w-]{10,}\.eyJ[\w-]{10,}\.[\w-]*)(?![\w.-])"
)
# what stands for a value that is filled in later, and what servers themselves put in place of a secret
_OPEN = re.compile(r"\{\s*(?:name|username|password|expiration)\s*\}|\{\{\s*[\w.]+\s*\}\}|x{5}|\*+")
_TEMPLATE = re.compile(r"\{\{.*\}\}", re.DOTALL)
_KEY = re.compile(
    r"(?<![\w.-])(?:[\w.-]*(?:password|passwd|passphrase|secret|token)|pwd|pass|(?:api|access|account)[ _-]?key)"
    r"\s*=\s*",
    re.IGNORECASE,
)
_QUOTED = {"'": r"'(?:[^'\\]|\\.|'')*'", '"': r'"(?:[^"]|"")*"', "{": r"\{(?:[^}]|\}\})*\}"}
# where a value without quotes ends: at the next setting that drivers know, as blanks, ";" and "&" may be part of it
_NEXT = (
    r"(?:host|hostaddr|port|dbname|database|db|user|username|user id|userid|uid|server|data source|datasource|address"
    r"|addr|network address|initial catalog|encrypt|trustservercertificate|hostnameincertificate|certificate|timeout"
    r"|(?:connection|connect|dial|read|write)[ _]?timeout|keepalive|keep alive|log|app(?:lication)?[ _]name"
    r"|fallback_application_name|workstation id|failover ?partner|failoverport|packet size|serverspn|ssl\w*"
    r"|target_session_attrs|options|client_encoding|(?:integrated|persist) security(?: info)?|trusted_connection"
    r"|multisubnetfailover|applicationintent|protocol|driver|charset|collation|parsetime|loc|tls\w*|search_path"
    r"|timezone|\w*password|passwd|pwd)\s*="
)
_UNQUOTED = re.compile(r".*?(?=[\s;&]+%s|[\s;]*\Z)" % _NEXT, re.IGNORECASE | re.DOTALL)


def _userinfo(text: str) -> tuple[int, int] | None:
    """Return where the password before an ``@`` stands: of a URL, ``user:x@tcp(host)/db`` or ``user/x@//host/db``."""
    scheme = re.search(r"://", text)
    start = scheme.end() if scheme else 0
    if scheme:
        end = start + len(re.split(r"[/?#\s]", text[start:], maxsplit=1)[0])
        at = text.rfind("@", start, end)
        if at < 0:
            # an unescaped password may hold what else would end it; hosts with ports are no password
            query = text.find("?", start)
            hosts = re.fullmatch(r"(?:[^:@,]*|\[[^\]]*\])(?::\d*)?(?:,[^:@,]*(?::\d*)?)*", text[start:end])
            at = text.rfind("@", start, query if hosts and query >= 0 else len(text))
        separator = text.find(":", start, max(at, start))
    else:
        at = text.rfind("@", 0, max(text.rfind("/"), 0))
        at = text.rfind("@") if at < 0 else at
        found = re.search(r"[:/]", text[: max(at, 0)])
        separator = found.start() if found else -1
        if separator >= 0 and (re.search(r"[=\s;]", text[:separator]) or text[:separator].lower() == "odbc"):
            # the settings of the other form
            return None
    return (separator + 1, at) if separator >= 0 else None


def _spans(text: str) -> list[tuple[int, int]]:
    """Return where passwords stand in an address, without those that are placeholders; sorted, none within another."""
    userinfo = _userinfo(text)
    found = [userinfo] if userinfo else []
    query = text.find("?", text.find("://")) if "://" in text else -1
    for match in _KEY.finditer(text):
        start = end = match.end()
        rest = text[start:]
        quoted = re.match(_QUOTED[rest[0]], rest, re.DOTALL) if rest[:1] in _QUOTED else None
        open_one = _OPEN.match(rest)
        if open_one and re.match(r"[\s;&]|\Z", rest[open_one.end() :]):
            continue
        if quoted and re.match(r"[\s;&]|\Z", rest[quoted.end() :]):
            end += quoted.end()
            found.append((start, end) if rest[0] == "{" else (start + 1, end - 1))
            continue
        if 0 <= query < start:
            end += len(rest.split("&", 1)[0])
        elif not re.match(_NEXT, rest, re.IGNORECASE):
            until = _UNQUOTED.match(rest)
            end += until.end() if until else len(rest)
        found.append((start, end))
    merged: list[tuple[int, int]] = []
    for start, end in sorted(one for one in found if one[0] < one[1] and not _OPEN.fullmatch(text[one[0] : one[1]])):
        if merged and start <= merged[-1][1]:
            merged[-1] = (merged[-1][0], max(end, merged[-1][1]))
        else:
            merged.append((start, end))
    return merged


def _plain(text: str) -> str:
    """Return an address without the escapes that servers add to one that is no URL."""
    return text if "://" in text else unquote(text)


def address_passwords(text: str) -> list[str]:
    """Return the passwords in a database's address, as they stand there and without escapes; not its placeholders.

    Knows URLs, ``user:password@tcp(host)/name``, ``user/password@//host/name`` and settings such as ``password=x`` in a
    query, parted by blanks (with the quotes of libpq) or by semicolons (with those of ADO and ODBC).
    """
    found = [one[start:end] for one in dict.fromkeys((text, _plain(text))) for start, end in _spans(one)]
    return list(dict.fromkeys(found))


def address(text: str, label: str = HIDDEN) -> str:
    """Return a database's address with its passwords replaced, and nothing else; see `address_passwords`."""
    if not address_passwords(text):
        return text
    text = _plain(text)
    for start, end in reversed(_spans(text)):
        text = text[:start] + label + text[end:]
    return text


def masked(value: Any, label: str = HIDDEN, name: str = "") -> Any:
    """Return a value with what is a secret by its looks replaced by the label.

    That is: text under a name such as ``client_secret``, however deep, a private key, and the password in a URL. For
    what a server returns in clear although nobody declared it as a secret. Text that is a template stays.
    """
    if isinstance(value, Mapping):
        return {key: masked(item, label, str(key)) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [masked(item, label, name) for item in value]
    if not isinstance(value, str) or not value:
        return value
    if SECRET_NAME.search(name) and not _TEMPLATE.search(value) and not _OPEN.fullmatch(value):
        return label
    if name in ADDRESSES and "://" not in value and url(value) != value:
        return label
    if value.lstrip()[:1] in ("{", "["):
        # a document within a text, such as the headers of an audit device
        try:
            inner = json.loads(value)
        except ValueError:
            inner = None
        hidden = masked(inner, label)
        if hidden != inner:
            return json.dumps(hidden)
    if ADDRESS_NAME.search(name):
        value = address(value, label)
    value = PRIVATE_KEY.sub(lambda _found: label, value)
    return without_passwords(value, label)


def without_passwords(text: str, label: str = HIDDEN) -> str:
    """Return a text with the passwords and tokens in its addresses replaced; placeholders and templates stay."""

    def shown(found: re.Match[str]) -> str:
        return found[0] if _OPEN.fullmatch(found[2]) or _TEMPLATE.search(found[2]) else found[1] + label

    return URL_TOKEN.sub(shown, URL_USER.sub(shown, URL_PASSWORD.sub(shown, text)))


def apparent(value: Any, name: str = "") -> set[str]:
    """Return the texts in a value, private keys among them, that stand under a secret's name; see `masked`."""
    if isinstance(value, Mapping):
        return {text for key, item in value.items() for text in apparent(item, str(key))}
    if isinstance(value, (list, tuple)):
        return {text for item in value for text in apparent(item, name)}
    if not isinstance(value, str) or masked(value, name=name) == value:
        return set()
    return {value} if SECRET_NAME.search(name) else {found[0] for found in PRIVATE_KEY.finditer(value)}


def pair(
    before: Mapping[str, Any] | None,
    after: Mapping[str, Any] | None,
    secret: Collection[str],
    differing: Collection[str] = (),
) -> tuple[dict[str, Any], dict[str, Any]]:
    """Return copies of two states with the values of secret fields replaced.

    A secret field that differs stays visible as a difference: both sides get other placeholders. ``"*"`` in ``secret``
    makes every field secret. What is a secret by its looks is replaced in the others too; see `masked`.
    """
    sides = (before or {}), (after or {})
    plain = [{name: masked(value, HIDDEN, name) for name, value in side.items()} for side in sides]

    def one(number: int, changed: str) -> dict[str, Any]:
        shown: dict[str, Any] = {}
        for name, value in plain[number].items():
            label = changed if name in differing else HIDDEN
            if "*" in secret or name in secret:
                shown[name] = label
            elif value != sides[number][name] and plain[1 - number].get(name) == value:
                # only what is hidden differs
                shown[name] = masked(sides[number][name], label, name)
            else:
                shown[name] = value
        return shown

    return one(0, HIDDEN_OLD), one(1, HIDDEN_NEW)


def leaves(value: Any) -> set[str]:
    """Return the text of every scalar in nested data."""
    if isinstance(value, Mapping):
        return {text for item in value.values() for text in leaves(item)}
    if isinstance(value, (list, tuple)):
        return {text for item in value for text in leaves(item)}
    return set() if value is None else {str(value)}


def occurring(values: Iterable[str], texts: Iterable[str]) -> set[str]:
    """Return those values that are part of at least one of the texts.

    The time grows with the sum of both, where looking for each value in each text would grow with the product.
    """
    # by their first characters, as many as all values of a group have, then by their length
    groups: dict[int, dict[str, dict[int, set[str]]]] = {}
    for value in values:
        size = 8 if len(value) >= 8 else min(len(value), 4)
        if size:
            by_length = groups.setdefault(size, {}).setdefault(value[:size], {})
            by_length.setdefault(len(value), set()).add(value)
    text = "\n".join(sorted(set(texts)))
    found: set[str] = set()
    for size, starts in groups.items():
        # most values occur nowhere: which of their beginnings do is told by one look at the text
        for start in starts.keys() & {text[i : i + size] for i in range(len(text) - size + 1)}:
            position = text.find(start)
            while position >= 0:
                for length, candidates in starts[start].items():
                    candidate = text[position : position + length]
                    if candidate in candidates:
                        found.add(candidate)
                position = text.find(start, position + 1)
    return found


def names_only(value: Any) -> Any:
    """Return a value with the keys of its mappings alone, for a log that is written before anything was checked."""
    if isinstance(value, Mapping):
        return sorted(map(str, value))
    return [names_only(item) for item in value] if isinstance(value, (list, tuple)) else value


def echo(
    options: Mapping[str, Any], spec: Mapping[str, Any], free: Callable[[Any], Any] = lambda value: value
) -> tuple[dict[str, Any], set[str]]:
    """Return a module's options as they may be shown, and the texts that were hidden because of ``no_log``.

    Goes by the argument spec and not by value, as Ansible does: so a secret under a misspelt name is hidden, and one
    that looks different in the output because its quotes are escaped. What stands where the spec has no place for it
    is hidden whatever it is. Options that are not secret are shown as ``free`` returns them, but without what is a
    secret by its looks (see `masked`) or cannot be the path that it stands for.
    """
    return _echo(options, _names(spec), free)


def _names(spec: Mapping[str, Any]) -> dict[str, tuple[Mapping[str, Any], Any]]:
    """Return the options of a spec by their names and aliases, each with the same of its suboptions."""
    known: dict[str, tuple[Mapping[str, Any], Any]] = {}
    for name, option in spec.items():
        inner = _names(option["options"]) if option.get("options") else None
        known.update(dict.fromkeys([*(option.get("aliases") or []), name], (option, inner)))
    return known


def _echo(
    options: Mapping[str, Any], known: Mapping[str, tuple[Mapping[str, Any], Any]], free: Callable[[Any], Any]
) -> tuple[dict[str, Any], set[str]]:
    shown: dict[str, Any] = {}
    secret: set[str] = set()
    for name, value in options.items():
        if value is None:
            shown[name] = None
            continue
        if name not in known:
            shown[name] = HIDDEN
            continue
        option, inner = known[name]
        if option.get("no_log"):
            shown[name] = NO_LOG
            secret |= {text for text in leaves(value) if len(text) >= 4}
        elif inner and option.get("type") == "list":
            parts = [one if isinstance(one, Mapping) else None for one in value] if isinstance(value, list) else [None]
            pairs = [(HIDDEN, set()) if one is None else _echo(one, inner, free) for one in parts]
            shown[name] = [one for one, _secret in pairs] if isinstance(value, list) else HIDDEN
            secret.update(*(hidden for _one, hidden in pairs))
        elif inner:
            shown[name], hidden = _echo(value, inner, free) if isinstance(value, Mapping) else (HIDDEN, set())
            secret |= hidden
        else:
            shown[name] = free(_open(name, option, value))
    return shown, secret


def _open(name: str, option: Mapping[str, Any], value: Any) -> Any:
    """Return the value of an option that is not secret, without what stands there nevertheless."""
    shown = None
    if "path" in (option.get("type"), option.get("elements")):
        shown = path
    elif name in ADDRESSES:
        shown = url
    if shown is None:
        return masked(value, HIDDEN, name)
    if isinstance(value, list):
        return [shown(part) if isinstance(part, str) else part for part in value]
    return shown(value) if isinstance(value, str) else value


#: what a character may have become that is no letter or digit: itself, an escape of JSON, Go, a URL or HTML, or nothing
_ESCAPED = r"(?:[^A-Za-z0-9]|\\+u[0-9a-fA-F]{4}|\\+x[0-9a-fA-F]{2}|\\+[abfnrtv0]|%[0-9a-fA-F]{2}|&#?\w{2,6};)"
# what Ansible or a server writes for a number or a truth value; a longer number may be a PIN or a password
_WEAK = re.compile(r"true|false|yes|no|on|off|none|null|-?\d{1,4}(?:\.\d{1,2})?|.{0,3}", re.DOTALL | re.IGNORECASE)
#: words that stand in our own messages and in many others'; as a password each is as good as none
COMMON = frozenset(
    """
    absent access address admin after again allowed already another answer auth before body cannot certificate
    change changed check client cluster config configuration connection correct create credentials data
    database declare declared default delete directory does each else empty endpoint engine error exist exists
    expired file files filled find first from give given have here hidden holds host https into keep key keys
    kind kubernetes leave like list local lock login look method missing mode module more mount must name
    names namespace needs node nothing number object only operator option options other owner pass password
    path policies policy port private public read remove request requests role roles root same secret secrets
    server servers service shares sign state store string such system take test text than that their them then
    there this time token type unknown unseal update user username userpass uses value values vault version
    wait what where which with without would write written wrong your
    """.split()  # noqa: SIM905 - one a line would be a page
)
#: how much of a secret at the end of a cut text is taken for its beginning
_CUT = 8


def weak(value: str) -> bool:
    """Tell whether a secret is so short or common that texts hold it by chance: ``admin``, ``true``, ``module``."""
    return value.lower() in COMMON or bool(_WEAK.fullmatch(value))


def _encoded(value: str) -> Iterator[str]:
    """Yield what a secret looks like in base64 at every offset, and in hexadecimal digits."""
    raw = value.encode("utf-8", "surrogatepass")
    yield raw.hex()
    for offset in range(3):
        encoded = base64.b64encode(b"\0" * offset + raw).decode()
        # the outermost characters depend on what stands beside it
        inner = encoded[4 if offset else 0 : len(encoded) // 4 * 4 - 4]
        if len(inner) >= 8:
            yield from dict.fromkeys((inner, inner.replace("+", "-").replace("/", "_")))


def _pattern(value: str) -> tuple[str, re.Pattern[str]] | None:
    """Return the longest run of letters and digits of a secret, and what finds all of it however it is escaped."""
    # runs of letters and digits, and between them what may be escaped
    parts = re.split(r"([A-Za-z0-9]+)", value)[1:-1]
    core = max(parts[::2], key=len, default="")
    if len(core) < 4:
        return None
    pattern = "".join(
        part if number % 2 == 0 else "%s{0,%d}?" % (_ESCAPED, 8 * len(part)) for number, part in enumerate(parts)
    )
    return core, re.compile(pattern)


def scrub(text: str, secrets: Iterable[str]) -> str:
    """Return text of our own with every given secret replaced that is not `weak`, the longest first."""
    for value in sorted({item for item in secrets if isinstance(item, str)}, key=len, reverse=True):
        if not weak(value):
            text = text.replace(value, HIDDEN)
    return text


def scrub_foreign(text: str, secrets: Iterable[str]) -> str:
    """Return a text that somebody else made with every given secret replaced, in whatever form it stands there.

    Call it before the text is reshaped. Finds what is escaped or quoted for JSON, Go, a URL or HTML, has other white
    space, is in base64 or hexadecimal digits, or is cut off at the end. What is short or common (`weak`) is replaced
    where it stands as a whole word, and of less than three characters only between quotes or behind ``=``.
    """
    for value in sorted({item for item in secrets if isinstance(item, str) and item}, key=len, reverse=True):
        if weak(value):
            if len(value) > 2:
                text = re.sub(r"(?<![\w.-])%s(?![\w-])" % re.escape(value), HIDDEN, text)
            elif len(value) > 1:
                text = re.sub(r"(?<=[\"'`=])%s(?=[\"'`&;,\s]|$)" % re.escape(value), HIDDEN, text)
            continue
        text = text.replace(value, HIDDEN)
        found = _pattern(value)
        if found and found[0] in text:
            text = found[1].sub(HIDDEN, text)
        if len(value) >= 8:
            for form in _encoded(value):
                text = text.replace(form, HIDDEN)
            bare = text.rstrip(". \u2026\"'`")
            for size in range(min(len(value) - 1, len(bare)), _CUT - 1, -1):
                if bare.endswith(value[:size]):
                    text = bare[:-size] + HIDDEN
                    break
    return text


#: what functions of templates say of a value without holding it
_HARMLESS = re.compile(
    r"illegal base64 data at input byte \d+|unexpected end of JSON input|(?:un)?expected EOF|invalid syntax"
    r"|wrong number of args[^;]*|wrong type for value; expected \w+; got \w+|value is nil"
)
_CALLING = re.compile(r"(error calling [\w.]+: )(.*)", re.DOTALL)
_ITERATE = re.compile(r"(can't iterate over )(.*)", re.DOTALL)
_INVALID = re.compile(r"(Invalid value: )(\"(?:[^\"\\]|\\.)*\"?|[^\s:,]+)")


def event(text: str) -> str:
    """Return the message of an event or of a condition without what may be a value.

    What a function of a template says holds what it was given (``mustToDate``, ``mustRegexMatch``, ``atoi``), and so do
    the fields that a template made and the API server refused. The name of the function stays, and so do the words that
    hold no value. Source: Go, text/template, exec.go; External Secrets Operator, runtime/template.
    """

    def shown(found: re.Match[str]) -> str:
        return found[1] + (found[2] if _HARMLESS.fullmatch(found[2].strip()) else "(hidden, as it may hold a value)")

    if "template" in text or "error calling" in text:
        text = _ITERATE.sub(shown, _CALLING.sub(shown, text))
    return _INVALID.sub(lambda found: found[1] + HIDDEN, text)


_CONTROL = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\u200b-\u200f\u2028-\u202e\u2060-\u2069\ufeff]")


def visible(text: str) -> str:
    """Return a text with control characters as escapes, so that none of them reaches a terminal; line ends stay.

    Those that change the direction of text are among them.
    """

    def shown(found: re.Match[str]) -> str:
        code = ord(found[0])
        return "" if code == 13 else "\\x%02x" % code if code < 256 else "\\u%04x" % code

    return _CONTROL.sub(shown, text)


_UUID = re.compile(r"[0-9a-fA-F]{8}(?:-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}")


def _random(part: str) -> bool:
    """Tell whether a part of a path looks random: long, letters of both cases and digits, without separators."""
    return any(
        len(run) >= 20 and bool(re.search("[a-z]", run) and re.search("[A-Z]", run) and re.search("[0-9]", run))
        for run in re.split(r"[^A-Za-z0-9+=]", part)
    )


def no_path(text: str) -> bool:
    """Tell whether a text that stands for a path cannot be one, and is a secret: a key, a token, a document."""
    bare = text.strip()
    return bool(
        re.search(r"[\x00-\x1f]", bare)
        or "-----BEGIN" in bare
        or bare.startswith(("{", "["))
        or TOKEN.search(bare)
        or _UUID.fullmatch(bare)
        or len(bare) > 1024
        or ("/" not in bare and _random(bare))
    )


def path(text: str) -> str:
    """Return a path as it may be printed. What may be a secret in the place of one is hidden: no path has its looks."""
    sure = text.startswith(("/", "~", "./", "../")) or "/" in text or re.search(r"\.[A-Za-z]{2,8}$", text)
    if no_path(text) or not sure or any(_random(part) for part in text.split("/")):
        return HIDDEN
    return text


def has_credentials(url: str) -> bool:
    """Tell whether an address holds a user, a password or a token."""
    return without_passwords(url) != url or "@" in re.split(r"[/?#]", url.partition("://")[2] or url, maxsplit=1)[0]


def url(text: str) -> str:
    """Return an address as it may be printed: what is none, or holds credentials, is hidden."""
    bare = "://" not in text and (no_path(text) or (len(text) > 20 and not re.search(r"[./:{]", text)))
    return HIDDEN if bare or has_credentials(text) or TOKEN.search(text) else text


def as_text(fields: Mapping[str, Any]) -> str:
    """Return a state as lines of text, for a diff that people read: sorted, text blocks kept as lines."""
    lines = []
    for name, value in sorted(fields.items()):
        if isinstance(value, str) and "\n" in value:
            lines += ["%s: |" % name] + ["  " + line for line in value.rstrip("\n").split("\n")]
        elif isinstance(value, str):
            lines.append("%s: %s" % (name, value.replace("\r", "\\r")))
        else:
            lines.append("%s: %s" % (name, json.dumps(value, sort_keys=True, default=str)))
    return visible("".join(line + "\n" for line in lines))
