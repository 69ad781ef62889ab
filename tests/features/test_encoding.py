"""Networks beside the reading of videos: order, batches across readers, and what goes wrong."""

import gc
import threading
import time
import weakref
from dataclasses import dataclass, field

import numpy as np
import pytest

from toprock.backbones.base import BackboneSpec, Reading, Segment
from toprock.errors import StorageError, ToprockError, WeightsError
from toprock.features.encoding import AHEAD, Encoding
from toprock.features.spool import Spool

BATCH = 4


class Doubling:
    """A network that gives back twice what it is shown, and notes what it was shown at once."""

    batch = BATCH
    pace = "by hand"

    def __init__(self, wait_s=0.0, fail_at=None):
        self.batches = []
        self.wait_s, self.fail_at = wait_s, fail_at

    def launch(self, inputs):
        self.batches.append([int(one[0]) for one in inputs])
        if self.fail_at is not None and len(self.batches) > self.fail_at:
            raise WeightsError("the network broke")
        time.sleep(self.wait_s)
        return lambda: 2 * np.stack(inputs).astype(np.float32)


@dataclass(frozen=True)
class Backbone:
    network: Doubling = field(compare=False)
    name: str = "doubling"
    opened: list = field(default_factory=list, compare=False)

    @property
    def spec(self):
        return BackboneSpec(
            name=self.name, stream="static", dimension=1, description="", licence="", size_mb=0, source="embedded"
        )

    reading = Reading(rate_hz=1, short_side=32)
    settings = {"version": 1}  # noqa: RUF012

    def describer(self):
        raise NotImplementedError

    def open(self, compute):
        self.opened.append(compute)
        return self.network


def segments(values):
    return [Segment(float(v), v + 1.0, np.array([v])) for v in values]


def rows(spool):
    return spool.stack().features[:, 0].tolist()


def test_features_come_in_order_and_a_last_batch_that_is_not_full_is_shown():
    network = Doubling()
    backbone, spool = Backbone(network), Spool(1)
    with Encoding() as encoding, encoding.reading():
        encoding.put(backbone, segments(range(10)), spool)
        encoding.finish([spool])
        assert rows(spool) == [2 * v for v in range(10)]
    assert network.batches == [[0, 1, 2, 3], [4, 5, 6, 7], [8, 9]]
    assert spool.stack().times[-1].tolist() == [9.0, 10.0]
    assert len(backbone.opened) == 1
    assert encoding.paces() == {"doubling": "by hand"}


def test_batches_fill_across_readers():
    network = Doubling(wait_s=0.005)
    backbone = Backbone(network)
    spools = [Spool(1) for _ in range(6)]
    with Encoding() as encoding:
        together = threading.Barrier(len(spools))

        def read(number):
            with encoding.reading():
                together.wait()
                for value in range(5):
                    encoding.put(backbone, segments([10 * number + value]), spools[number])
                    time.sleep(0.002)
                encoding.finish([spools[number]])

        threads = [threading.Thread(target=read, args=(n,)) for n in range(len(spools))]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    for number, spool in enumerate(spools):
        assert rows(spool) == [2 * (10 * number + value) for value in range(5)]
    assert sum(map(len, network.batches)) == 30
    assert sum(len(batch) == BATCH for batch in network.batches) >= 6
    assert any(len({value // 10 for value in batch}) > 1 for batch in network.batches)


def test_a_reader_waits_while_too_much_waits_for_the_network():
    network = Doubling(wait_s=0.05)
    most = 0
    backbone, spool = Backbone(network), Spool(1)
    with Encoding() as encoding, encoding.reading():
        for value in range(40):
            encoding.put(backbone, segments([value]), spool)
            most = max(most, value + 1 - sum(map(len, network.batches)))
        encoding.finish([spool])
    assert rows(spool) == [2 * v for v in range(40)]
    assert most <= AHEAD * BATCH


def test_two_networks_at_once():
    first, second = Backbone(Doubling()), Backbone(Doubling(), name="other")
    one, two = Spool(1), Spool(1)
    with Encoding() as encoding, encoding.reading():
        for value in range(9):
            encoding.put(first, segments([value]), one)
            encoding.put(second, segments([value + 100]), two)
        encoding.finish([one, two])
        assert rows(one) == [2 * v for v in range(9)]
        assert rows(two) == [2 * (v + 100) for v in range(9)]


def test_what_goes_wrong_in_the_network_is_raised_by_readers():
    backbone, spool = Backbone(Doubling(fail_at=1)), Spool(1)
    with Encoding() as encoding, encoding.reading(), pytest.raises(WeightsError, match="the network broke"):
        for value in range(100):
            encoding.put(backbone, segments([value]), spool)
        encoding.finish([spool])


def test_a_network_that_failed_once_serves_those_who_come_later():
    network = Doubling(fail_at=0)
    backbone, spool = Backbone(network), Spool(1)
    with Encoding() as encoding:
        with encoding.reading(), pytest.raises(WeightsError, match=r"the network broke"):
            encoding.put(backbone, segments([1]), spool)
            encoding.finish([spool])
        network.fail_at, fresh = None, Spool(1)
        with encoding.reading():
            encoding.put(backbone, segments([2]), fresh)
            encoding.finish([fresh])
        assert rows(fresh) == [4]


def test_what_is_dropped_leaves_no_thread_and_no_network():
    before = {thread.name for thread in threading.enumerate()}
    network = Doubling()
    gone = weakref.ref(network)
    encoding, spool = Encoding(), Spool(1)
    with encoding.reading():
        encoding.put(Backbone(network), segments([1]), spool)
        encoding.finish([spool])
    del encoding, network
    for _ in range(50):
        gc.collect()
        if gone() is None:
            break
        time.sleep(0.02)
    assert gone() is None
    assert {thread.name for thread in threading.enumerate()} == before


def test_a_full_disk_is_told_to_the_reader_it_concerns(monkeypatch):
    backbone = Backbone(Doubling())
    full, free = Spool(1), Spool(1)

    def refuse(segments):
        raise StorageError("the disk is full")

    monkeypatch.setattr(full, "extend", refuse)
    with Encoding() as encoding, encoding.reading():
        encoding.put(backbone, segments(range(3)), full)
        encoding.put(backbone, segments(range(3)), free)
        encoding.finish([free])
        with pytest.raises(StorageError, match="the disk is full"):
            encoding.finish([full])
        assert rows(free) == [0, 2, 4]


def test_a_failed_video_is_forgotten():
    network = Doubling()
    backbone = Backbone(network)
    lost, kept = Spool(1), Spool(1)
    with Encoding() as encoding, encoding.reading():
        encoding.put(backbone, segments([7, 8]), lost)
        encoding.forget([lost])
        encoding.put(backbone, segments([1]), kept)
        encoding.finish([kept])
        assert rows(kept) == [2]
    assert network.batches == [[1]]
    assert len(lost) == 0


def test_closing_ends_readers_that_wait():
    backbone, spool = Backbone(Doubling(wait_s=0.2)), Spool(1)
    encoding, raised = Encoding(), []

    def read():
        with encoding.reading():
            try:
                encoding.put(backbone, segments(range(100)), spool)
            except ToprockError as problem:
                raised.append(str(problem))

    thread = threading.Thread(target=read)
    thread.start()
    time.sleep(0.1)
    encoding.close()
    thread.join(5)
    assert not thread.is_alive()
    assert raised == ["extraction was stopped"]
