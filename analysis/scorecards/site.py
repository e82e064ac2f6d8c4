"""From inputs to pages: which pages there are, and their text. Nothing is read or written here."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from importlib import resources
from typing import TYPE_CHECKING, Any, Final

import jinja2

from fairsplit.analysis.scorecards import (
    api,
    calendar,
    certification,
    flags,
    interactions,
    monitoring,
    new_experiment,
    openapi,
    planner,
    portfolio,
    programme,
    quality,
    scorecard,
    search,
    spread,
    syntheses,
)
from fairsplit.analysis.scorecards.naming import safe_name
from fairsplit.analysis.scorecards.policies import PolicyFacts, policy_facts
from fairsplit.analysis.scorecards.scorecard import Facts

if TYPE_CHECKING:
    from collections.abc import Iterator
    from datetime import date

    import polars as pl

    from fairsplit.analysis.scorecards.inputs import SiteInputs

Row = dict[str, Any]
#: `vega.js` is the chart runtime as vl-convert bundles it, in a scope of its own (decision 0010).
_ASSETS = (
    "site.css",
    "site.js",
    "charts.js",
    "draft.js",
    "design.js",
    "calculator.js",
    "files.js",
    "archive.js",
    "vega.js",
)


@dataclass(frozen=True, slots=True)
class Page:
    """One file of the site.

    Attributes:
        path: Relative to the site's root, with forward slashes.
        content: The text, to be written as UTF-8.
    """

    path: str
    content: str


@cache
def _environment() -> jinja2.Environment:
    environment = jinja2.Environment(
        loader=jinja2.PackageLoader("fairsplit.analysis.scorecards"),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.policies["json.dumps_kwargs"] = {
        "sort_keys": True,
        "separators": (",", ":"),
        "ensure_ascii": False,
    }
    return environment


def _by_experiment(frame: pl.DataFrame, day: str = "", known: date | None = None) -> dict[str, list[Row]]:
    """Rows by experiment, sorted by the day's column; rows of days that are not known yet are left out."""
    if frame.is_empty():
        return {}
    if day in frame.columns:
        frame = frame.filter(frame[day] <= known).sort(day, maintain_order=True)
    parts = frame.partition_by("experiment_id", as_dict=True, maintain_order=True)
    return {str(key[0]): part.to_dicts() for key, part in parts.items()}


def _newest(rows: list[Row], until: date | None = None) -> list[Row]:
    """Rows of the newest cut-off, or of the newest one until a day."""
    days = [row["cut_off"] for row in rows if until is None or row["cut_off"] <= until]
    newest = max(days, default=None)
    return [row for row in rows if row["cut_off"] == newest]


def _assets() -> Iterator[Page]:
    folder = resources.files("fairsplit.analysis.scorecards") / "assets"
    for name in _ASSETS:
        yield Page(f"assets/{name}", (folder / name).read_text(encoding="utf-8"))


def _policies(inputs: SiteInputs) -> dict[str, PolicyFacts]:
    policies, leaves, coefficients = (
        _by_experiment(frame, "cut_off", inputs.cut_off)
        for frame in (inputs.policies, inputs.policy_leaves, inputs.policy_coefficients)
    )
    return {
        name: policy_facts(rows, leaves.get(name, []), coefficients.get(name, []))
        for name, rows in policies.items()
    }


#: Documents of all experiments together, by what writes them.
_DOCUMENTS: Final = {
    "programme": programme,
    "interactions": interactions,
    "search": search,
    "syntheses": syntheses,
}


def _optional_pages(inputs: SiteInputs) -> dict[str, Any]:
    """What writes the pages that only some installations have anything for, by their names."""
    pages = {
        "calendar": (calendar, inputs.schedule),
        "search": (search, inputs.search),
        "certification": (certification, inputs.aa_certification),
    }
    return {name: room for name, (room, frame) in pages.items() if not frame.is_empty()}


def render_site(inputs: SiteInputs) -> Iterator[Page]:
    """All pages, assets and API files of the site.

    Args:
        inputs: Frames and views; see `SiteInputs`.

    Yields:
        Pages in a fixed order; the same inputs give the same text.
    """
    environment = _environment()
    known = inputs.cut_off
    comparisons = _by_experiment(inputs.comparisons, "cut_off", known)
    validity = _by_experiment(inputs.validity, "cut_off", known)
    decisions = _by_experiment(inputs.decisions, "cut_off", known)
    next_actions = _by_experiment(inputs.next_actions, "cut_off", known)
    allocations = _by_experiment(inputs.allocations, "cut_off", known)
    policies = _policies(inputs)
    exposures = _by_experiment(inputs.daily_exposures, "exposure_day", known)
    losses = _by_experiment(inputs.losses, "event_day", known)
    funnels = _by_experiment(inputs.funnels)
    spreads = _by_experiment(spread.quantiles(inputs.histograms))
    cut_off, rates, optional = (
        inputs.cut_off.isoformat(),
        certification.newest(inputs),
        _optional_pages(inputs),
    )
    links = {**inputs.links, **{name: f"{name}.html" for name in optional}}
    shared = {"cut_off": cut_off, "links": links}
    template = environment.get_template("scorecard.html.j2")
    summaries: list[portfolio.Summary] = []
    units: dict[tuple[str, str], int] = {}
    yield from _assets()
    for experiment in inputs.experiments:
        history = comparisons.get(experiment.id, [])
        facts = Facts(
            current=_newest(history, experiment.read_on),
            history=history,
            validity=_newest(validity.get(experiment.id, [])),
            decisions=decisions.get(experiment.id, []),
            exposures=exposures.get(experiment.id, []),
            losses=losses.get(experiment.id, []),
            funnels=funnels.get(experiment.id, []),
            spread=spreads.get(experiment.id, []),
            allocations=allocations.get(experiment.id, []),
            next_actions=[row for row in next_actions.get(experiment.id, []) if row["cut_off"] == known],
            policy=policies.get(experiment.id),
        )
        card = scorecard.build(
            experiment,
            inputs.metrics,
            facts,
            cut_off=cut_off,
            provenance=inputs.provenance,
            links=inputs.links,
        )
        name = safe_name(experiment.id)
        badge = certification.badge(rates, {row["metric"] for row in facts.current}, inputs.metrics)
        shown = {"card": card, "badge": badge, "root": "../", "here": "", **shared}
        yield Page(f"experiments/{name}.html", template.render(shown))
        for path, content in api.experiment_files(card, facts, inputs.metrics, cut_off):
            yield Page(f"api/experiments/{name}{path}", content)
        summaries.append(portfolio.summarise(card, href=f"experiments/{name}.html"))
        units |= {(experiment.id, arm): count for arm, count in card.units_by_arm.items()}
    for failed in inputs.failed:
        name = "failed-" + safe_name(failed.file)
        text = environment.get_template("failed.html.j2").render(failed=failed, root="../", here="", **shared)
        yield Page(f"experiments/{name}.html", text)
        summaries.append(portfolio.summarise_failed(failed, href=f"experiments/{name}.html"))
    figures = programme.figures_of(inputs.programme.to_dicts())
    index = portfolio.build(summaries, figures, inputs.programme_experiments.to_dicts())
    yield Page(
        "index.html",
        environment.get_template("index.html.j2").render(portfolio=index, root="", here="index", **shared),
    )
    plans = planner.build(inputs)
    view = quality.build(inputs)
    if view.more_files:
        yield Page("assets/landed-files.js", quality.files_script(inputs))
    for here, shown in (
        ("programme", programme.build(inputs)),
        ("flags", flags.build(inputs)),
        ("quality", view),
        ("plan", plans),
        ("interactions", interactions.build(inputs)),
        ("syntheses", syntheses.build(inputs)),
        ("new", new_experiment.build(inputs, plans.data)),
        *((name, room.build(inputs)) for name, room in optional.items()),
    ):
        text = environment.get_template(f"{here}.html.j2").render(view=shown, root="", here=here, **shared)
        yield Page(f"{here}.html", text)
    yield from (Page(*file) for file in calendar.files(inputs))
    for path, document in calendar.documents(inputs):
        yield Page(f"api/{path}", api.dumps(document))
    for name, room in _DOCUMENTS.items():
        yield Page(f"api/{name}.json", api.dumps(room.document(inputs)))
    for path, content in api.index_files(inputs.experiments, summaries):
        yield Page(f"api/{path}", content)
    for path, content in api.definition_files(inputs.flags, inputs.segments, cut_off):
        yield Page(f"api/{path}", content)
    yield Page("api/openapi.json", api.dumps(openapi.document()))
    yield Page("metrics.prom", monitoring.text(inputs, summaries, units))
