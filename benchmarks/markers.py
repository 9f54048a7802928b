"""Text that a benchmark writes into a page, between two comments that name it."""


def between(page: str, name: str, text: str) -> str:
    """`page` with `text` between `<!-- NAME: begin -->` and `<!-- NAME: end -->`. SystemExit without them."""
    begin, end = (f"<!-- {name}: {what} -->" for what in ("begin", "end"))
    before, found_begin, rest = page.partition(begin)
    _, found_end, after = rest.partition(end)
    if not (found_begin and found_end):
        raise SystemExit(f"no {begin} and {end}: put them where the text belongs")
    return f"{before}{begin}\n{text}{end}{after}"


def text_between(page: str, name: str) -> str:
    """What stands there."""
    return page.partition(f"<!-- {name}: begin -->\n")[2].partition(f"<!-- {name}: end -->")[0]
