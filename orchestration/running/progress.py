"""A Dagster logger for people at a terminal: one line when a step ends or is repeated, and the errors."""

from __future__ import annotations

import logging
import sys
import time

import dagster as dg


class _StepLines(logging.Handler):
    def __init__(self) -> None:
        super().__init__()
        self._started: dict[str, float] = {}

    def emit(self, record: logging.LogRecord) -> None:
        event = getattr(record, "dagster_event", None)
        if event is None or event.step_key is None:
            if record.levelno >= logging.ERROR:
                print(record.getMessage(), file=sys.stderr)
            return
        if event.event_type_value == "STEP_START":
            self._started[event.step_key] = time.monotonic()
        elif event.event_type_value == "STEP_UP_FOR_RETRY":
            again = event.step_retry_data
            reason = again.error.cause or again.error if again.error else None
            words = reason.message.strip().splitlines()[0] if reason else "it failed"
            wait = again.seconds_to_wait or 0
            print(f"  {event.step_key:<32}  again in {wait:.0f} s: {words}", file=sys.stderr)
        elif event.event_type_value in {"STEP_SUCCESS", "STEP_FAILURE"}:
            seconds = time.monotonic() - self._started.get(event.step_key, time.monotonic())
            mark = "done" if event.event_type_value == "STEP_SUCCESS" else "FAILED"
            print(f"  {event.step_key:<32} {mark:>6} {seconds:7.1f} s", file=sys.stderr)
            if mark == "FAILED":
                print(event.step_failure_data.error_display_string, file=sys.stderr)


@dg.logger
def progress_logger(context: dg.InitLoggerContext) -> logging.Logger:
    """The logger that `fairsplit run` uses instead of Dagster's console."""
    del context
    logger = logging.getLogger("fairsplit.progress")
    logger.setLevel(logging.DEBUG)
    logger.propagate = False
    logger.handlers = [_StepLines()]
    return logger
