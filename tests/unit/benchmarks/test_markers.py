"""What a benchmark writes into a page goes between its markers and nowhere else."""

import pytest

from benchmarks.markers import between, text_between

BEGIN, END = "<!-- race: begin -->", "<!-- race: end -->"


def test_text_goes_between_its_markers_and_nowhere_else():
    page = between(f"a {BEGIN} old {END} b", "race", "new\n")
    assert page == f"a {BEGIN}\nnew\n{END} b"
    assert text_between(page, "race") == "new\n"


@pytest.mark.parametrize("page", ["no markers", BEGIN, END, "<!-- other: begin --><!-- other: end -->"])
def test_a_page_without_them_is_not_touched(page):
    with pytest.raises(SystemExit, match="race: begin"):
        between(page, "race", "new")
