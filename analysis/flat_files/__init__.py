"""One flat file of an experiment (or of thousands) judged at once, without a project or a catalogue."""

from fairsplit.analysis.flat_files.analysing import FlatAnalysis, analyse
from fairsplit.analysis.flat_files.request import FlatFileError, MetricColumn, Request

__all__ = ["FlatAnalysis", "FlatFileError", "MetricColumn", "Request", "analyse"]
