"""What people and programs pass by mistake, and what may come of it."""

import numpy as np
from hypothesis import strategies as st

from n2v_tk.errors import N2VTKError

NUMBERS = st.one_of(
    st.integers(-5, 70),
    st.floats(-10, 10),
    st.integers(),
    st.floats(),
    st.sampled_from([2**31, 2**63, 10**30, 1e300, 1e-300, float("nan"), float("inf"), -0.0]),
)
TEXTS = st.one_of(
    st.text(max_size=8),
    st.sampled_from(
        ["", " ", "\0", "..", "../..", "-", "--", "nan", "inf", "-1", "0", "1e999", "YX", "yxyx",
         "[red]", "%s", "{}", "2GB", "same", "float32", "\ud800", "²", "٣", "9" * 400]
    ),
)  # fmt: skip
SINGLE = st.one_of(
    st.none(),
    st.booleans(),
    NUMBERS,
    TEXTS,
    st.binary(max_size=4),
    st.builds(object),
    st.builds(complex),
    NUMBERS.filter(lambda n: abs(n) < 2**62).map(np.asarray),
    st.sampled_from(
        [np.int64(3), np.float32(0.5), np.zeros(0), np.eye(2), np.array("x"), int, len]
    ),
)
ANYTHING = st.recursive(
    SINGLE,
    lambda inner: st.one_of(
        st.lists(inner, max_size=4),
        st.tuples(inner, inner),
        st.dictionaries(TEXTS, inner, max_size=2),
        st.sets(st.integers(), max_size=2),
    ),
    max_leaves=6,
)


def allowed(call):
    """What a call gives, or None where it refuses with an error that is documented."""
    try:
        return call()
    except N2VTKError as error:
        if "Received" not in str(error) or type(error).__module__ != "n2v_tk.errors":
            raise AssertionError(f"{type(error)} is not documented or not told well") from error
        return None
