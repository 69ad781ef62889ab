"""Commands that prepare published datasets: dataset brace."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from toprock.cli.app import app
from toprock.cli.common import bar, say

if TYPE_CHECKING:
    from toprock.datasets.battles import Battle

LONGER_S = 1.0

dataset = typer.Typer(help="Prepare a published dataset for your own videos.", no_args_is_help=True)
app.add_typer(dataset, name="dataset")


@dataset.command()
def brace(
    data: Annotated[Path, typer.Option(help="BRACE's annotations: a copy of its repository.", show_default=False)],
    videos: Annotated[Path, typer.Option(help="Folder of videos named VIDEO_ID.mp4.", show_default=False)],
    out: Annotated[Path, typer.Option("--out", "-o", help="Where manifest, pairs and others go.", show_default=False)],
    single_turns: Annotated[
        bool, typer.Option("--single-turns", help="A performance is one turn, not all of a dancer's; without pairs.")
    ] = False,
    uncertain: Annotated[bool, typer.Option("--uncertain", help="Take winners too that are only likely.")] = False,
) -> None:
    """Write manifest.csv, pairs.csv, segments.csv, beats.json and cuts.json of battles whose videos you have."""
    from toprock.comparisons import write_pairs
    from toprock.datasets.battles import parts, read_battles
    from toprock.datasets.brace import battle_pairs, find_videos, write_files

    battles = read_battles(data)
    found, missing = find_videos(videos, battles)
    if missing:
        say(f"{len(missing)} of {len(battles)} videos are not below {videos}: {', '.join(missing)}")
    here = [battle for battle in battles if battle.video_id in found]
    _say_other_lengths(here, found)
    performances = parts(here, single_turns=single_turns)
    write_files(out, performances, found)
    say(f"{out}: {len(performances)} performances in {len(here)} battles.")
    if not single_turns:
        pairs = [pair for pair in battle_pairs(data, battles, uncertain=uncertain) if pair.better in performances]
        write_pairs(pairs, out / "pairs.csv")
        left = len(here) - len(pairs)
        why = f"; who won the other {left} is not known for certain" if left else ""
        say(f"{out / 'pairs.csv'}: {len(pairs)} pairs{why}.")
    say(f"go on with: toprock extract {out / 'manifest.csv'} --out {data / 'features'}")


def _say_other_lengths(battles: Iterable[Battle], videos: Mapping[str, Path]) -> None:
    """Name videos that are not as long as the annotated ones: their turns may lie elsewhere."""
    from toprock.errors import VideoError
    from toprock.video import probe

    with bar("Looking at videos", len(videos)) as advance:
        for number, battle in enumerate(battles):
            advance(number)
            video = videos[battle.video_id]
            try:
                length_s = probe(video).duration_s
            except VideoError as problem:
                say(f"note: {problem}")
                continue
            if length_s is not None and abs(length_s - battle.duration_s) > LONGER_S:
                say(
                    f"note: {video} is {length_s:.1f} s long, the annotated video {battle.duration_s:.1f} s; "
                    "if it begins elsewhere, the turns are wrong."
                )
