"""The command that puts two models beside each other: compare-models."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from toprock.cli.app import app, printable
from toprock.cli.common import CriterionOption, FeaturesOption, JsonOption, SkipOption, print_json

if TYPE_CHECKING:
    from toprock.evaluate.versions import Versions

_MOST = 10


@app.command("compare-models")
def compare_models(
    a: Annotated[Path, typer.Argument(help="Model folder, for example of the version before.")],
    b: Annotated[Path, typer.Argument(help="The other one.")],
    features: FeaturesOption,
    pairs: Annotated[Path | None, typer.Option(help="Pairs that neither has learnt from.", show_default=False)] = None,
    criterion: CriterionOption = None,
    skip_missing: SkipOption = False,
    json: JsonOption = False,
) -> None:
    """Tell which of two models ranks better, and which performances they place elsewhere."""
    from toprock.assess.model import load
    from toprock.comparisons import read_pairs
    from toprock.evaluate.versions import compare_models as run
    from toprock.features import FeatureStore

    wanted = read_pairs(pairs, criterion=criterion) if pairs is not None else []
    found = run(load(a), load(b), FeatureStore(features), wanted, skip_missing=skip_missing)
    if json:
        print_json(found.to_json())
    else:
        _print(found, a, b)


def _print(found: Versions, a: Path, b: Path) -> None:
    for folder, name, accuracy, learnt in zip(
        (a, b), found.names, (found.first, found.second), found.learnt, strict=True
    ):
        text = f"{printable(str(folder))} ('{printable(name)}')"
        if accuracy is not None and accuracy.value is not None and accuracy.interval is not None:
            low, high = accuracy.interval
            text += f"   {accuracy.value:.1%} of {accuracy.pairs} pairs right ({low:.1%} to {high:.1%})"
        if learnt:
            text += f"   ! it has learnt from {learnt} of these {len(found.moved)} performances, which flatters it"
        print(text)
    if found.difference is not None:
        mean, low, high = found.difference
        sure = "beyond chance" if low > 0 or high < 0 else "within chance"
        print(f"the second ranks {mean:+.1%} right ({low:+.1%} to {high:+.1%}): {sure}")
    if found.agreement is not None:
        print(f"their orders of {len(found.moved)} performances agree with a rank correlation of {found.agreement:.2f}")
    if not found.one_scale:
        print("they do not tell scores on one scale: places cannot be compared")
        return
    if not found.one_anchor:
        print("! the scales are anchored to different training performances: part of a move may come from that")
    mean = sum(moved.by for moved in found.moved) / len(found.moved)
    print(f"on the scale, performances move by {mean:+.1f} on the mean; farthest:")
    for moved in found.moved[:_MOST]:
        print(f"  {moved.first:6.1f} -> {moved.second:6.1f}   {moved.by:+6.1f}   {printable(moved.id)}")
