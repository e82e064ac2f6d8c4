"""Flat files of any usual format as frames of text and typed columns."""

from fairsplit.orchestration.flat_files.reading import FlatFile, read_flat_file, with_numbers

__all__ = ["FlatFile", "read_flat_file", "with_numbers"]
