import sys

import pytest


@pytest.fixture
def legacy():
    """The names of n2v, taken away again afterwards."""
    import n2v_tk.legacy
    from n2v_tk.legacy.modules import install

    install()
    yield n2v_tk.legacy
    for name in [m for m in sys.modules if m.split(".")[0] == "n2v"]:
        del sys.modules[name]
