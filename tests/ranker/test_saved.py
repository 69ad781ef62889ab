import pytest

from toprock.errors import ModelError
from toprock.ranker.saved import SavedModel

"""What a saved model tells of a score."""


def test_percentile_compares_standardised_scores(saved):
    for standardised, wanted in ((-2, 0.0), (-1, 12.5), (0, 37.5), (0.5, 50.0), (1, 75.0), (2, 100.0)):
        assert saved.percentile(2.0 + 0.5 + 4.0 * standardised) == wanted
    saved.config.held_out.clear()
    assert saved.percentile(0.0) is None


def test_a_folder_of_the_first_format_is_read_as_a_model_that_cannot_tell(saved, tmp_path):
    import json

    saved.config.recipes["static"] = {"stream": "static", "backbone": "made-up", "settings": {}}
    saved.save(tmp_path)
    plain = json.loads((tmp_path / "config.json").read_text())
    new = ("slopes", "scale", "marks", "uncalibrated", "domain", "learning", "control_accuracy")
    first = {name: value for name, value in plain.items() if name not in new} | {"format": 1}
    (tmp_path / "config.json").write_text(json.dumps(first))
    old = SavedModel.load(tmp_path)
    assert old.scaled(1.0) is None
    assert old.chance(1.0, 0.0, unseen="both") is None
    assert "could not tell" in old.config.uncalibrated
    assert old.percentile(0.0) is not None
    assert old.typical_of("static").shape == (2, 4)


def test_a_number_that_never_varies_and_a_weight_that_is_none(saved, tmp_path):
    """The spread of what never varies is infinite, which is no damage; a weight that is no number is."""
    saved.config.recipes["static"] = {"stream": "static", "backbone": "made-up", "settings": {}}
    module = saved.members[0].stream("static")
    module.spread[0] = float("inf")
    saved.save(tmp_path)
    assert not SavedModel.load(tmp_path).members[0].stream("static").spread.isfinite().all()
    module.spread[0] = float("nan")
    saved.save(tmp_path)
    with pytest.raises(ModelError, match="its weights hold what is no number"):
        SavedModel.load(tmp_path)
