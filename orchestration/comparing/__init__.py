"""Two states of a project: what differs between their definitions, and what that does to exports and figures."""

from fairsplit.orchestration.comparing.base import definitions_at
from fairsplit.orchestration.comparing.changes import Changes, changes_between
from fairsplit.orchestration.comparing.figures import Moved, moved_figures
from fairsplit.orchestration.comparing.markdown import as_markdown

__all__ = ["Changes", "Moved", "as_markdown", "changes_between", "definitions_at", "moved_figures"]
