"""Which arm a logged variation means that the definition does not declare: a typo, a renamed arm, another SDK's ids."""

from __future__ import annotations

import polars as pl

#: What tells names apart once case, spaces and punctuation are left out.
_LETTERS = r"[^\p{L}\p{N}]"


def with_arms(losses: pl.DataFrame, variants: pl.DataFrame) -> pl.DataFrame:
    """Losses by the arm that each unit was in, with the name that was logged beside it.

    A name that differs from a declared one by case, spaces or punctuation alone is that arm; of any other the arm is
    the one that the configuration in force gave the unit, if it gave it any.

    Args:
        losses: `variant_id` as logged and, where it is known, `due_variant_id`, per experiment.
        variants: From `variant_frame`.

    Returns:
        The losses with `logged` and with the arm as `variant_id`, null where nothing tells it.

    Examples:
        >>> losses = pl.DataFrame({"experiment_id": ["x"] * 3, "variant_id": ["Red ", "b2", "red"],
        ...                        "due_variant_id": ["red", "blue", None]})
        >>> arms = pl.DataFrame({"experiment_id": ["x", "x"], "variant_id": ["red", "blue"]})
        >>> with_arms(losses, arms).select("logged", "variant_id").rows()
        [('Red ', 'red'), ('b2', 'blue'), ('red', 'red')]
    """
    declared = variants.select("experiment_id", arm="variant_id")
    plain = declared.with_columns(plain=_plain("arm")).filter(
        (pl.col("plain") != "") & (pl.len().over("experiment_id", "plain") == 1)
    )
    if "due_variant_id" not in losses.columns:
        losses = losses.with_columns(due_variant_id=pl.lit(None, pl.String))
    return (
        losses.with_columns(logged="variant_id", plain=_plain("variant_id"))
        .join(
            declared.with_columns(same="arm"),
            left_on=["experiment_id", "variant_id"],
            right_on=["experiment_id", "arm"],
            how="left",
            maintain_order="left",
        )
        .join(plain, on=["experiment_id", "plain"], how="left", maintain_order="left")
        .with_columns(variant_id=pl.coalesce("same", "arm", "due_variant_id"))
        .drop("plain", "same", "arm", "due_variant_id")
    )


def names_said(losses: pl.DataFrame) -> pl.DataFrame:
    """The undeclared names of each experiment and step, the most frequent first, with the units that say them.

    Args:
        losses: From `with_arms`, with `undeclared` beside.
    """
    return (
        losses.filter("undeclared")
        .group_by("experiment_id", "step", "logged", maintain_order=True)
        .agg(pl.col("units").sum())
        .filter(pl.col("units") > 0)
        .sort("experiment_id", "step", "units", "logged", descending=[False, False, True, False])
        .group_by("experiment_id", "step", maintain_order=True)
        .agg(names="logged", said=pl.col("units").sum())
    )


def _plain(column: str) -> pl.Expr:
    return pl.col(column).str.to_lowercase().str.replace_all(_LETTERS, "")
