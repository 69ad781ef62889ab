"""The ranker with an unrestricted head: its score is shared out, whole."""

import pytest
import torch

from toprock.comparisons import pairwise_accuracy
from toprock.peers import Qsd
from toprock.peers.free_head import FreeHeadRanker
from toprock.ranker.batch import collate
from toprock.ranker.model import RankerConfig
from toprock.ranker.training import bias, branch_scores, fix_zero

DIMENSIONS = {"dynamic": 4, "static": 5}


@pytest.fixture
def some(planted):
    return list(planted.data.values())[:6]


def ranker(**options):
    torch.manual_seed(0)
    made = FreeHeadRanker(RankerConfig(dimensions=DIMENSIONS, width=16, hidden=12, **options)).eval()
    for stream in made.streams.values():
        torch.nn.init.normal_(stream.evidence.query.weight)  # attention that is not even
    return made


@torch.no_grad()
@pytest.mark.parametrize("options", [{}, {"prototypes": 2, "layers": 2}])
def test_contributions_add_up_to_what_the_heads_say(some, options):
    model = ranker(**options)
    batch = collate(some, DIMENSIONS)
    out = model(batch)
    total = torch.zeros(len(some), 3)
    for name, x in batch.features.items():
        stream, mask = model.stream(name), batch.masks[name]
        seen = stream.see(x, mask, batch.places[name])
        for row in range(len(some)):
            length = int(mask[row].sum())
            for branch in range(3):
                gathered = 0
                for t in range(length):
                    what = (
                        torch.cat([seen.valued[row, t], seen.looked_at[row, t]]) if branch < 2 else seen.plain[row, t]
                    )
                    gathered = gathered + seen.weights[row, branch, t] * what
                total[row, branch] += stream.heads_free[branch](gathered)[0]
    torch.testing.assert_close(out.scores, total, atol=1e-5, rtol=1e-5)
    for stream in out.streams.values():
        assert stream.contributions.shape[1] == 3
    assert out.scores.std(0).min() > 1e-3


@torch.no_grad()
def test_a_score_depends_neither_on_batch_mates_nor_on_padding(some):
    model = ranker()
    alone = torch.cat([model(collate([one], DIMENSIONS)).scores for one in some])
    torch.testing.assert_close(model(collate(some, DIMENSIONS)).scores, alone, atol=1e-5, rtol=0)


@torch.no_grad()
def test_what_is_not_there_says_nothing(some):
    model = ranker()
    fix_zero(model, some)
    short, long = sorted(some, key=lambda one: len(one["static"]))[::5]
    out = model(collate([{"static": short["static"]}, long], DIMENSIONS))
    assert out.streams["dynamic"].contributions[0].abs().max() == 0
    assert out.streams["static"].contributions[0, :, len(short["static"]) :].abs().max() == 0
    torch.testing.assert_close(out.scores[0], out.streams["static"].contributions[0].sum(-1))
    hidden = model(
        collate([long, long], DIMENSIONS),
        keep={"dynamic": torch.tensor([True, False]), "static": torch.tensor([True, True])},
    )
    assert hidden.streams["dynamic"].contributions[1].abs().max() == 0
    assert hidden.streams["dynamic"].contributions[0].abs().max() > 0


@torch.no_grad()
def test_a_gain_scales_all_that_a_stream_says(some):
    model = ranker()
    fix_zero(model, some)
    batch = collate(some, DIMENSIONS)
    before, was = model(batch), bias(model)
    model.stream("static").scale(2.5)
    after = model(batch)
    torch.testing.assert_close(after.streams["static"].contributions, 2.5 * before.streams["static"].contributions)
    torch.testing.assert_close(after.streams["dynamic"].contributions, before.streams["dynamic"].contributions)
    assert bias(model) != pytest.approx(was, abs=1e-6)
    for other in ("static", "dynamic"):
        model.stream(other).scale(0.4 if other == "static" else 1.0)
    torch.testing.assert_close(model(batch).scores, before.scores, atol=1e-5, rtol=1e-5)
    assert "streams.static.gain" in model.state_dict()  # it is kept with the weights


@torch.no_grad()
def test_fixing_the_zero_keeps_every_score(some):
    model = ranker()
    before = model.final(branch_scores(model, some))
    fix_zero(model, some)
    after = model.final(branch_scores(model, some))
    assert after.mean() == pytest.approx(0, abs=1e-5)
    torch.testing.assert_close(bias(model) + after, before)


def test_it_learns_what_is_planted(planted):
    plain = {"width": 16, "hidden": 16, "dropout": 0.0, "feature_dropout": 0.0, "contrast": 0.0}
    learner = Qsd(model=plain, training={"steps": 40}, free_head=True)
    side = planted.side(32)
    scorer = learner(side, seed=0)
    assert planted.accuracy(scorer, 32) > 0.8
    assert pairwise_accuracy(scorer(side.data), side.pairs) > 0.85
