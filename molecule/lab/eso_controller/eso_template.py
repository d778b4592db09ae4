# Copyright: Contributors to the secretops.vault_eso project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The small part of External Secrets Operator's template engine v2 that is emulated.

`{{ .key }}`, `{{ .key | f "x" }}`, `{{ f .key }}`, a field of a parenthesis (`{{ (.doc | fromJson).user }}`), strings,
numbers, comments and trim markers. A missing key, any other function and any other action (`if`, `range`,
variables ...) raise `TemplateError`: a lab must not turn a template green that it did not understand.
No message holds a value.
"""

from __future__ import annotations

import base64
import binascii
import re
from typing import Any, Callable
from urllib.parse import quote_plus

from eso_values import dump_json, floats, load_json, print_float

Value = Any


class TemplateError(ValueError):
    """A template that cannot be parsed or executed here; the message says why."""


def _text(value: Value, function: str) -> str:
    if not isinstance(value, str):
        raise TemplateError(f"{function}: wanted a string, got a {_kind(value)}")
    return value


def _kind(value: Value) -> str:
    names = {bool: "bool", float: "number", dict: "map", list: "list", type(None): "nil", str: "string", int: "number"}
    return names.get(type(value), type(value).__name__)


def _print(value: Value) -> str:
    if isinstance(value, str):
        return value
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, int):
        return str(value)
    if isinstance(value, float):
        return print_float(value)
    raise TemplateError(f"cannot print a {_kind(value)}; use toJson")


def _quote(value: Value) -> str:
    escapes = {
        '"': '\\"',
        "\\": "\\\\",
        "\a": "\\a",
        "\b": "\\b",
        "\f": "\\f",
        "\n": "\\n",
        "\r": "\\r",
        "\t": "\\t",
        "\v": "\\v",
    }
    parts = []
    for char in _print(value):
        code = ord(char)
        if char in escapes:
            parts.append(escapes[char])
        elif 0xDC80 <= code <= 0xDCFF:  # a byte that was not UTF-8
            parts.append(f"\\x{code - 0xDC00:02x}")
        elif char.isprintable():
            parts.append(char)
        elif code < 0x80:
            parts.append(f"\\x{code:02x}")
        else:
            parts.append(f"\\u{code:04x}" if code < 0x10000 else f"\\U{code:08x}")
    return '"' + "".join(parts) + '"'


def _b64enc(value: Value) -> str:
    return base64.b64encode(_text(value, "b64enc").encode("utf-8", "surrogateescape")).decode()


def _b64dec(value: Value) -> str:
    text = _text(value, "b64dec").replace("\n", "").replace("\r", "")
    try:
        plain = base64.b64decode(text.encode("utf-8", "surrogateescape"), validate=True)
    except binascii.Error:
        raise TemplateError("b64dec: the value is not base64") from None
    return plain.decode("utf-8", "surrogateescape")


def _from_json(value: Value) -> Value:
    try:
        return floats(load_json(_text(value, "fromJson")))
    except TemplateError:
        raise
    except ValueError as error:
        raise TemplateError(f"fromJson: {error}") from None


def _urlquery(*values: Value) -> str:
    return quote_plus("".join(_print(value) for value in values).encode("utf-8", "surrogateescape"))


def _default(fallback: Value, *given: Value) -> Value:
    return given[0] if given and given[0] else fallback


# name: (function, least arguments, most arguments)
FUNCTIONS: dict[str, tuple[Callable[..., Value], int, int]] = {
    "b64enc": (_b64enc, 1, 1),
    "b64dec": (_b64dec, 1, 1),
    "toJson": (dump_json, 1, 1),
    "fromJson": (_from_json, 1, 1),
    "urlquery": (_urlquery, 1, 99),
    "quote": (lambda *values: " ".join(_quote(value) for value in values if value is not None), 1, 99),
    "default": (_default, 1, 2),
    "upper": (lambda value: _text(value, "upper").upper(), 1, 1),
    "lower": (lambda value: _text(value, "lower").lower(), 1, 1),
    "trim": (lambda value: _text(value, "trim").strip(), 1, 1),
    "toString": (_print, 1, 1),
}

ACTIONS = {"if", "else", "end", "range", "with", "define", "block", "template", "break", "continue"}
TOKEN = re.compile(
    r"""\s*(?:
      (?P<string>"(?:[^"\\\n]|\\.)*") | (?P<raw>`[^`]*`) | (?P<number>-?[0-9]+(?:\.[0-9]+)?)
    | (?P<field>(?:\.[A-Za-z_][A-Za-z0-9_]*)+) | (?P<dot>\.) | (?P<word>[A-Za-z_][A-Za-z0-9_]*) | (?P<mark>[|()])
    )""",
    re.VERBOSE,
)
Node = tuple[Any, ...]


class _Parser:
    """Turns the inside of one `{{ }}` into a tree, refusing whatever is not known before anything is executed."""

    def __init__(self, source: str) -> None:
        self.tokens: list[tuple[str, str, bool]] = []
        position, end = 0, len(source.rstrip())
        while position < end:
            match = TOKEN.match(source, position)
            if not match or match.end() > end:
                raise TemplateError(
                    f"template syntax near {source[position : position + 10].strip()!r} is not emulated"
                )
            kind = match.lastgroup or ""
            spaced = match.start(kind) > position
            self.tokens.append((kind, match.group(kind), spaced))
            position = match.end()
        self.index = 0

    def peek(self) -> tuple[str, str, bool]:
        return self.tokens[self.index] if self.index < len(self.tokens) else ("end", "", False)

    def parse(self) -> Node:
        node = self.pipeline()
        if self.peek()[0] != "end":
            raise TemplateError(f"unexpected {self.peek()[1]!r} in a template action")
        return node

    def pipeline(self) -> Node:
        commands = [self.command()]
        while self.peek()[1] == "|" and self.peek()[0] == "mark":
            self.index += 1
            commands.append(self.command())
        for node in commands[1:]:
            if node[0] != "call":
                raise TemplateError("a value is piped into something that is not a function")
        for position, node in enumerate(commands):
            if node[0] == "call":
                _, name, arguments = node
                count = len(arguments) + (1 if position else 0)
                _, least, most = FUNCTIONS[name]
                if not least <= count <= most:
                    raise TemplateError(f'wrong number of arguments for function "{name}": {count}')
        return ("pipe", commands)

    def command(self) -> Node:
        kind, text, _ = self.peek()
        if kind == "word" and text not in ("true", "false", "nil"):
            self.index += 1
            if text in ACTIONS:
                raise TemplateError(f'action "{text}" is not emulated')
            if text not in FUNCTIONS:
                raise TemplateError(f'function "{text}" is not emulated')
            arguments = []
            while self.peek()[0] not in ("end", "mark") or self.peek()[1] == "(":
                arguments.append(self.operand())
            return ("call", text, arguments)
        node = self.operand()
        if self.peek()[0] != "end" and self.peek()[1] not in ("|", ")"):
            raise TemplateError("a value that is not a function is given arguments")
        return node

    def operand(self) -> Node:
        kind, text, _ = self.peek()
        self.index += 1
        if kind == "string":
            return ("value", _unquote(text))
        if kind == "raw":
            return ("value", text[1:-1])
        if kind == "number":
            return ("value", float(text) if "." in text else int(text))
        if kind == "field":
            return ("field", ("dot",), text[1:].split("."))
        if kind == "dot":
            return ("dot",)
        if kind == "word" and text in ("true", "false", "nil"):
            return ("value", {"true": True, "false": False, "nil": None}[text])
        if kind == "word":
            raise TemplateError(f'"{text}" as an argument is not emulated; use parentheses')
        if text == "(":
            node = self.pipeline()
            if self.peek()[1] != ")":
                raise TemplateError("unclosed left paren in a template action")
            self.index += 1
            following, chain, spaced = self.peek()
            if following == "field" and not spaced:
                self.index += 1
                return ("field", node, chain[1:].split("."))
            return node
        raise TemplateError(f"unexpected {text or 'end'!r} in a template action")


def _unquote(text: str) -> str:
    simple = {"n": "\n", "t": "\t", "r": "\r", '"': '"', "\\": "\\", "a": "\a", "b": "\b", "f": "\f", "v": "\v"}

    def replace(match: re.Match[str]) -> str:
        escape = match.group(1)
        if escape in simple:
            return simple[escape]
        if escape[0] in "uU":
            return chr(int(escape[1:], 16))
        raise TemplateError("an escape in a template string is not emulated")

    return re.sub(r"\\(u[0-9a-fA-F]{4}|U[0-9a-fA-F]{8}|.)", replace, text[1:-1])


def _evaluate(node: Node, data: dict[str, str]) -> Value:
    if node[0] == "value":
        return node[1]
    if node[0] == "dot":
        return data
    if node[0] == "field":
        value = _evaluate(node[1], data)
        for name in node[2]:
            if not isinstance(value, dict):
                raise TemplateError(f"can't evaluate field {name} in a {_kind(value)}")
            if name not in value:
                raise TemplateError(f'map has no entry for key "{name}"')
            value = value[name]
        return value
    if node[0] == "call":
        return _call(node, data, [])
    value = _evaluate(node[1][0], data)
    for command in node[1][1:]:
        value = _call(command, data, [value])
    return value


def _call(node: Node, data: dict[str, str], piped: list[Value]) -> Value:
    _, name, arguments = node
    return FUNCTIONS[name][0](*[_evaluate(argument, data) for argument in arguments], *piped)


def _split(source: str) -> list[tuple[str, str]]:
    """Text and actions in order, with the trim markers already applied."""
    parts: list[tuple[str, str]] = []
    position, trim = 0, False
    while True:
        start = source.find("{{", position)
        text = source[position:] if start < 0 else source[position:start]
        if trim:
            text = text.lstrip(" \t\r\n")
        if start < 0:
            parts.append(("text", text))
            return parts
        match = re.compile(
            r'\{\{(-(?=\s))?((?:"(?:[^"\\\n]|\\.)*"|`[^`]*`|/\*.*?\*/|(?!\}\}).)*?)((?<=\s)-)?\}\}', re.DOTALL
        ).match(source, start)
        if not match:
            raise TemplateError("unclosed action in a template")
        if match.group(1):
            text = text.rstrip(" \t\r\n")
        parts.append(("text", text))
        inside = match.group(2).strip()
        if not (inside.startswith("/*") and inside.endswith("*/")):
            parts.append(("action", inside))
        trim, position = bool(match.group(3)), match.end()


def render(source: str, data: dict[str, bytes]) -> bytes:
    """Execute one template over the fetched data. Raise TemplateError for anything that is not emulated."""
    values = {key: value.decode("utf-8", "surrogateescape") for key, value in data.items()}
    program: list[str | Node] = []
    for kind, text in _split(source):
        if kind == "text":
            program.append(text)
        elif not text:
            raise TemplateError("missing value for command")
        else:
            program.append(_Parser(text).parse())
    out = "".join(part if isinstance(part, str) else _print(_evaluate(part, values)) for part in program)
    return out.encode("utf-8", "surrogateescape")
