"""Validity checks as cards, the worst first."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from fairsplit.analysis.scorecards import format as fmt
from fairsplit.analysis.scorecards import headline, wording

if TYPE_CHECKING:
    from collections.abc import Sequence

Row = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Check:
    """A validity check in words."""

    status: str
    status_word: str
    name: str
    scope: str
    sentence: str
    figures: str
    advice: str
    row: Row
    parts: Sequence[Check] = ()


def check_cards(rows: Sequence[Row]) -> list[Check]:
    """One card per check, the worst first.

    Members of a family and levels of a segment that pass share a card; what warns or fails in parts of the traffic
    stands on the card of the whole, so that a fault is named once.
    """
    cards: list[Check] = []
    for code, family in headline.check_families(rows):
        quiet = [row for row in family if row["status"] == "pass"]
        alone = len(family) == 1
        cards += [_check(row) for row in family if alone or row["status"] != "pass"]
        if quiet and not alone:
            segmented = (family[0].get("segment") or "all") != "all"
            name = wording.check_name(code) + (" by segment" if segmented else "")
            cards.append(
                Check("pass", "Pass", name, "", _passed(quiet, segmented=segmented), "", "", quiet[0])
            )
    return sorted(_gathered(cards), key=_check_order)


def _gathered(cards: Sequence[Check]) -> list[Check]:
    """Cards that warn or fail in a part of the traffic, put under the card of the whole where that does too."""
    loud = {"warn", "fail"}
    wholes = {card.row["check"] for card in cards if not card.scope and card.status in loud}
    parts: dict[str, list[Check]] = {}
    rest = []
    for card in cards:
        if card.scope and card.status in loud and card.row["check"] in wholes:
            parts.setdefault(card.row["check"], []).append(card)
        else:
            rest.append(card)
    return [
        replace(card, parts=parts[card.row["check"]])
        if not card.scope and card.status in loud and card.row["check"] in parts
        else card
        for card in rest
    ]


def summary_line(rows: Sequence[Row]) -> str:
    """How many checks pass, as one line, for example ``13 of 13 checks pass``; empty where none has run."""
    judged = [
        headline.worst_status(family)
        for _, family in headline.check_families(rows)
        if headline.worst_status(family) != "none"
    ]
    if not judged:
        return ""
    passing = judged.count("pass")
    parts = [
        wording.counted(judged.count(status), noun)
        for status, noun in (("fail", "failure"), ("warn", "warning"))
        if status in judged
    ]
    return f"{passing} of {wording.counted(len(judged), 'check')} pass" + (
        f": {', '.join(parts)}" if parts else ""
    )


def _passed(rows: Sequence[Row], *, segmented: bool) -> str:
    """What passed, in one sentence."""
    if segmented:
        names = sorted({str(row["segment"]) for row in rows})
        return f"{wording.counted(len(rows), 'level')} of {', '.join(names)}: no sign of a fault."
    members = sorted(wording.loss_step(str(row["check"]).partition(":")[2]).lower() for row in rows)
    return f"No sign of a fault: {', '.join(members)}."


def _check(row: Row) -> Check:
    segment = row.get("segment") or "all"
    sentence = row.get("sentence") or ""
    sentence = sentence[:1].upper() + sentence[1:]
    figures = [
        f"{name} {row[name]}"
        for name in ("observed", "expected")
        if row.get(name) and row[name] not in sentence
    ]
    if row.get("p_value") is not None and "p = " not in sentence:
        figures.append(f"p = {fmt.p_value(row['p_value'])}")
    status = row["status"]
    return Check(
        status=status,
        status_word=wording.words(status, wording.STATUS_WORDS),
        name=wording.check_name(row["check"]),
        scope="" if segment == "all" else f"{segment}: {row.get('segment_level')}",
        sentence=sentence,
        figures=", ".join(figures),
        advice=wording.check_advice(row["check"]) if status in {"warn", "fail"} else "",
        row=row,
    )


def _check_order(check: Check) -> tuple[int, str, str]:
    severity = {"fail": 0, "warn": 1, "pass": 2, "not_applicable": 3}
    return severity.get(check.status, 4), check.name, check.scope
