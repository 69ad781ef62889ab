"""Commands that make things: extract, train, backbones, demo."""

from __future__ import annotations

import contextlib
import math
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from toprock.cli.app import app
from toprock.cli.common import (
    AddressOption,
    CriterionOption,
    DeviceOption,
    EngineOption,
    FeaturesOption,
    JsonOption,
    ManifestOption,
    PrecisionOption,
    SeedOption,
    SkipOption,
    StartOption,
    StoreOutOption,
    bar,
    extraction_bar,
    performers_of,
    print_json,
    say,
    say_left_out,
)
from toprock.errors import ModelError, PairsError, UsageError
from toprock.files import is_part

if TYPE_CHECKING:
    from collections.abc import Mapping

    from toprock.backbones.base import Backbone
    from toprock.backbones.listing import Listed
    from toprock.ranker.saved import ModelConfig

_WIDE = 110
"""Columns of a terminal from which there is room to say what a backbone sees."""
FEW_PAIRS = 20
"""Below this, a training from scratch says that its pairs are few."""


@app.command()
def extract(
    source: Annotated[Path, typer.Argument(help="A manifest (.csv), a folder of videos, or one video.")],
    out: StoreOutOption,
    dynamic: Annotated[
        str, typer.Option(help="Backbone of the dynamic stream (toprock backbones lists them), a folder, or none.")
    ] = "flow",
    static: Annotated[str, typer.Option(help="Backbone of the static stream, a folder, or none.")] = "posture",
    crop: Annotated[
        str | None,
        typer.Option(metavar="middle|performer", help="What networks are shown of a frame.", show_default=False),
    ] = None,
    like: Annotated[
        Path | None, typer.Option("--like", help="Use the recipes of this model instead.", show_default=False)
    ] = None,
    beats: Annotated[
        str | None,
        typer.Option(
            metavar="FILE|sound",
            help="Add timing on the beat to the dynamic stream, with beats from a JSON file (see the README) or sound.",
            show_default=False,
        ),
    ] = None,
    workers: Annotated[int | None, typer.Option(min=1, help="Videos read at a time; by default one a core.")] = None,
    device: DeviceOption = "auto",
    precision: PrecisionOption = "auto",
    engine: EngineOption = "local",
    address: AddressOption = None,
) -> None:
    """Read videos once and store their features. Safe to interrupt; run it again to go on."""
    from toprock.backbones.base import Compute, HearingBackbone
    from toprock.engines import open_engine
    from toprock.features import FeatureStore
    from toprock.features import extract as run
    from toprock.performance import find_performances
    from toprock.sound import read_beats, with_beats

    compute = Compute(device=device, precision=precision)
    if beats is not None and dynamic != "none" and not dynamic.endswith("-beat"):
        dynamic += "-beat"
    if like is not None and crop is not None:
        raise UsageError("--like and --crop are two ways to choose", advice="Give one of them.")
    backbones = _like(like) if like is not None else _chosen({"dynamic": dynamic, "static": static}, crop)
    if beats is not None and not any(isinstance(b, HearingBackbone) for b in backbones):
        what = f"{like}: was trained without beats" if like else "there is no dynamic stream to add beats to"
        raise UsageError(what, advice="Leave out --beats.")
    performances = find_performances(source)
    if beats is not None and beats != "sound":
        performances = with_beats(performances, read_beats(beats))
        heard = sum(p.beats is None for p in performances)
        if heard:
            say(f"note: {beats} has no beats of {heard} performances; those are heard in the sound.")
    with contextlib.ExitStack() as stack:
        where = None
        if engine != "local" or address is not None:
            where = stack.enter_context(open_engine(engine, address=address, workers=workers, on_note=say))
        result = run(
            performances,
            FeatureStore(out, create=True),
            backbones,
            workers=workers,
            compute=compute,
            engine=where,
            on_progress=stack.enter_context(extraction_bar(len({p.video for p in performances}))),
        )
    for name, pace in result.paces.items():
        say(f"{name} ran on {pace}.")
    if not result.written and not result.failed:
        say(f"nothing to do: {out} already holds all {len(result.kept)} performances.")
    else:
        kept = f", {len(result.kept)} were there already" if result.kept else ""
        say(f"{len(result.written)} performances written to {out}{kept}, {len(result.failed)} failed.")
    if result.failed:
        raise typer.Exit(1)


@app.command()
def train(
    features: FeaturesOption,
    pairs: Annotated[Path, typer.Option(help="Pairs file: BETTER WORSE a line, or CSV.", show_default=False)],
    out: Annotated[Path, typer.Option("--out", "-o", help="Model folder.", show_default=False)],
    manifest: ManifestOption = None,
    start_from: StartOption = None,
    dynamic: Annotated[
        str | None, typer.Option(help="Which dynamic features, where there are several; or none.")
    ] = None,
    static: Annotated[str | None, typer.Option(help="Which static features, where there are several; or none.")] = None,
    criterion: CriterionOption = None,
    marks: Annotated[
        Path | None,
        typer.Option(help="Judges' marks (CSV: id, mark): scores are told on their scale too.", show_default=False),
    ] = None,
    strict: Annotated[bool, typer.Option("--strict", help="Refuse pairs that contradict each other.")] = False,
    skip_missing: SkipOption = False,
    members: Annotated[int, typer.Option(min=1, help="Rankers in the ensemble.")] = 5,
    steps: Annotated[
        int | None, typer.Option(min=1, help="Training steps; by default chosen by cross-validation.")
    ] = None,
    seed: SeedOption = 0,
    name: Annotated[str | None, typer.Option(help="Of the model, for people.", show_default=False)] = None,
    processes: Annotated[
        int | None,
        typer.Option(min=1, help="Processes of this machine that train together; torchrun too.", show_default=False),
    ] = None,
    sweep: Annotated[
        Path | None,
        typer.Option(metavar="SPACE.toml", help="Search settings on the training pairs first.", show_default=False),
    ] = None,
    trials: Annotated[
        int | None, typer.Option(min=2, help="Settings that --sweep tries; by default 20.", show_default=False)
    ] = None,
    seeds: Annotated[
        int | None, typer.Option(min=1, help="Of each trial of --sweep; by default 2.", show_default=False)
    ] = None,
    engine: EngineOption = "local",
    address: AddressOption = None,
) -> None:
    """Learn from pairs. Safe to interrupt; run it again to go on."""
    import shutil

    if dynamic == static == "none":
        raise UsageError("there is no stream to train on", advice="Leave out --dynamic none or --static none.")
    if sweep is None and (trials is not None or seeds is not None or engine != "local" or address is not None):
        raise UsageError("--trials, --seeds, --engine and --address are for a search", advice="Add --sweep SPACE.toml.")
    if sweep is not None and (start_from is not None or processes is not None):
        raise UsageError("--sweep searches from scratch, in trials side by side", advice="Leave out the other option.")
    _check_place(out)
    from toprock.comparisons import check_consistency, read_marks, read_pairs
    from toprock.features import FeatureStore
    from toprock.ranker import Plan, SavedModel, TrainingConfig, train_from_store
    from toprock.ranker.launch import assembled
    from toprock.ranker.team import by_torchrun

    if sweep is not None and by_torchrun():
        raise UsageError("--sweep is one process's work, and torchrun starts several", advice="Start it alone.")
    start = None
    if start_from is not None:
        start = SavedModel.load(start_from)
        if out.is_dir() and out.samefile(start_from):
            raise UsageError(f"{out}: is the model to start from", advice="Give another folder for the new one.")

    store = FeatureStore(features)
    recipes = store.choose(dynamic=dynamic, static=static)
    found = read_pairs(pairs, criterion=criterion)
    if all(pair.tie for pair in found):
        raise PairsError(f"{pairs}: every pair is a tie", advice="Judge a few pairs that have a winner.")
    consistency = check_consistency(found)
    if consistency.contradictions or consistency.cycles:
        if strict:
            raise PairsError(f"{pairs}: {consistency}", advice="Settle them, or train without --strict.")
        say(f"note: {consistency}")
    plan = Plan(training=TrainingConfig(seed=seed), members=members, steps=steps, learning=True)
    performers = performers_of(manifest, store)
    if sweep is not None:
        from toprock.cli.searching import searched

        plan = searched(
            plan,
            sweep,
            engine=engine,
            address=address,
            store=store,
            pairs=found,
            folder=out / "sweep",
            trials=trials or 20,
            seeds=seeds or 2,
            recipes=recipes,
            performers=performers,
            skip_missing=skip_missing,
            seed=seed,
        )
    with assembled(processes, words=sys.argv[1:]) as us, bar("Training", shown=us.first) as advance:
        model = train_from_store(
            store,
            found,
            name=name or out.resolve().name,
            recipes=recipes,
            performers=performers,
            plan=plan,
            start_from=start,
            marks=read_marks(marks, store.ids()) if marks else None,
            skip_missing=skip_missing,
            checkpoint=out / "checkpoint",
            on_advance=lambda at: advance(at.done, at.total, f"Training {at.stage}"),
            on_read=lambda done, total: advance(done, total, "Reading features"),
        )
    if not us.first:
        return
    model.save(out)
    shutil.rmtree(out / "checkpoint", ignore_errors=True)
    say_left_out(model.config.trained_on.left_out, model.config.trained_on.pairs_left_out)
    say(f"{out}: {_outcome(model.config)}")
    for line in _trust(model.config):
        say(line)
    if marks is not None and model.config.marks is None:
        why = model.config.uncalibrated or "fewer than 9 marks, or marks that do not rise with what the comparisons say"
        say(f"the marks are not used: {why}.")


def _like(folder: Path) -> list[Backbone]:
    from toprock.ranker import SavedModel

    return [recipe.build() for recipe in SavedModel.load(folder).recipes.values()]


def _chosen(names: Mapping[str, str], crop: str | None) -> list[Backbone]:
    """The backbones that were named for each stream.

    Raises:
        UsageError: one is of the other stream, none is left, or none of them crops.
    """
    from toprock.backbones import build

    found = []
    for stream, name in names.items():
        if name == "none":
            continue
        backbone = build(name)
        if crop is not None and "crop" in backbone.settings:
            backbone = build(name, crop=crop)
        if backbone.spec.stream != stream:
            image = " Or make clips of it: --dynamic temporal:image=FOLDER_OR_NAME." if stream == "dynamic" else ""
            raise UsageError(
                f"'{backbone.spec.name}' is a {backbone.spec.stream} backbone, not a {stream} one",
                advice=f"Give it with --{backbone.spec.stream}.{image}",
            )
        found.append(backbone)
    if not found:
        raise UsageError("there is nothing to extract", advice="Name a backbone for at least one stream.")
    if crop is not None and not any("crop" in backbone.settings for backbone in found):
        raise UsageError(
            f"--crop {crop} is for networks, and {' and '.join(b.spec.name for b in found)} look for the performer "
            "themselves",
            advice="Leave it out, or name a checkpoint: see toprock backbones.",
        )
    return found


@app.command()
def backbones(
    download: Annotated[
        str | None, typer.Option(metavar="NAME", help="Fetch the weights of one.", show_default=False)
    ] = None,
    json: JsonOption = False,
) -> None:
    """List the backbones: what each sees, its licence and size, and whether it is ready to be used here."""
    from toprock.backbones.listing import fetch, folders, listed

    if download is not None:
        say(f"{download}: is in {fetch(download)}.")
        return
    found = listed()
    if json:
        told = [one.to_json() | {"needs": _needs(one)} for one in found]
        print_json({"schema": 1, "backbones": told, "folders": list(map(str, folders()))})
        return
    from rich.console import Console
    from rich.table import Table

    console = Console()
    wide = console.width >= _WIDE
    for stream in ("dynamic", "static"):
        table = Table(box=None, header_style="bold", pad_edge=False, title=f"{stream} stream", title_justify="left")
        for column in ("name", *(("what it sees",) if wide else ()), "numbers", "MB", "licence", "here"):
            table.add_column(column, justify="right" if column in ("numbers", "MB") else "left")
        for one in found:
            if one.stream == stream:
                numbers = str(one.dimension) if one.dimension else ""
                size = f"{one.size_mb:.0f}" if one.size_mb else ""
                style = "" if one.state == "ready" else "dim"
                seen = (one.description,) if wide else ()
                table.add_row(one.name, *seen, numbers, size, one.licence, one.state, style=style)
        console.print(table)
        console.print()
    for state, todo in (
        ("downloadable", "downloadable: toprock backbones --download NAME"),
        ("needs an extra", "needs an extra: pip install 'toprock[pretrained]', for pose 'toprock[pose]'"),
        ("bring a folder", "bring a folder: give its path in place of a name; --json says where it is published"),
    ):
        if any(one.state == state for one in found):
            console.print(todo, style="dim", markup=False)
    for folder in folders():
        console.print(f"also here: {folder}", style="dim", markup=False)


def _needs(one: Listed) -> dict[str, Any]:
    """What a video that it looks at takes on a cluster, without and with accelerators."""
    from toprock.backbones.pretrained.catalogue import CATALOGUE
    from toprock.features.needs import needs_of_networks

    sizes_mb = [one.size_mb] if one.name in CATALOGUE or one.name == "temporal" else []
    plain, fast = (needs_of_networks(sizes_mb, accelerator=there) for there in (False, True))
    return {"cores": plain.cpus, "accelerated": {"cores": fast.cpus, "accelerators": fast.gpus} if sizes_mb else None}


@app.command()
def demo(
    out: Annotated[Path, typer.Option("--out", "-o", help="Where videos, model, results and report go.")] = Path(
        "demo"
    ),
    seed: SeedOption = 1,
    json: JsonOption = False,
) -> None:
    """Render battles with planted moments, learn from pairs, and report on one that was never seen."""
    from toprock.demo import run_demo, summary

    with bar("Rendering") as advance:
        results = run_demo(out, seed=seed, on_advance=lambda what, done, total: advance(done, total, what))
    if json:
        print_json({"schema": 1, **results})
    else:
        summary(results, out)


def _outcome(config: ModelConfig) -> str:
    """What became of a training, in a line or two."""
    data, start, curve = config.trained_on, config.started_from, dict(config.curve)
    text = f"trained on {len(data.performances)} performances and {data.pairs} pairs, {config.steps} steps"
    if config.steps in curve:
        text += f", {curve[config.steps]:.1%} of held-out pairs right when it was chosen"
    if start is not None and config.seen_by_start:
        text += f" ('{start.name}' had seen {config.seen_by_start} of them before, which flatters it)"
    if start is not None and not config.steps:
        return f"{text}. Nothing showed that training on would help: it ranks as '{start.name}' does."
    if start is not None and 0 in curve:
        text += f" ('{start.name}' as it was: {curve[0]:.1%})"
    if start is None and data.pairs < FEW_PAIRS:
        text += f". {data.pairs} pairs are few: such a figure is mostly chance, and --start-from MODEL may help"
    return f"{text}."


def _trust(config: ModelConfig) -> list[str]:
    """How far its scores and chances can be trusted, as far as performances held out tell."""
    from toprock.calibration import COIN

    lines, both, found = [], config.slopes.get("both"), config.tested
    if found is not None:
        sure = f", 95 % interval {found.interval[0]:.1%} to {found.interval[1]:.1%}" if found.interval else ""
        lines.append(f"of two new performances, {found.accuracy:.1%} in the right order ({found.pairs} pairs{sure}).")
    if both is not None and both.slope:
        apart = math.log(COIN / (1 - COIN)) / both.slope * config.spread
        lines.append(f"two new performances are too close to call where their scores differ by less than {apart:.3f}.")
    elif both is not None:
        lines.append("its scores do not tell two new performances apart: every comparison is too close to call.")
    else:
        lines.append(f"how likely a comparison of two new performances is right stays unknown: {config.uncalibrated}.")
    if config.learning is not None:
        lines.append(f"{config.learning}.")
    if config.scale is None:
        lines.append(f"its scores have no scale from 0 to 100: {config.uncalibrated}.")
    elif config.scale.parts > 1:
        lines.append(f"its comparisons fall into {config.scale.parts} parts; the scale takes them for equally good.")
    return lines


def _check_place(out: Path) -> None:
    """A model is written into a folder of its own, so that it never overwrites anything else's files."""
    if out.is_dir():
        names = {path.name for path in out.iterdir() if not is_part(path)}
        begun = out / "checkpoint"
        kept = {path.name for path in begun.iterdir() if not is_part(path)} if begun.is_dir() else {"nothing"}
        names -= {"sweep"} if (out / "sweep" / "space.toml").is_file() else set()
        ours = not kept or "inputs.json" in kept or names >= {"config.json", "model.safetensors"}
        if names and not ours:
            raise ModelError(f"{out}: is a folder with other things in it", advice="Give an empty or a new folder.")
