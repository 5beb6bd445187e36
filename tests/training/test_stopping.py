import os
import signal
import threading

import pytest

from n2v_tk.training.stopping import Terminated, ending_in_order


def be_ended(number):
    with ending_in_order():
        os.kill(os.getpid(), number)
        threading.Event().wait(5)


@pytest.mark.parametrize("name", ["SIGTERM", "SIGHUP"])
def test_a_signal_becomes_an_exception(name):
    number = getattr(signal, name)
    with pytest.raises(Terminated) as ended:
        be_ended(number)
    assert (ended.value.code, ended.value.signal) == (128 + number, name)
    assert signal.getsignal(number) is signal.SIG_DFL


def test_handlers_of_others_are_left_alone():
    seen = []
    signal.signal(signal.SIGTERM, lambda *_: seen.append(1))
    try:
        with ending_in_order():
            os.kill(os.getpid(), signal.SIGTERM)
        assert seen == [1]
    finally:
        signal.signal(signal.SIGTERM, signal.SIG_DFL)


def test_a_thread_is_left_alone():
    passed = []

    def work():
        with ending_in_order():
            passed.append(signal.getsignal(signal.SIGTERM))

    thread = threading.Thread(target=work)
    thread.start()
    thread.join()
    assert passed == [signal.SIG_DFL]
