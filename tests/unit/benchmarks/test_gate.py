from benchmarks.gate import judged

LIMIT = {"ratio": 0.8, "most": 1.04}


def test_a_ratio_up_to_the_limit_goes_through():
    assert judged({"ratio": 1.04, "ours": [1], "plain": [1]}, LIMIT) == 0


def test_a_greater_one_fails_and_says_what_to_do(capsys):
    assert judged({"ratio": 1.05, "ours": [90, 91], "plain": [95]}, LIMIT) == 1
    said = capsys.readouterr().out
    assert "1.05; set at 0.8, at most 1.04" in said
    assert "--set" in said
