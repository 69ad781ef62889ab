"""The card says what is known and what is not."""

from toprock.calibration import Domain, MarksScale, Ranked, Slope, TrainingScale
from toprock.ranker.card import card
from toprock.ranker.learning import LearningCurve


def test_a_model_that_knows_little_says_so(saved):
    text = card(saved.config)
    assert text.count("not known, the model was made by a version that could not tell") == 2
    assert "Nothing was measured" in text
    assert "0 to 100" not in text


def test_what_was_measured_stands_in_the_card(saved):
    slope = Slope(slope=2.0, error=0.1, accuracy=0.8, pairs=90, performances=30)
    config = saved.config.model_copy(
        update={
            "tested": Ranked(accuracy=0.756, interval=(0.66, 0.84), pairs=66, performances=12),
            "slopes": {"both": slope},
            "scale": TrainingScale(at=0, slope=1, spread=0.5, reach=1, among=120, held_out=110),
            "marks": MarksScale(scores=[0, 1], marks=[3, 9], margin=1.25, held_out=80),
            "controls": {"duration": -1, "cut_rate": 1},
            "control_accuracy": {"duration": 0.62, "cut_rate": 0.51},
            "domain": Domain(length_s=(30.4, 90), cuts_per_minute=3.2, limits={"static": 1.0}),
            "learning": LearningCurve(
                pairs=[5, 10], accuracy=[0.6, 0.7], twice=(0.75, 0.7, 0.8), gain=(0.05, 0.0, 0.1)
            ),
        }
    )
    text = card(config)
    for part in (
        "75.6% were put in the right order** (66 pairs of 12 performances, 95 % interval 66.0% to 84.0%)",
        "80.0% in the right order (90 pairs of 30 performances)",
        "(4.000) is right with 88%",
        "of the 120 training performances",
        "intervals of 1.25 to both sides",
        '"shorter is better" ranks 62.0%',
        '"more cuts is better" ranks 51.0%',
        "Performances of 30 to 90 s",
        "Cut at most 3 times a minute",
        "twice as many between the same performances would likely bring 75.0% (+5.0%",
        "of a new performance and one of the training: not known",
    ):
        assert part in text, part
