"""One pass over a run's dispositions and flags counts what numpy counts in several."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from monitor.observe.run_figures import (
    CONFLICT,
    DUPLICATE,
    LATE,
    LATE_NOT_FOLDED,
    REJECTED,
    RING_SATURATED,
    SCORED,
    count_run,
)

rows = st.lists(st.tuples(st.sampled_from([SCORED, DUPLICATE, REJECTED]), st.integers(0, 63)))


@given(rows)
def test_the_counts_are_those_of_each_flag_by_itself(drawn):
    dispositions = np.array([row[0] for row in drawn], np.uint8)
    flags = np.array([row[1] for row in drawn], np.uint16)
    lost = (flags & LATE_NOT_FOLDED) != 0
    late = (flags & LATE) != 0
    assert count_run(dispositions, flags) == (
        (dispositions == SCORED).sum(),
        (dispositions == DUPLICATE).sum(),
        (dispositions == REJECTED).sum(),
        (late & ~lost).sum(),
        lost.sum(),
        ((flags & CONFLICT) != 0).sum(),
        ((flags & RING_SATURATED) != 0).sum(),
    )
