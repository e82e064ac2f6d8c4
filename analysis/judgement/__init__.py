"""From sufficient statistics and definitions to result rows, validity rows and decisions."""

from fairsplit.analysis.judgement.facts import Facts
from fairsplit.analysis.judgement.invariants import violations
from fairsplit.analysis.judgement.judging import Judgement, history_needed, judge_cut_offs
from fairsplit.analysis.judgement.rows import ALLOCATIONS, COMPARISONS, DECISIONS, VALIDITY

__all__ = [
    "ALLOCATIONS",
    "COMPARISONS",
    "DECISIONS",
    "VALIDITY",
    "Facts",
    "Judgement",
    "history_needed",
    "judge_cut_offs",
    "violations",
]
