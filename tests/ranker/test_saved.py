"""What a saved model tells of a score."""


def test_percentile_compares_standardised_scores(saved):
    for standardised, wanted in ((-2, 0.0), (-1, 12.5), (0, 37.5), (0.5, 50.0), (1, 75.0), (2, 100.0)):
        assert saved.percentile(2.0 + 0.5 + 4.0 * standardised) == wanted
    saved.config.held_out.clear()
    assert saved.percentile(0.0) is None
