"""What a digest shows is what was given, by a CommonMark parser, and ordinary sentences stand unescaped."""

from __future__ import annotations

import pytest
from hypothesis import assume, example, given
from hypothesis import strategies as st
from markdown_it import MarkdownIt

from fairsplit.orchestration.notices import markdown

PARSER = MarkdownIt("commonmark").enable("strikethrough")


def shown(source: str) -> str:
    """The text of the only item of a list; a token that is no text is markup."""
    _, _, _, inline, *_ = PARSER.parse(f"- {source} end")
    kinds = {token.type for token in inline.children}
    assert kinds <= {"text", "text_special"}, kinds
    return "".join(token.content for token in inline.children).removesuffix(" end")


@given(
    st.text(st.characters(exclude_categories=["Cs", "Cc"]), min_size=1)
    | st.text("_*`[]()<>!&#;~\\ab1 ", min_size=1)
)
@example("__init__ and a_b_c")
@example("<b>bold</b> &amp; &#42; <https://a.b>")
@example("![x](y) [a]: b")
def test_text_shows_what_it_was_given(value: str) -> None:
    assume(value.split())
    line = " ".join(value.split())
    # Between words, as digests have it: the beginning of a line has marks of its own.
    assert shown(f"x: {markdown.text(value)}") == f"x: {line}"


@pytest.mark.parametrize(
    "sentence",
    [
        "Ship red: Checkout conversion +4.6% (95% interval +1.2% to +8.1%).",
        "checkout_cta waits; p <10⁻³⁰⁰, 3 > 2, a & b, 100% #1!",
        "Look at fct_daily_exposures of {arm} | day 3 - 4.",
    ],
)
def test_ordinary_sentences_need_no_escape(sentence: str) -> None:
    assert markdown.text(sentence) == sentence
