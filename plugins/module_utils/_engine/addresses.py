# Copyright: Contributors to the secretops.vault_eso project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# Private to this collection: what is here may change at any time. Other collections must not import it.
"""Addresses that hold passwords and tokens: URLs and the connection strings of databases. Pure: no I/O."""

from __future__ import annotations

import re
from urllib.parse import unquote

from .hidden import HIDDEN

#: names of addresses in the many forms that drivers of databases know
ADDRESS_NAME = re.compile(r"(?:^|[._-])(?:connection[_-](?:url|uri|string)|dsn)$", re.IGNORECASE)
# an unescaped password may hold a delimiter; a port or a path is not a password
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
# placeholders that are filled in later, and the masks that servers put in place of a secret
_OPEN = re.compile(r"\{\s*(?:name|username|password|expiration)\s*\}|\{\{\s*[\w.]+\s*\}\}|x{5}|\*+")
_TEMPLATE = re.compile(r"\{\{.*\}\}", re.DOTALL)
_KEY = re.compile(
    r"(?<![\w.-])(?:[\w.-]*(?:password|passwd|passphrase|secret|token)|pwd|pass|(?:api|access|account)[ _-]?key)"
    r"\s*=\s*",
    re.IGNORECASE,
)
_QUOTED = {"'": r"'(?:[^'\\]|\\.|'')*'", '"': r'"(?:[^"]|"")*"', "{": r"\{(?:[^}]|\}\})*\}"}
# an unquoted value ends at the next setting that drivers know: blanks, ";" and "&" may be part of it
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
    """Return start and end of the password before an ``@``: URL, ``user:x@tcp(host)/db`` or ``user/x@//host/db``."""
    scheme = re.search(r"://", text)
    start = scheme.end() if scheme else 0
    if scheme:
        end = start + len(re.split(r"[/?#\s]", text[start:], maxsplit=1)[0])
        at = text.rfind("@", start, end)
        if at < 0:
            # an unescaped password may hold a delimiter; hosts with ports are not a password
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
    """Return the spans of the passwords in an address, without placeholders: sorted, without overlaps."""
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
    """Return an address without the escapes that servers add to one that is not a URL."""
    return text if "://" in text else unquote(text)


def address_passwords(text: str) -> list[str]:
    """Return the passwords in a database's address, escaped and unescaped, without its placeholders.

    Knows URLs, ``user:password@tcp(host)/name``, ``user/password@//host/name`` and settings such as ``password=x`` in a
    query, separated by blanks (with the quotes of libpq) or by semicolons (with those of ADO and ODBC).
    """
    found = [one[start:end] for one in dict.fromkeys((text, _plain(text))) for start, end in _spans(one)]
    return list(dict.fromkeys(found))


def masked_address(text: str, label: str = HIDDEN) -> str:
    """Return a database's address with its passwords replaced, and nothing else; see `address_passwords`."""
    if not address_passwords(text):
        return text
    text = _plain(text)
    for start, end in reversed(_spans(text)):
        text = text[:start] + label + text[end:]
    return text


def without_passwords(text: str, label: str = HIDDEN) -> str:
    """Return a text with the passwords and tokens in its addresses replaced; placeholders and templates stay."""

    def shown(found: re.Match[str]) -> str:
        return found[0] if _OPEN.fullmatch(found[2]) or _TEMPLATE.search(found[2]) else found[1] + label

    return URL_TOKEN.sub(shown, URL_USER.sub(shown, URL_PASSWORD.sub(shown, text)))


def has_credentials(url: str) -> bool:
    """Tell whether an address holds a user, a password or a token."""
    return without_passwords(url) != url or "@" in re.split(r"[/?#]", url.partition("://")[2] or url, maxsplit=1)[0]
