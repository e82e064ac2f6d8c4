"""`fairsplit new` writes a file that the catalogue accepts, or none at all."""

import shutil

import pytest
from typer.testing import CliRunner

from fairsplit.orchestration.catalogue.loading import read_definitions
from fairsplit.orchestration.cli import app, commands
from fairsplit.orchestration.project import PROJECT_ROOT

_ = commands
pytestmark = pytest.mark.integration
GIVEN = ["--yes", "--owner", "growth@example.com", "--metric", "checkout_conversion"]


@pytest.fixture
def catalog(tmp_path, monkeypatch):
    shutil.copy(PROJECT_ROOT / "catalog" / "project.yaml", tmp_path)
    monkeypatch.setenv("FAIRSPLIT_CATALOG", str(tmp_path))
    return tmp_path / "experiments"


def test_what_is_not_given_takes_its_default(catalog) -> None:
    hostile = 'He said "x": {a} # \\ [b]'
    done = CliRunner().invoke(
        app, ["new", "hint", *GIVEN, "--name", hostile, "--guardrail", "error_rate", "--effect", "2%"]
    )
    assert done.exit_code == 0, done.output
    made = read_definitions().catalogue.experiments["hint"]
    assert (made.name, made.status, made.type, made.control.id) == (hostile, "draft", "ab", "control")
    assert made.metrics.primary[0].minimum_effect.relative == pytest.approx(0.02)
    assert [use.metric for use in made.metrics.guardrails] == ["error_rate"]


def test_questions_are_asked_and_answered(catalog) -> None:
    answers = "hint\n\ngrowth@example.com\n\nctr\na, b, c\n\n"
    done = CliRunner().invoke(app, ["new"], input=answers)
    assert done.exit_code == 0, done.output
    made = read_definitions().catalogue.experiments["hint"]
    assert (made.type, [variant.id for variant in made.variants]) == ("abn", ["a", "b", "c"])


@pytest.mark.parametrize(
    "words",
    [
        ["../x", *GIVEN],
        ["hint", "--yes", "--owner", "growth@example.com", "--metric", "no_such_metric"],
        ["hint", "--yes", "--metric", "ctr"],
        ["hint", *GIVEN, "--effect", "a lot"],
        ["hint", *GIVEN, "--variant", "only"],
    ],
)
def test_a_wrong_answer_leaves_no_file(catalog, words) -> None:
    done = CliRunner().invoke(app, ["new", *words])
    assert done.exit_code == 1
    assert hasattr(done.exception, "problem")
    assert list(catalog.parent.rglob("*.yaml")) == [catalog.parent / "project.yaml"]


def test_an_existing_file_is_never_written_over(catalog) -> None:
    CliRunner().invoke(app, ["new", "hint", *GIVEN])
    before = (catalog / "hint.yaml").read_text()
    done = CliRunner().invoke(app, ["new", "hint", *GIVEN, "--name", "Other"])
    assert done.exit_code == 1
    assert (catalog / "hint.yaml").read_text() == before
