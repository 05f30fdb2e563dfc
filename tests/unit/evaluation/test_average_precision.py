"""Average precision against scikit-learn."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn.metrics import average_precision_score

from iwax import evaluation

scores = st.lists(st.integers(-5, 5), min_size=2, max_size=30)


@given(found=scores, others=scores)
def test_it_is_scikit_learns_with_ties_and_without(found, others):
    truth = [1] * len(found) + [0] * len(others)
    expected = average_precision_score(truth, [*found, *others])
    assert evaluation.average_precision(found, others) == pytest.approx(expected, abs=1e-12)


def test_scores_without_a_rank_are_refused():
    with pytest.raises(ValueError, match="got nan in row 1"):
        evaluation.average_precision([1.0, np.nan], [0.0, 0.0])
