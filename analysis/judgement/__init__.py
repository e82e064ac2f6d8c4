"""From sufficient statistics and definitions to result rows, validity rows and decisions."""

from analysis.judgement.invariants import violations
from analysis.judgement.judging import Judgement, judge_cut_offs
from analysis.judgement.rows import ALLOCATIONS, COMPARISONS, DECISIONS, VALIDITY

__all__ = ["ALLOCATIONS", "COMPARISONS", "DECISIONS", "VALIDITY", "Judgement", "judge_cut_offs", "violations"]
