"""What the demo reads from the worker's log."""

import pytest

from monitor.demo.stage import serving_url


@pytest.mark.parametrize(
    ("lines", "url"),
    [
        ([], ""),
        (['{"message": "starting"}'], ""),
        (['not json', '{"message": "serving", "url": "http://127.0.0.1:5"}', '{"message": "later"}'], "http://127.0.0.1:5"),
    ],
)  # fmt: skip
def test_the_worker_says_where_it_serves(tmp_path, lines, url):
    log = tmp_path / "worker.log"
    log.write_text("\n".join(lines))
    assert serving_url(log) == url
