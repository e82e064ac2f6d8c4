"""Changes as Markdown, for a pull request."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from fairsplit.orchestration.notices.markdown import text

if TYPE_CHECKING:
    from collections.abc import Sequence

    from fairsplit.orchestration.comparing.changes import Changes
    from fairsplit.orchestration.comparing.figures import Moved


def as_markdown(ref: str, changes: Changes, moved: Sequence[Moved] | None) -> str:
    """The report.

    Args:
        ref: What was compared with.
        changes: Of the definitions.
        moved: Figures that would be others; none where they were not asked for.
    """
    parts = [f"## Experiments: changes against {text(ref)}"]
    if not changes.definitions:
        parts.append("No definition differs.")
    else:
        rows = [(one.kind, one.name, one.state, ", ".join(one.fields)) for one in changes.definitions]
        parts.append(_table(("kind", "name", "change", "what"), rows))
    parts.append("### Computed anew")
    parts.append(_table(("experiment", "because of"), changes.recomputed.items()) or "Nothing.")
    parts.append("### Exported configs")
    exports = [(family, flag, change) for (family, flag), change in changes.exports.items()]
    parts.append(_table(("family", "flag", "change"), exports) or "No flag differs.")
    if moved is not None:
        parts += ["### Newest figures", _figures(moved) or "No figure moves."]
    return "\n\n".join(parts)


def _figures(moved: Sequence[Moved]) -> str:
    names = ("experiment", "metric", "variant", "before", "after")
    rows = [
        (one.experiment, one.metric or "decision", one.variant, _said(one.before), _said(one.now))
        for one in moved
    ]
    return _table(names, rows)


def _said(figures: tuple[Any, ...] | None) -> str:
    if figures is None:
        return "–"
    if len(figures) == 1:
        return str(figures[0])
    units, mean, lift, p = figures
    shown = [f"{units:,} units"] if units is not None else []
    shown += [f"mean {mean:.6g}"] if mean is not None else []
    shown += [f"{lift:+.2%}"] if lift is not None else []
    shown += [f"p {p:.3g}"] if p is not None else []
    return ", ".join(shown)


def _table(names: Sequence[str], rows: Any) -> str:
    listed = [f"| {' | '.join(text(str(cell)).replace('|', '&#124;') for cell in row)} |" for row in rows]
    if not listed:
        return ""
    return "\n".join([f"| {' | '.join(names)} |", f"|{'---|' * len(names)}", *listed])
