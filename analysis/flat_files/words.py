"""What a column's name says about it: the guesses' vocabulary."""

from __future__ import annotations

import re

_WORD = re.compile(r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+|[0-9]+|[^\W\d_]+")
_PERSON = (
    "user", "customer", "player", "visitor", "client", "member", "household", "account", "device", "cookie",
    "person", "subscriber", "patient", "student", "subject", "participant", "respondent", "guest", "buyer",
    "shopper", "anonymous", "unit", "email", "family", "company", "school", "class", "village", "clinic",
)  # fmt: skip
_ID = {"id", "ids", "uid", "uuid", "guid", "key", "hash", "identifier", "no", "nr", "number"}
_CODES = {
    "zip", "zipcode", "postcode", "postal", "plz", "code", "phone", "tel", "year", "yr", "month", "weekday",
    "date", "timestamp", "ts", "index", "idx", "row", "rownum", "line", "latitude", "longitude", "lat", "lon", "lng",
    "version", "sku", "ip", "seed", "bucket", "number", "no", "nr", "isbn",
}  # fmt: skip
_CODES_ALONE = {"day", "week", "hour", "minute", "time", "quarter"}
_BEFORE = {"pre", "before", "prior", "baseline", "previous"}
_KNOWN_BEFORE = {"history", "historic", "past", "age", "recency", "tenure"}
_OUTCOMES = {
    "convert", "converts", "converted", "conversion", "conversions", "conv", "purchase", "purchases", "purchased",
    "bought", "buy", "order", "orders", "ordered", "revenue", "spend", "spent", "sale", "sales", "retention",
    "retained", "click", "clicks", "clicked", "visit", "visits", "visited", "signup", "signups", "subscribed",
    "churn", "churned", "outcome", "y", "target", "success", "response", "responded", "profit", "margin", "gmv",
    "activated", "activation", "engagement",
}  # fmt: skip
_UNNAMED = re.compile(r"(?:unnamed.*|column_?[0-9]*|_+[0-9]+|__index_level_[0-9]+__|)\Z", re.IGNORECASE)


def words_of(name: str) -> list[str]:
    """A name's words in lower case.

    >>> words_of("signupYear"), words_of("user_id"), words_of("groupSize")
    (['signup', 'year'], ['user', 'id'], ['group', 'size'])
    """
    return [word.lower() for word in _WORD.findall(name)]


def is_id(name: str) -> bool:
    """Whether the name is that of an id.

    >>> [name for name in ("userid", "order_id", "household", "paid", "email", "orders") if is_id(name)]
    ['userid', 'order_id', 'household', 'email']
    """
    words = words_of(name)
    return bool(words) and (words[-1] in _ID or is_person(name))


def is_person(name: str) -> bool:
    """Whether the name is that of an id by which arms are usually drawn."""
    words = words_of(name)
    joined = "".join(words)
    bare = joined in _ID or joined in _PERSON
    whole = any(joined in {f"{person}{end}" for end in _ID} for person in _PERSON)
    return bare or whole or (len(words) > 1 and words[-1] in _ID and words[-2] in _PERSON)


def is_code(name: str) -> bool:
    """Whether the name is that of a place, a time or a position: numbers that do not add up."""
    words = words_of(name)
    if not words:
        return True
    counted = "per" in words or "of" in words or words[0] in {"num", "n", "count", "total"}
    return (words[-1] in _CODES and not counted) or (len(words) == 1 and words[0] in _CODES_ALONE)


def is_unnamed(name: str) -> bool:
    """Whether a program named the column, such as an index written beside the data."""
    return bool(_UNNAMED.match(name))


def is_from_before(name: str) -> bool:
    """Whether the name says that the value is from before the exposure."""
    return bool(_BEFORE & set(words_of(name)))


def outcome_rank(name: str) -> int:
    """0 for names of what experiments are about, 1 for others, 2 for what is mostly known beforehand."""
    words = set(words_of(name))
    return 0 if words & _OUTCOMES else 2 if words & _KNOWN_BEFORE else 1
