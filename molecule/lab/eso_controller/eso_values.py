# Copyright: Contributors to the secretops.vault_eso project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Values on their way from Vault to a Secret: no I/O here, only what External Secrets Operator does to bytes and keys.

The operator is written in Go, and what a Secret holds depends on how Go prints a number or marshals JSON, so those
rules are reproduced. What is not reproduced raises `ValueError` with a sentence; no message ever holds a value.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import json
import re
from decimal import Decimal
from typing import Any


class JsonNumber(str):
    """A number as it was written in JSON; Go's client keeps the text and so do we."""


def load_json(text: str | bytes) -> Any:
    """Parse JSON, keeping numbers as text. Raise ValueError without the content on bad JSON."""
    try:
        return json.loads(text, parse_int=JsonNumber, parse_float=JsonNumber)
    except ValueError:
        raise ValueError("the value is not valid JSON") from None


def floats(value: Any) -> Any:
    """What Go's json.Unmarshal into `any` makes of numbers: float64, so 1.0 becomes 1 and long integers lose digits."""
    if isinstance(value, JsonNumber):
        return float(value)
    if isinstance(value, dict):
        return {key: floats(item) for key, item in value.items()}
    if isinstance(value, list):
        return [floats(item) for item in value]
    return value


def format_float(value: float) -> str:
    """Go's strconv.FormatFloat(value, 'f', -1, 64)."""
    text = format(Decimal(repr(value)), "f")
    return text.rstrip("0").rstrip(".") if "." in text else text


def print_float(value: float) -> str:
    """Go's fmt %v of a float64: the exponent form below 1e-4 and from a million on."""
    exponent = Decimal(repr(value)).adjusted() if value else 0
    if -4 <= exponent < 6:
        return format_float(value)
    return _exponent_form(value, exponent)


def _exponent_form(value: float, exponent: int) -> str:
    digits = "".join(str(digit) for digit in Decimal(repr(value)).as_tuple().digits).rstrip("0") or "0"
    mantissa = digits[0] + ("." + digits[1:] if len(digits) > 1 else "")
    sign = "-" if value < 0 else ""
    return f"{sign}{mantissa}e{'-' if exponent < 0 else '+'}{abs(exponent):02d}"


def _json_float(value: float) -> str:
    if value != 0 and (abs(value) < 1e-6 or abs(value) >= 1e21):
        return re.sub(r"e-0(\d)$", r"e-\1", _exponent_form(value, Decimal(repr(value)).adjusted()))
    return format_float(value)


_JSON_ESCAPES = {'"': '\\"', "\\": "\\\\", "\n": "\\n", "\r": "\\r", "\t": "\\t", "\b": "\\b", "\f": "\\f"}


def _json_string(text: str) -> str:
    parts = []
    for char in text:
        if char in _JSON_ESCAPES:
            parts.append(_JSON_ESCAPES[char])
        elif char < " " or char in "<>&\u2028\u2029":
            parts.append(f"\\u{ord(char):04x}")
        elif "\ud800" <= char <= "\udfff":  # a byte that was not UTF-8
            parts.append("\\ufffd")
        else:
            parts.append(char)
    return '"' + "".join(parts) + '"'


def dump_json(value: Any) -> str:
    """Go's json.Marshal: sorted keys, no spaces, HTML characters escaped."""
    if value is None:
        return "null"
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, JsonNumber):
        return str(value)
    if isinstance(value, str):
        return _json_string(value)
    if isinstance(value, float):
        return _json_float(value)
    if isinstance(value, int):
        return str(value)
    if isinstance(value, list):
        return "[" + ",".join(dump_json(item) for item in value) + "]"
    if isinstance(value, dict):
        return "{" + ",".join(f"{_json_string(key)}:{dump_json(value[key])}" for key in sorted(value)) + "}"
    raise ValueError(f"cannot write a {type(value).__name__} as JSON")


def to_bytes(value: Any) -> bytes:
    """The bytes a single JSON value becomes in a Secret."""
    if value is None:
        return b""
    if isinstance(value, JsonNumber):
        return value.encode()
    if isinstance(value, str):
        return value.encode("utf-8", "surrogateescape")
    if isinstance(value, bool):
        return b"true" if value else b"false"
    if isinstance(value, float):
        return format_float(value).encode()
    return dump_json(value).encode()


def select_property(data: dict[str, Any], name: str | None) -> bytes:
    """One value of a secret: the whole as JSON, a literal key, else a dotted path with array indexes.

    The operator hands a name that is no literal key to gjson. Here only plain paths are known, `\\.` being a dot within
    a key; every other gjson construct raises ValueError, and so does a path that leads nowhere.
    """
    if not name:
        return dump_json(data).encode()
    if name in data:
        return to_bytes(data[name])
    current: Any = data
    for segment in re.split(r"(?<!\\)\.", name):
        plain = segment.replace("\\.", ".")
        if re.search(r"[*?|#\\]", plain) or plain[:1] in ("@", "!", "{", "[", "("):
            raise ValueError(f'property "{name}" uses gjson syntax beyond dotted paths, which is not emulated')
        if isinstance(current, dict) and plain in current:
            current = current[plain]
        elif isinstance(current, list) and re.fullmatch(r"[0-9]+", plain) and int(plain) < len(current):
            current = current[int(plain)]
        else:
            raise ValueError(f'cannot find secret data for key: "{name}"')
    return to_bytes(current)


def as_map(data: bytes) -> dict[str, bytes]:
    """The keys and values of a JSON object, as dataFrom.extract takes them."""
    parsed = floats(load_json(data))
    if parsed is None:
        return {}
    if not isinstance(parsed, dict):
        raise ValueError("the value is not a JSON object, so no keys can be extracted from it")
    return {key: to_bytes(value) for key, value in parsed.items()}


def _b64(data: bytes, altchars: bytes | None) -> bytes:
    stripped = data.replace(b"\n", b"").replace(b"\r", b"")  # as Go's decoder does
    if altchars and (b"+" in stripped or b"/" in stripped):
        raise binascii.Error("not base64url")
    return base64.b64decode(stripped, altchars=altchars, validate=True)


def decode(strategy: str | None, data: bytes) -> bytes:
    """Apply remoteRef.decodingStrategy."""
    if strategy in (None, "", "None"):
        return data
    try:
        if strategy == "Base64":
            return _b64(data, None)
        if strategy == "Base64URL":
            return _b64(data, b"-_")
    except binascii.Error:
        raise ValueError(f"error applying decoding strategy {strategy} to data: illegal base64 data") from None
    if strategy == "Auto":
        for altchars in (None, b"-_"):
            try:
                return _b64(data, altchars)
            except binascii.Error:
                continue
        return data
    raise ValueError(f"decoding strategy {strategy} is not supported")


def convert_keys(strategy: str | None, data: dict[str, bytes]) -> dict[str, bytes]:
    """Apply conversionStrategy to keys; two keys that become one raise ValueError."""
    out: dict[str, bytes] = {}
    for key, value in data.items():
        if strategy in (None, "", "Default"):
            new = "".join(c if c.isalnum() or c in "-._" else "_" for c in key)
        elif strategy == "Unicode":
            new = "".join(c if c.isalnum() or c in "-._" else f"_U{ord(c):04x}_" for c in key)
        else:
            new = key
        if new in out:
            raise ValueError(f"secret name collision during conversion: {new}")
        out[new] = value
    return out


def _go_replacement(target: str) -> str:
    """Turn Go's `$1`, `${name}` and `$$` into Python's replacement syntax."""
    text = target.replace("\\", "\\\\")
    return re.sub(
        r"\$(?:(\$)|\{(\w+)\}|(\w+))",
        lambda m: "$" if m.group(1) else f"\\g<{m.group(2) or m.group(3)}>",
        text,
    )


def _replace_all(pattern: re.Pattern[str], replacement: str, text: str) -> str:
    """Replace as Go does: an empty match right behind another match is none."""
    end = -1

    def put(match: re.Match[str]) -> str:
        nonlocal end
        behind, end = match.start() == match.end() == end, match.end()
        return "" if behind else match.expand(replacement)

    return pattern.sub(put, text)


def rewrite(operations: list[dict[str, Any]], data: dict[str, bytes]) -> dict[str, bytes]:
    """Apply dataFrom[].rewrite; only regexp is emulated, the others raise ValueError."""
    out = data
    for index, operation in enumerate(operations):
        if "regexp" not in operation:
            raise ValueError(f"rewrite[{index}]: {', '.join(sorted(operation)) or 'nothing'} is not emulated")
        try:
            pattern = re.compile(re.sub(r"\(\?<(?=\w)", "(?P<", operation["regexp"]["source"]))
            replacement = _go_replacement(operation["regexp"]["target"])
            out = {_replace_all(pattern, replacement, key): value for key, value in out.items()}
        except (re.error, IndexError) as error:
            raise ValueError(f"failed rewrite operation[{index}]: {error}") from None
    return out


def validate_keys(data: dict[str, bytes]) -> dict[str, bytes]:
    """Refuse what Kubernetes refuses as a Secret's key; an empty key is dropped, as the operator does."""
    for key in data:
        if len(key) > 253:
            raise ValueError(f"invalid secret keys: key has length {len(key)} but max is 253: {key[:253]}")
        for char in key:
            if not (char.isalnum() or char in "-._"):
                raise ValueError(
                    f"invalid secret keys (TIP: use rewrite or conversionStrategy to change keys): key has invalid "
                    f"character {char}, only alphanumeric, '-', '.' and '_' are allowed: {key}"
                )
    return {key: value for key, value in data.items() if key}


def kv_path(mount: str | None, version: str, key: str) -> str:
    """The API path of a KV secret, from the store's path (None when it has none) and a remoteRef key."""
    if mount is not None:
        rest = key
        if rest.startswith(mount + "/"):
            rest = rest[len(mount) + 1 :]
            if version == "v2" and rest.startswith("data/"):
                rest = rest[len("data/") :]
        return f"{mount}/data/{rest}" if version == "v2" else f"{mount}/{rest}"
    if version == "v2" and "/data/" not in key:
        first, _, rest = key.partition("/")
        return f"{first}/data/{rest}" if rest else f"{first}/data"
    return key


def kv_metadata_path(mount: str | None, version: str, key: str) -> str:
    """The API path of a KV secret's metadata."""
    if version == "v1":
        return f"{mount or ''}/{key}"
    if mount is None:
        if "data" not in key:
            raise ValueError("provided Path isn't a valid kv v2 path")
        return key.replace("/data/", "/metadata/", 1)
    return f"{mount}/metadata/{key}"


def _go_map(values: dict[str, str]) -> str:
    return "map[" + " ".join(f"{key}:{values[key]}" for key in sorted(values)) + "]"


def data_hash(data: dict[str, bytes]) -> str:
    """The annotation reconcile.external-secrets.io/data-hash: SHA3-224 of Go's print of map[string][]byte."""
    text = _go_map({key: "[" + " ".join(str(byte) for byte in value) + "]" for key, value in data.items()})
    return hashlib.sha3_224(text.encode()).hexdigest()


def owner_hash(namespace: str, name: str) -> str:
    """The label reconcile.external-secrets.io/created-by."""
    return hashlib.sha3_224(f"{namespace}/{name}".encode()).hexdigest()


def synced_resource_version(metadata: dict[str, Any]) -> str:
    """status.syncedResourceVersion: `<generation>-<SHA3-224 of Go's print of annotations and labels>`."""
    annotations = _go_map(metadata.get("annotations") or {})
    labels = _go_map(metadata.get("labels") or {})
    digest = hashlib.sha3_224(f"{{annotations:{annotations} labels:{labels}}}".encode()).hexdigest()
    return f"{metadata.get('generation', 0)}-{digest}"


_UNITS = {"ns": 1e-9, "us": 1e-6, "µs": 1e-6, "ms": 1e-3, "s": 1.0, "m": 60.0, "h": 3600.0}


def go_duration(text: str) -> str:
    """A duration as Go writes it: `1h` becomes `1h0m0s`; what is not a whole number of seconds stays as it is."""
    total = seconds(text)
    if total < 1 or total != int(total):
        return "0s" if total == 0 else text
    hours, rest = divmod(int(total), 3600)
    minutes, left = divmod(rest, 60)
    return (f"{hours}h" if hours else "") + (f"{minutes}m" if hours or minutes else "") + f"{left}s"


def seconds(duration: str) -> float:
    """A Go duration (`1h0m0s`, `500ms`) in seconds. Raise ValueError for anything else."""
    if duration == "0":
        return 0.0
    text = duration.lstrip("+-")
    parts = re.findall(r"([0-9]*\.?[0-9]+|[0-9]+\.)(ns|us|µs|ms|s|m|h)", text)
    if not parts or "".join(number + unit for number, unit in parts) != text:
        raise ValueError(f'"{duration}" is not a duration')
    total = sum(float(number) * _UNITS[unit] for number, unit in parts)
    return -total if duration.startswith("-") else total
