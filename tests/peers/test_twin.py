"""The literature's schedule: its grid of segments, its batches, its noise."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import nn

from toprock.comparisons import Pair
from toprock.peers import AveragePooling, Raan, Softmax, TrainingSide, TwinConfig
from toprock.peers.twin import batch_of, fit_twin, uniform

SHORT = TwinConfig(epochs=3, batch=16, segments=6)


@given(st.integers(1, 14), st.integers(1, 17), st.integers(0, 10**6))
def test_uniform_is_the_mean_over_equal_parts(length, segments, seed):
    array = np.random.default_rng(seed).normal(size=(length, 2)).astype(np.float32)
    expected = np.zeros((segments, 2))
    part = length / segments
    for k in range(segments):
        for t in range(length):
            shared = max(0.0, min(t + 1, (k + 1) * part) - max(t, k * part))
            expected[k] += array[t].astype(float) * shared / part
    np.testing.assert_allclose(uniform(array, segments), expected, atol=1e-9)


def test_each_performance_of_a_batch_is_there_once():
    ends = torch.tensor([[4, 2, 4, 9], [2, 9, 9, 2]])
    videos, places = batch_of(ends, once=True)
    assert videos.tolist() == [2, 4, 9]
    assert torch.equal(videos[places], ends)
    videos, places = batch_of(ends, once=False)
    assert videos.tolist() == [4, 2, 4, 9, 2, 9, 9, 2]
    assert torch.equal(videos[places], ends)


class Recorder(nn.Module):
    """Scores by a linear map of the mean, and keeps what it was shown in training."""

    def __init__(self, dimension):
        super().__init__()
        self.map = nn.Linear(dimension, 1)
        self.shown = []

    def forward(self, x):
        if torch.is_grad_enabled():
            self.shown.append(x.clone())
        return (self.map(x.mean(1))[:, 0],)


def recorded(side, config, **options):
    """What was shown in each step, and the rows of better and worse in it."""
    made, ends = [], []

    def build(dimension):
        made.append(Recorder(dimension))
        return made[0]

    def loss(network, x, better, worse):
        ends.append((better, worse))
        (scores,) = network(x)
        return (scores[worse] - scores[better]).mean()

    scorer = fit_twin(side, build, loss, config, seed=0, **options)
    return made[0].shown, ends, scorer


def test_a_whole_batch_shares_its_noise_and_the_next_has_another(planted):
    side = planted.side(12)
    quiet, _, _ = recorded(side, replace(SHORT, noise=0.0))
    noisy, _, _ = recorded(side, replace(SHORT, noise=0.5))
    # without noise a step draws as many random numbers: the same order, so the same videos in each step
    noises = [b - a for a, b in zip(quiet, noisy, strict=True)]
    for noise in noises:
        torch.testing.assert_close(noise, noise[:1].expand_as(noise), atol=1e-5, rtol=0)
    assert 0.45 < torch.stack([noise[0] for noise in noises]).std() < 0.55
    assert not torch.allclose(noises[0][0], noises[1][0], atol=0.1)


def test_the_literal_form_shows_both_ends_of_every_pair(planted):
    side = planted.side(12)
    once, ends, _ = recorded(side, SHORT)
    twice, _, _ = recorded(side, SHORT, once=False)
    assert len(once) == len(twice) == SHORT.epochs * -(-len(side.pairs) // SHORT.batch)
    for few, many, (better, worse) in zip(once, twice, ends, strict=True):
        assert len(few) <= len(side.ids)
        assert len(many) == 2 * len(better)
        torch.testing.assert_close(few[torch.cat([better, worse])], many)


def test_every_pair_is_seen_once_an_epoch(planted):
    side = planted.side(12)
    shown, ends, _ = recorded(side, replace(SHORT, noise=0.0, epochs=1))
    (whole,), _, _ = recorded(side, replace(SHORT, noise=0.0, epochs=1, batch=10**6))
    place = {tuple(video.flatten().tolist()): ident for video, ident in zip(whole, side.ids, strict=True)}
    seen = [
        (place[tuple(x[b].flatten().tolist())], place[tuple(x[w].flatten().tolist())])
        for x, (better, worse) in zip(shown, ends, strict=True)
        for b, w in zip(better, worse, strict=True)
    ]
    assert sorted(seen) == sorted((p.better, p.worse) for p in side.pairs)
    assert whole.mean((0, 1)) == pytest.approx(0, abs=1e-5)
    assert whole.std((0, 1), correction=0) == pytest.approx(1, abs=1e-5)


def test_ties_and_performances_without_a_pair_teach_nothing(planted):
    side = planted.side(12)
    stranger = planted.data["v40"]
    more = TrainingSide(
        {**side.data, "alone": {k: 100 * v for k, v in stranger.items()}},
        [*side.pairs, Pair("v00", "v01", tie=True)],
        {},
    )
    one, other = (Raan(SHORT)(given, seed=0)(planted.data) for given in (side, more))
    assert one == other


def test_a_stream_that_a_performance_lacks_counts_as_zeros(planted):
    side = planted.side(12)
    zeros = {**side.data["v03"], "dynamic": np.zeros_like(side.data["v03"]["dynamic"])}
    lacking = {**side.data["v03"], "dynamic": np.zeros((0, 4), np.float16)}
    scores = [
        AveragePooling(SHORT)(TrainingSide({**side.data, "v03": third}, side.pairs, {}), seed=0)({"v03": third})
        for third in (zeros, lacking, {"static": side.data["v03"]["static"]})
    ]
    assert scores[0] == scores[1] == scores[2]


@pytest.mark.parametrize("learner", [Raan(SHORT), Softmax(SHORT), AveragePooling(SHORT)])
def test_a_seed_decides_everything(planted, learner):
    side = planted.side(12)
    torch.manual_seed(11)
    expected = torch.rand(1)
    torch.manual_seed(11)
    one, again, other = (learner(side, seed=seed)(planted.data) for seed in (1, 1, 2))
    assert torch.rand(1) == expected  # the global random state is left alone
    assert one == again
    assert one != other
    assert list(one) == list(planted.data)


def test_what_scores_does_not_depend_on_what_else_is_scored(planted):
    scorer = Raan(SHORT)(planted.side(12), seed=0)
    together = scorer(planted.data)
    for ident in ("v00", "v47"):
        assert scorer({ident: planted.data[ident]})[ident] == pytest.approx(together[ident], abs=1e-6)


def test_a_watch_sees_the_training_and_changes_nothing(planted):
    side, config = planted.side(12), replace(SHORT, epochs=6, watch_every=2)
    seen = []
    watched = Raan(config)(side, seed=0, watch=lambda scorer: seen.append(scorer(planted.data)))
    last = watched(planted.data)
    assert len(seen) == 3
    assert seen[0] != seen[1] != seen[2] == last
    assert Raan(config)(side, seed=0)(planted.data) == last


@pytest.mark.parametrize("kind", [Softmax, AveragePooling])
def test_the_plain_rankers_learn_what_is_planted(planted, kind):
    learner = kind(TwinConfig(epochs=80, batch=128, learning_rate=1e-2, segments=8))
    assert planted.accuracy(learner(planted.side(32), seed=0), 32) > 0.8


def test_attention_finds_what_the_average_drowns():
    """Quality is in the marked segment alone; in all others the same feature is loud noise."""
    rng = np.random.default_rng(1)
    quality = {f"v{i:02}": float(rng.normal()) for i in range(60)}
    data = {}
    for ident, good in quality.items():
        x = rng.normal(size=(10, 3)) * [0.1, 2.0, 1.0]
        x[rng.integers(10), :2] = [4.0, good]
        data[ident] = {"static": x}
    ids = list(data)
    pairs = [Pair(a, b) for a in ids[:40] for b in ids[:40] if quality[a] > quality[b]]
    test = [Pair(a, b) for a in ids[40:] for b in ids[40:] if quality[a] > quality[b]]
    side = TrainingSide({i: data[i] for i in ids[:40]}, pairs, {})
    config = TwinConfig(epochs=100, batch=128, learning_rate=1e-2, segments=10)
    right = {}
    for kind in (Softmax, AveragePooling):
        scores = kind(config)(side, seed=0)(data)
        right[kind] = np.mean([scores[p.better] > scores[p.worse] for p in test])
    assert right[Softmax] > 0.8
    assert right[AveragePooling] < 0.7


def test_settings_name_the_whole_schedule():
    assert Softmax(SHORT).settings == {
        "epochs": 3,
        "batch": 16,
        "learning_rate": 1e-4,
        "noise": 0.01,
        "segments": 6,
        "watch_every": 10,
    }
    assert TwinConfig().to_json() == {  # Doughty et al., CVPR 2019
        "epochs": 2000,
        "batch": 128,
        "learning_rate": 1e-4,
        "noise": 0.01,
        "segments": 400,
        "watch_every": 10,
    }
