"""From the folder of definitions to a checked catalogue; a broken file is reported and stops no other."""

from __future__ import annotations

import json
from collections import Counter
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import TYPE_CHECKING, TypeVar

from pydantic import BaseModel

from fairsplit.analysis.catalogue.checks import (
    experiment_findings,
    identity_findings,
    targeting_findings,
    targeting_test_findings,
)
from fairsplit.analysis.catalogue.conditions import pattern_is_valid, segment_names
from fairsplit.analysis.catalogue.events import FILTER_COLUMNS
from fairsplit.analysis.catalogue.experiment import Experiment
from fairsplit.analysis.catalogue.findings import Finding, did_you_mean, parse_model, shown
from fairsplit.analysis.catalogue.flag_checks import flag_findings
from fairsplit.analysis.catalogue.flags import Flag, Segment
from fairsplit.analysis.catalogue.holding_out import measured
from fairsplit.analysis.catalogue.project import Project
from fairsplit.analysis.catalogue.schedules import Schedule, schedule_findings
from fairsplit.analysis.catalogue.segments import circle_of, segment_findings
from fairsplit.analysis.catalogue.sources import Source
from fairsplit.analysis.catalogue.syntheses import Synthesis, synthesis_findings
from fairsplit.analysis.catalogue.together import joint_findings
from fairsplit.analysis.catalogue.yaml_source import Document, YamlFaultError, in_full, parse_yaml, read_yaml
from fairsplit.analysis.errors import AnalysisError, Problem

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator, Mapping
    from pathlib import Path

    from fairsplit.analysis.catalogue.conditions import Condition
    from fairsplit.analysis.catalogue.metrics import MetricDefinition, SemanticLayer

Model = TypeVar("Model", bound=BaseModel)


class CatalogueError(AnalysisError):
    """The project settings cannot be read, so nothing can be run."""


@dataclass(frozen=True, slots=True)
class Catalogue:
    """Everything that the user defined and that is sound.

    Attributes:
        project: Settings of the whole installation.
        experiments: By id, sorted; plans have the project's defaults filled in.
        flags: By id, sorted.
        segments: By id, sorted.
        sources: By id, sorted: the layouts that are mapped to events.
        problems: Everything that is wrong, in the order of the files.
        schedules: By id, sorted: content schedules.
        broken: For each definition that could not be used, by file stem, its problems: for its own page.
        syntheses: By id, sorted: experiments whose effects are combined.
    """

    project: Project
    experiments: Mapping[str, Experiment]
    flags: Mapping[str, Flag]
    segments: Mapping[str, Segment]
    sources: Mapping[str, Source]
    problems: tuple[Problem, ...]
    broken: Mapping[str, tuple[Problem, ...]]
    syntheses: Mapping[str, Synthesis] = field(default_factory=dict)
    schedules: Mapping[str, Schedule] = field(default_factory=dict)

    @property
    def conditions(self) -> dict[str, Condition]:
        """What the active segments stand for, as `evaluate` takes it."""
        return _conditions(self.segments)


def _conditions(segments: Mapping[str, Segment]) -> dict[str, Condition]:
    return {name: segment.membership for name, segment in segments.items() if segment.active}


@dataclass(slots=True)
class _Found:
    problems: list[Problem] = field(default_factory=list)
    broken: dict[str, tuple[Problem, ...]] = field(default_factory=dict)

    def refuse(self, stem: str, problems: list[Problem]) -> None:
        self.problems += problems
        self.broken[stem] = (*self.broken.get(stem, ()), *problems)


def load_catalogue(
    catalog_dir: Path,
    metrics: Mapping[str, MetricDefinition],
    refused: Mapping[str, Problem] = MappingProxyType({}),
) -> Catalogue:
    """Read every definition.

    Args:
        catalog_dir: Folder with `project.yaml`, `experiments/`, `flags/`, `segments/`, `sources/`, `syntheses/`
            and `schedules/`.
        metrics: The metrics that experiments may name.
        refused: What is wrong with the metrics that are refused; an experiment that names one is told so.

    Returns:
        The sound definitions, and the problems of the others.

    Raises:
        CatalogueError: `project.yaml` is missing or wrong.
    """
    project = read_project(catalog_dir)
    if isinstance(project, list):
        raise CatalogueError(project[0])
    return _load(catalog_dir, project, metrics, refused)


def load_sources(catalog_dir: Path) -> dict[str, Source]:
    """The sound sources alone, by id; what is wrong with the others is told by `load_catalogue`."""
    found = _Found()
    return _sources(_read_folder(catalog_dir, "sources", Source, found), found)


def read_source(text: str, identity: str) -> Source:
    """A source from the text of its file.

    Raises:
        CatalogueError: It is none.
    """
    document = parse_yaml(text, f"sources/{identity}.yaml")
    source = parse_model(Source, document)
    if isinstance(source, list):
        raise CatalogueError(source[0])
    return source


def read_project(catalog_dir: Path) -> Project | list[Problem]:
    """The project settings, or what is wrong with them."""
    document = _document(catalog_dir / "project.yaml", "project.yaml")
    if isinstance(document, Problem):
        return [document]
    project = parse_model(Project, document)
    if isinstance(project, list):
        return project
    return [finding.problem(document) for finding in _project_findings(project)] or project


def _project_findings(project: Project) -> Iterator[Finding]:
    for position, rule in enumerate(project.filters):
        if (
            rule.operator == "none"
            or sum(value is not None for value in (rule.equals, rule.in_, rule.matches)) != 1
        ):
            yield Finding(
                ("filters", position), "a filter has one test", rule="exactly one of equals, in, matches"
            )
        if rule.matches is not None and not pattern_is_valid(rule.matches):
            what, engines = "the pattern is not a regular expression", "Rust/RE2 syntax, without look-around"
            yield Finding(("filters", position, "matches"), what, shown(rule.matches), engines)
        if rule.column not in FILTER_COLUMNS and not rule.column.startswith("properties."):
            hint = did_you_mean(rule.column, FILTER_COLUMNS)
            allowed = f"properties.<key> or one of: {', '.join(FILTER_COLUMNS)}"
            yield Finding(
                ("filters", position, "column"), "unknown event column", shown(rule.column), allowed, hint
            )
    yield from _holdout_findings(project)
    for low, high in (("srm_fail", "srm_warn"), ("loss_fail", "loss_warn")):
        if getattr(project.thresholds, low) > getattr(project.thresholds, high):
            value = f"{getattr(project.thresholds, low):g}"
            yield Finding(("thresholds", low), f"fails more easily than {high} warns", value, f"≤ {high}")


def _holdout_findings(project: Project) -> Iterator[Finding]:
    taken: set[str] = set()
    for position, holdout in enumerate(project.holdouts):
        if holdout.id in taken:
            where = ("holdouts", position, "id")
            yield Finding(where, "two holdouts have one id", holdout.id, "an id of its own")
        if holdout.unit not in project.units:
            rule = ", ".join(project.units)
            yield Finding(
                ("holdouts", position, "unit"), "the project declares no such unit", holdout.unit, rule
            )
        taken.add(holdout.id)


def _load(
    catalog_dir: Path,
    project: Project,
    metrics: Mapping[str, MetricDefinition],
    refused: Mapping[str, Problem],
) -> Catalogue:
    found = _Found()
    segments = _segments(_read_folder(catalog_dir, "segments", Segment, found), project, found)
    conditions = _conditions(segments)
    experiments = _experiments(catalog_dir, project, metrics, refused, conditions, found)
    flags = _flags(_read_folder(catalog_dir, "flags", Flag, found), experiments, conditions, found)
    sources = _sources(_read_folder(catalog_dir, "sources", Source, found), found)
    syntheses = _syntheses(
        _read_folder(catalog_dir, "syntheses", Synthesis, found), experiments, metrics, found
    )
    schedules = _schedules(_read_folder(catalog_dir, "schedules", Schedule, found), experiments, found)
    problems = tuple(sorted(found.problems, key=_order))
    return Catalogue(
        project,
        experiments,
        flags,
        segments,
        sources,
        problems,
        dict(sorted(found.broken.items())),
        syntheses,
        schedules,
    )


def _order(problem: Problem) -> tuple[str, int, str]:
    file, _, rest = problem.where.partition(":")
    number = rest.split(" ", 1)[0]
    return file, int(number) if number.isdigit() else 0, str(problem)


def _document(path: Path, name: str) -> Document | Problem:
    try:
        return read_yaml(path, name)
    except YamlFaultError as error:
        return error.problem


def _read_folder(
    catalog_dir: Path, folder: str, model: type[Model], found: _Found
) -> dict[str, tuple[Model, Document]]:
    result: dict[str, tuple[Model, Document]] = {}
    taken: dict[str, str] = {}
    for path in sorted((catalog_dir / folder).rglob("*")):
        name = path.relative_to(catalog_dir).as_posix()
        if path.name.startswith(".") or (path.is_dir() and path.suffix != ".yaml"):
            continue
        if path.suffix != ".yaml":
            what, kind = "the file is not a definition", path.suffix or path.name
            found.refuse(path.stem, [in_full(Problem(what, name, kind, "name it .yaml"))])
            continue
        if path.stem in taken:
            rule = f"one file per id; the first is {taken[path.stem]}"
            hint = "rename one of the files and the id in it"
            found.problems.append(Problem("the file's name is used twice", name, path.stem, rule, hint))
            continue
        taken[path.stem] = name
        document = _document(path, name)
        if isinstance(document, Problem):
            found.refuse(path.stem, [document])
            continue
        parsed = parse_model(model, document)
        if isinstance(parsed, list):
            found.refuse(path.stem, parsed)
        else:
            result[path.stem] = (parsed, document)
    return result


def _experiments(
    catalog_dir: Path,
    project: Project,
    metrics: Mapping[str, MetricDefinition],
    refused: Mapping[str, Problem],
    segments: Mapping[str, Condition],
    found: _Found,
) -> dict[str, Experiment]:
    read = _read_folder(catalog_dir, "experiments", Experiment, found)
    sound: dict[str, Experiment] = {}
    for stem, (experiment, document) in read.items():
        findings = experiment_findings(experiment, stem, project, metrics, refused, segments)
        if findings:
            found.refuse(stem, [finding.problem(document) for finding in findings])
        else:
            sound[stem] = experiment.with_defaults(project.defaults)
    found.problems += _unknown_in_holdouts(catalog_dir, project, read)
    for stem, finding in joint_findings(sound.values(), project).items():
        found.refuse(stem, [finding.problem(read[stem][1])])
        del sound[stem]
    return {name: measured(one, project, sound.values()) for name, one in sorted(sound.items())}


def _unknown_in_holdouts(catalog_dir: Path, project: Project, known: Collection[str]) -> list[Problem]:
    findings = [
        Finding(
            ("holdouts", number, "experiments", position),
            "unknown experiment",
            name,
            "a file of experiments/",
            did_you_mean(name, known),
        )
        for number, holdout in enumerate(project.holdouts)
        for position, name in enumerate(holdout.named)
        if name not in known
    ]
    document = _document(catalog_dir / "project.yaml", "project.yaml") if findings else None
    return [finding.problem(document) for finding in findings if isinstance(document, Document)]


def _sources(read: dict[str, tuple[Source, Document]], found: _Found) -> dict[str, Source]:
    sound: dict[str, Source] = {}
    names = Counter(source.fixed.get("event_name") for source, _ in read.values())
    models = Counter(source.model for source, _ in read.values())
    for stem, (source, document) in sorted(read.items()):
        findings = list(identity_findings(source.id, stem))
        if source.model is not None and models[source.model] > 1:
            what = "two sources give the rows of one model"
            findings.append(Finding(("model",), what, source.model, "one source"))
        elif source.model is not None and names[source.event_of_model] > 1:
            hint = "another event_name among its constants"
            what = "another source gives events of the name that the model's rows have"
            findings.append(Finding(("model",), what, source.event_of_model, "a name of its own", hint))
        if findings:
            found.refuse(stem, [finding.problem(document) for finding in findings])
        else:
            sound[stem] = source
    return sound


def _syntheses(
    read: dict[str, tuple[Synthesis, Document]],
    experiments: Mapping[str, Experiment],
    metrics: Mapping[str, MetricDefinition],
    found: _Found,
) -> dict[str, Synthesis]:
    sound: dict[str, Synthesis] = {}
    for stem, (synthesis, document) in sorted(read.items()):
        findings = list(synthesis_findings(synthesis, stem, experiments, metrics))
        # A broken synthesis is no broken experiment: it has no page of its own.
        found.problems += [finding.problem(document) for finding in findings]
        if not findings:
            sound[stem] = synthesis
    return sound


def _schedules(
    read: dict[str, tuple[Schedule, Document]], experiments: Mapping[str, Experiment], found: _Found
) -> dict[str, Schedule]:
    sound: dict[str, Schedule] = {}
    for stem, (schedule, document) in sorted(read.items()):
        findings = [*identity_findings(schedule.id, stem), *schedule_findings(schedule, experiments)]
        if findings:
            found.refuse(stem, [finding.problem(document) for finding in findings])
        else:
            sound[stem] = schedule
    return sound


def _segments(
    read: dict[str, tuple[Segment, Document]], project: Project, found: _Found
) -> dict[str, Segment]:
    sound: dict[str, Segment] = {}
    findings = segment_findings({stem: segment for stem, (segment, _) in read.items()}, project)
    for stem, (segment, document) in read.items():
        if findings[stem]:
            found.refuse(stem, [finding.problem(document) for finding in findings[stem]])
        else:
            sound[stem] = segment
    uses = {stem: segment_names(segment.membership) for stem, (segment, _) in read.items()}
    for stem, missing in _leaning(uses, sound):
        hint = f"mend segments/{missing}.yaml"
        finding = Finding(
            ("condition",), "uses a segment that is itself refused", missing, "a sound one", hint
        )
        found.refuse(stem, [finding.problem(read[stem][1])])
        del sound[stem]
    return sound


def _leaning(uses: Mapping[str, set[str]], sound: Mapping[str, object]) -> Iterator[tuple[str, str]]:
    """Each sound definition that leans on a refused one, and which, until none does.

    The caller takes out what it is told before it asks for the next.
    """
    while leaning := [(stem, min(missing)) for stem in sound if (missing := uses[stem] - set(sound))]:
        yield from leaning


def _flags(
    read: dict[str, tuple[Flag, Document]],
    experiments: Mapping[str, Experiment],
    segments: Mapping[str, Condition],
    found: _Found,
) -> dict[str, Flag]:
    edges = {stem: {need.flag for need in flag.depends_on} for stem, (flag, _) in read.items()}
    sound: dict[str, Flag] = {}
    for stem, (flag, document) in read.items():
        findings = [
            *identity_findings(flag.id, stem),
            *flag_findings(flag, {name: other for name, (other, _) in read.items()}, experiments),
            *targeting_findings(flag.targeting, segments),
        ]
        if stem in experiments or stem.removesuffix("__config") in experiments:
            rule, hint = "an id of its own", "rename the file and its id"
            findings.append(Finding(("id",), "an experiment already exports this flag", stem, rule, hint))
        if circle := circle_of(stem, edges):
            what, hint = "flags depend on one another in a circle", "take one of these needs away"
            findings.append(Finding(("depends_on",), what, " → ".join(circle), "no circle", hint))
        if not findings:
            for position, test in enumerate(flag.tests):
                findings += targeting_test_findings(test, ("tests", position), flag.targeting, segments)
        if findings:
            found.refuse(stem, [finding.problem(document) for finding in findings])
        else:
            sound[stem] = flag
    for stem, missing in _leaning(edges, sound):
        hint = f"mend flags/{missing}.yaml"
        finding = Finding(
            ("depends_on",), "depends on a flag that is itself refused", missing, "a sound one", hint
        )
        found.refuse(stem, [finding.problem(read[stem][1])])
        del sound[stem]
    return dict(sorted(sound.items()))


@dataclass(frozen=True, slots=True)
class ValidationReport:
    """What `fairsplit validate` says.

    Attributes:
        experiments: Sound experiments.
        flags: Sound flags.
        segments: Sound segments.
        metrics: Sound metrics.
        syntheses: Sound syntheses.
        problems: Everything that is wrong.
    """

    experiments: tuple[str, ...]
    flags: tuple[str, ...]
    segments: tuple[str, ...]
    metrics: tuple[str, ...]
    syntheses: tuple[str, ...]
    problems: tuple[Problem, ...]

    @property
    def ok(self) -> bool:
        """Whether nothing is wrong."""
        return not self.problems

    def text(self) -> str:
        """For people: one line a problem, then one line of counts."""
        counts = ", ".join(
            f"{len(names)} {kind if len(names) != 1 else 'synthesis' if kind == 'syntheses' else kind[:-1]}"
            for kind, names in (
                ("experiments", self.experiments),
                ("flags", self.flags),
                ("segments", self.segments),
                ("metrics", self.metrics),
                *([("syntheses", self.syntheses)] if self.syntheses else []),
            )
        )
        number = len(self.problems)
        verdict = "no problems" if self.ok else f"{number} problem{'s' if number != 1 else ''}"
        return "\n".join([*(str(problem) for problem in self.problems), f"{counts} sound; {verdict}"])

    def json(self) -> str:
        """For machines."""
        content = {
            "ok": self.ok,
            "experiments": self.experiments,
            "flags": self.flags,
            "segments": self.segments,
            "metrics": self.metrics,
            "syntheses": self.syntheses,
            "problems": [
                {"what": p.what, "where": p.where, "value": p.value, "rule": p.rule, "hint": p.hint}
                for p in self.problems
            ],
        }
        return json.dumps(content, indent=2, ensure_ascii=False)


def validate_catalogue(catalog_dir: Path, layer: SemanticLayer) -> ValidationReport:
    """Check all definitions beside the metrics; never raises for what a user wrote."""
    metrics = layer.metrics
    project = read_project(catalog_dir)
    project_problems: list[Problem] = []
    if isinstance(project, list):
        # The others are still checked, against the built-in defaults.
        project_problems, project = project, Project()
    catalogue = _load(catalog_dir, project, metrics, layer.refused)
    return ValidationReport(
        tuple(catalogue.experiments),
        tuple(catalogue.flags),
        tuple(catalogue.segments),
        tuple(metrics),
        tuple(catalogue.syntheses),
        (*project_problems, *catalogue.problems, *layer.problems),
    )
