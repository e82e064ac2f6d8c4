"""The hash rule of each SDK family: a text to one of 10,000 shards.

Every family hashes the same text, ``{salt}-{unit}``, in its own way, so that shards, ranges and salts mean the
same whichever SDK serves an experiment:

- ``ufc`` (Eppo's SDKs): the first 8 hex digits of md5, modulo 10,000.
- ``flagd`` (OpenFeature): 32-bit MurmurHash3 of the text as a CBOR text string (RFC 8949, section 3.1), its 32
  bits scaled to 10,000 (https://flagd.dev/reference/custom-operations/fractional-operation/). This is what Python's
  evaluator computes since its second major version; evaluators of the older specification hash the bare bytes.
- ``growthbook``: FNV-1a of the decimal digits of the FNV-1a of the text, over UTF-16 code units, modulo 10,000
  (hash version 2, https://docs.growthbook.io/lib/build-your-own).
"""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING, Final, Literal

import mmh3

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

Sdk = Literal["ufc", "flagd", "growthbook"]
TOTAL_SHARDS: Final = 10_000
FNV_OFFSET: Final = 0x811C9DC5
FNV_PRIME: Final = 0x01000193
_CBOR_TEXT: Final = 0x60
_CBOR_INLINE: Final = 24


def md5_shard(text: str) -> int:
    """The rule of the UFC family."""
    return int(hashlib.md5(text.encode(), usedforsecurity=False).hexdigest()[:8], 16) % TOTAL_SHARDS


def murmur_shard(text: str) -> int:
    """The rule of flagd's ``fractional`` when its weights sum to 10,000."""
    return (mmh3.hash(cbor_text(text), signed=False) * TOTAL_SHARDS) >> 32


def fnv_shard(text: str) -> int:
    """The rule of GrowthBook's second hash version."""
    inner = _fnv(_code_units(text))
    return _fnv(str(inner).encode()) % TOTAL_SHARDS


def cbor_text(text: str) -> bytes:
    """A text as canonical CBOR: major type 3, the shortest length that fits, UTF-8."""
    encoded = text.encode()
    length = len(encoded)
    if length < _CBOR_INLINE:
        return bytes([_CBOR_TEXT + length]) + encoded
    power = next(power for power in range(4) if length < 1 << (8 << power))
    return bytes([_CBOR_TEXT + _CBOR_INLINE + power]) + length.to_bytes(1 << power, "big") + encoded


HASHES: Final[dict[Sdk, Callable[[str], int]]] = {
    "ufc": md5_shard,
    "flagd": murmur_shard,
    "growthbook": fnv_shard,
}


def _code_units(text: str) -> Iterable[int]:
    if text.isascii():
        return text.encode()
    pairs = text.encode("utf-16-le")
    return (low | high << 8 for low, high in zip(pairs[::2], pairs[1::2], strict=True))


def _fnv(units: Iterable[int]) -> int:
    value = FNV_OFFSET
    for unit in units:
        value = ((value ^ unit) * FNV_PRIME) & 0xFFFFFFFF
    return value
