"""The command that measures: evaluate."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from toprock.cli.app import app, printable
from toprock.cli.common import (
    CriterionOption,
    FeaturesOption,
    JsonOption,
    ManifestOption,
    SeedOption,
    SkipOption,
    StartOption,
    bar,
    columns_of,
    performers_of,
    print_json,
    say_left_out,
)
from toprock.errors import UsageError

if TYPE_CHECKING:
    from toprock.backbones.base import Stream
    from toprock.calibration import Reliability
    from toprock.comparisons import Pair
    from toprock.evaluate import Accuracy, Evaluation, TypeFigures
    from toprock.evaluate.faithfulness import Faithfulness
    from toprock.evaluate.groups import Group
    from toprock.features import FeatureStore, Recipe
    from toprock.ranker import Plan, SavedModel


@app.command()
def evaluate(
    features: FeaturesOption,
    model: Annotated[Path | None, typer.Option("--model", "-m", help="Model folder.", show_default=False)] = None,
    pairs: Annotated[Path | None, typer.Option(help="Pairs to be ranked.", show_default=False)] = None,
    train_pairs: Annotated[
        Path | None, typer.Option(help="Train on these instead of --model.", show_default=False)
    ] = None,
    test_pairs: Annotated[
        Path | None, typer.Option(help="Pairs to be ranked, with --train-pairs.", show_default=False)
    ] = None,
    moments: Annotated[Path | None, typer.Option(help="Labelled moments (CSV).", show_default=False)] = None,
    segments: Annotated[
        Path | None, typer.Option(help="Typed segments (CSV): attention and contribution by type.", show_default=False)
    ] = None,
    faithfulness: Annotated[
        bool, typer.Option("--faithfulness", help="Also take the strongest seconds away and see how the scores move.")
    ] = False,
    manifest: ManifestOption = None,
    by: Annotated[
        list[str] | None,
        typer.Option(
            "--by", metavar="COLUMN", help="Look at groups by this column of the manifest.", show_default=False
        ),
    ] = None,
    dynamic: Annotated[
        str | None, typer.Option(help="Which dynamic features to train on, where there are several; or none.")
    ] = None,
    static: Annotated[
        str | None, typer.Option(help="Which static features to train on, where there are several; or none.")
    ] = None,
    criterion: CriterionOption = None,
    start_from: StartOption = None,
    skip_missing: SkipOption = False,
    members: Annotated[int, typer.Option(min=1, help="Rankers in the ensemble, with --train-pairs.")] = 5,
    seed: SeedOption = 0,
    json: JsonOption = False,
) -> None:
    """Measure a model on pairs it was not trained on, beside controls that never look at the video."""
    if (model is None) == (train_pairs is None):
        raise UsageError("what to evaluate is not clear", advice="Give either --model or --train-pairs.")
    if start_from is not None and train_pairs is None:
        raise UsageError("--start-from is where a training starts", advice="Give it with --train-pairs.")
    if (dynamic or static) and train_pairs is None:
        raise UsageError("--dynamic and --static are for a training", advice="Give them with --train-pairs.")
    if pairs is not None and test_pairs is not None:
        raise UsageError("--pairs and --test-pairs are one thing", advice="Give one of them.")
    test = test_pairs or pairs
    if test is None:
        wanted = "--pairs" if model is not None else "--test-pairs"
        raise UsageError("there are no pairs to be ranked", advice=f"Give them with {wanted} FILE.")
    from toprock.assess.model import Model, load
    from toprock.comparisons import match_pairs, read_pairs
    from toprock.evaluate import evaluate as run
    from toprock.evaluate import read_moments, read_segments
    from toprock.features import FeatureStore

    store = FeatureStore(features)
    performers = performers_of(manifest, store)
    columns = columns_of(manifest, store, by or [])
    labelled = read_moments(moments) if moments else []
    typed = read_segments(segments) if segments else []
    wanted_pairs = read_pairs(test, criterion=criterion)
    trained = []
    if model is not None:
        judge = load(model)
    else:
        from toprock.ranker import Plan, SavedModel, TrainingConfig

        assert train_pairs is not None
        match_pairs(wanted_pairs, store.ids(), skip_missing=skip_missing, why=store.failures())
        recipes = store.choose(dynamic=dynamic, static=static)
        trained = read_pairs(train_pairs, criterion=criterion)
        start = SavedModel.load(start_from) if start_from is not None else None
        plan = Plan(training=TrainingConfig(seed=seed), members=members)
        judge = Model(_train(store, trained, recipes, performers, plan, start, skip_missing))
    found = run(
        judge,
        store,
        wanted_pairs,
        moments=labelled,
        segments=typed,
        faithful=faithfulness,
        columns=columns,
        performers=performers,
        train_pairs=trained,
        skip_missing=skip_missing,
    )
    if json:
        print_json(found.to_json())
    else:
        _print(found)
    say_left_out(found.missing, found.pairs_left_out)


def _train(
    store: FeatureStore,
    pairs: Sequence[Pair],
    recipes: Mapping[Stream, Recipe],
    performers: Mapping[str, str],
    plan: Plan,
    start: SavedModel | None,
    skip_missing: bool,
) -> SavedModel:
    """Train with a progress bar, and say what was left out."""
    from toprock.ranker import train_from_store

    with bar("Training") as advance:
        saved = train_from_store(
            store,
            pairs,
            recipes=recipes,
            performers=performers,
            plan=plan,
            start_from=start,
            skip_missing=skip_missing,
            on_advance=lambda at: advance(at.done, at.total, f"Training {at.stage}"),
        )
    say_left_out(saved.config.trained_on.left_out, saved.config.trained_on.pairs_left_out)
    return saved


def _print(found: Evaluation) -> None:
    from rich.console import Console
    from rich.table import Table

    table = Table(box=None, pad_edge=False, header_style="bold")
    for column, side in (("", "left"), ("right", "right"), ("95 % interval", "right"), ("pairs", "right")):
        table.add_column(column, justify=side)  # type: ignore[arg-type]

    def row(name: str, value: Accuracy, style: str = "") -> None:
        if value.value is None:
            table.add_row(name, "-", "", "", style="dim")
            return
        assert value.interval is not None
        low, high = value.interval
        table.add_row(name, f"{value.value:.1%}", f"{low:.1%} to {high:.1%}", str(value.pairs), style=style)

    row("ranked right", found.accuracy, "bold green")
    row("  both never seen", found.both_unseen)
    row("  same performer", found.same_performer)
    for name, accuracy in found.branches.items():
        row(f"branch {name} alone", accuracy)
    for name, accuracy in found.controls.items():
        row(f"control {name.replace('_', ' ')}", accuracy)
    Console().print(table)
    for name in found.rivals:
        print(f"! {name.replace('_', ' ')} alone ranks as well but for chance: it could be all that the scores tell")
    if found.groups:
        _print_groups(found.groups)
    for kind, measured in found.calibration.items():
        _print_calibration(kind, measured)
    for label, scores in (("good", found.good), ("bad", found.bad)):
        if scores is not None and not scores.performances:
            print(f"moments, {label}: no performance holds some, and others to compare them with")
        elif scores is not None:
            low, high = scores.interval
            print(
                f"moments, {label}: AUC {scores.auc:.3f} ({low:.3f} to {high:.3f}) over {scores.performances} "
                f"performances, pooled {scores.pooled:.3f}"
            )
    if found.good is not None and found.good.performances and found.good.tiled:
        print("good and bad moments tile the performances: the two figures are one.")
    if found.faithfulness is not None:
        _print_faithfulness(found.faithfulness)
    if found.types is not None:
        _print_types(found.types)


_MOST_GROUPS = 12


def _print_groups(groups: Sequence[Group]) -> None:
    """A line a group, and a warning where one is judged worse than its comparisons say."""
    from itertools import groupby

    from rich.console import Console
    from rich.markup import escape
    from rich.table import Table

    for column, those in groupby(groups, lambda group: group.column):
        here = list(those)
        shown = [*here[:_MOST_GROUPS], *(group for group in here[_MOST_GROUPS:] if group.judged_worse)]
        table = Table(box=None, pad_edge=False, header_style="bold")
        table.add_column(escape(printable(f"by {column}")), overflow="fold")
        for name in ("performances", "mean score", "right", "pairs", "wins", "model gives"):
            table.add_column(name, justify="right")
        for group in shown:
            table.add_row(
                escape(printable(group.value)),
                str(group.performances),
                f"{group.mean_score:+.3f}",
                _percent(group.accuracy),
                str(group.pairs),
                _percent(group.won),
                _percent(group.given),
                style="bold red" if group.judged_worse else "",
            )
        print()
        Console().print(table)
        if len(shown) < len(here):
            print(f"and {len(here) - len(shown)} more")
        for group in here:
            if group.judged_worse and group.beyond is not None:
                less, low, high = (abs(value) for value in group.beyond)
                print(f"! {column} {printable(group.value)} is judged worse than its comparisons say:")
                print(f"  {less:.0%} fewer wins than noise explains ({high:.0%} to {low:.0%})")


def _percent(value: float | None) -> str:
    return "-" if value is None else f"{value:.0%}"


def _print_calibration(kind: str, found: Reliability) -> None:
    """The reliability diagram as bars, and three ways of being sure beside each other."""
    from rich.console import Console
    from rich.table import Table

    sides = "one performance is new" if kind == "one" else "both performances are new"
    print(f"\nchances, where {sides} ({found.pairs} pairs):")
    table = Table(box=None, pad_edge=False, header_style="bold")
    for column, side in (("said", "left"), ("came true", "right"), ("pairs", "right"), ("", "left")):
        table.add_column(column, justify=side)  # type: ignore[arg-type]
    for one in found.bins:
        if one.right is not None and one.confidence is not None:
            said = f"{one.confidence:.0%}"
            table.add_row(said, f"{one.right:.0%}", str(one.pairs), _bar(one.confidence, one.right))
    console = Console()
    console.print(table)
    table = Table(box=None, pad_edge=False, header_style="bold")
    for column in ("", "calibration error", "Brier", "log loss"):
        table.add_column(column, justify="right" if column else "left")
    rows = (("as calibrated", found.calibrated), ("not calibrated", found.uncalibrated), ("constant", found.constant))
    for name, figures in rows:
        style = "bold green" if name == "as calibrated" else ""
        table.add_row(name, f"{figures.ece:.3f}", f"{figures.brier:.3f}", f"{figures.log_loss:.3f}", style=style)
    console.print(table)


def _print_faithfulness(found: Faithfulness) -> None:
    """What the strongest fifth of the time does to the score, beside as much time at random."""
    from rich.console import Console
    from rich.table import Table

    table = Table(box=None, pad_edge=False, header_style="bold")
    for column in ("a fifth of the time", "moves it by", "random", "times", "farther by (95 %)"):
        table.add_column(column, justify="left" if column.startswith("a ") else "right")
    for what, moved in (("deleted", found.deletion), ("alone", found.insertion)):
        for sign, one in moved.items():
            beyond, low, high = one.beyond
            farther = f"{beyond:.3f} ({low:.3f} to {high:.3f})"
            table.add_row(f"{sign}, {what}", f"{one.change:+.3f}", f"{one.random:.3f}", f"{one.ratio:.1f}", farther)
    print(f"\nevidence, by what its strongest seconds do to the score ({found.performances} performances):")
    Console().print(table)


def _bar(said: float, came_true: float, width: int = 30) -> str:
    """What came true as a bar, with a mark where it should end."""
    cells = ["#" if (place + 0.5) / width <= 2 * came_true - 1 else " " for place in range(width)]
    cells[min(width - 1, max(0, round((2 * said - 1) * width) - 1))] = "|"
    return "".join(cells).rstrip()


def _print_types(types: Sequence[TypeFigures]) -> None:
    from rich.console import Console
    from rich.markup import escape
    from rich.table import Table

    if not types:
        print("segments: none lies in a performance that the pairs name")
        return
    table = Table(box=None, pad_edge=False, header_style="bold")
    for column in ("by type of segment", "attention", "95 %", "per second", "95 %"):
        table.add_column(column, justify="left" if column.startswith("by") else "right")
    last = None
    for row in types:
        if (now := (row.type, row.stream)) != last:
            table.add_row(f"{escape(printable(row.type))}, {row.stream}", style="bold")
            table.add_row(f"  {row.spans} in {row.performances} performances, {row.seconds:.0f} s", style="dim")
        last = now
        table.add_row(
            f"  {row.branch}",
            *_with_interval(row.attention, row.attention_interval, ".2f"),
            *_with_interval(row.contribution_per_s, row.contribution_interval, "+.4f"),
        )
    print()
    Console().print(table)
    print("attention: share of a branch's attention over an even share (1 is even); per second: mean contribution")


def _with_interval(value: float, interval: tuple[float, float] | None, form: str) -> tuple[str, str]:
    return format(value, form), "-" if interval is None else " to ".join(format(end, form) for end in interval)
