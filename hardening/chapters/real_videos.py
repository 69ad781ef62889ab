"""Videos of every kind that `cameras` makes, read by Toprock and by the ffmpeg command, which stands for a player."""

from __future__ import annotations

import json
import math
import subprocess
from dataclasses import dataclass, field
from fractions import Fraction
from pathlib import Path

import numpy as np

from hardening.cameras import KINDS, Kind, ffmpeg
from hardening.chapter import Chapter, Scale, Table
from toprock.errors import ToprockError
from toprock.video import Look, VideoInfo, grab_pictures, probe, read_frames, read_pictures, read_sound

MOST_MS = 1.0
"""A frame may be shown so much earlier or later than a player shows it."""
MOST_PIXELS = 3.0
"""Mean difference of a picture from ffmpeg's, of 255."""
MOST_SOUND_MS = 5.0
SOUND_HZ = 16_000
SMALL = 32


@dataclass(frozen=True)
class Truth:
    """What a player shows of a video.

    Attributes:
        codec, form: of the pictures; of the file.
        times_s: of all frames since the file's zero; NaN where the file has none.
        end_s: when the last one ends, or NaN.
        size: width and height, upright, pixels square.
    """

    codec: str
    form: str
    times_s: np.ndarray
    end_s: float
    size: tuple[float, float]

    @staticmethod
    def of(path: Path, stream: int) -> Truth:
        """As ffprobe tells it."""
        shown = ("-show_format", "-show_streams", "-show_frames", "-select_streams", f"v:{stream}")
        told = json.loads(
            subprocess.run(
                ["ffprobe", "-v", "error", "-of", "json", *shown, path], check=True, capture_output=True
            ).stdout
        )
        frames, video = told["frames"], told["streams"][0]
        times_s = np.array([float(frame.get("best_effort_timestamp_time", "nan")) for frame in frames])
        times_s -= min(float(told["format"].get("start_time", 0)), float(np.nanmin(times_s)))
        lasts = float(frames[-1].get("pkt_duration_time", frames[-1].get("duration_time", "nan")))
        aspect = Fraction(video.get("sample_aspect_ratio", "1:1").replace(":", "/"))
        size = video["width"] * (float(aspect) or 1.0), float(video["height"])
        sides = [*video.get("side_data_list", ()), *frames[0].get("side_data_list", ())]
        turned = [int(side["rotation"]) for side in sides if "rotation" in side]
        if turned and turned[0] % 180:
            size = size[::-1]
        name = told["format"]["format_name"].split(",")[0]
        return Truth(video["codec_name"], name, times_s, times_s[-1] + lasts, size)


@dataclass
class Compared:
    """A video as the product reads it, beside the truth.

    Attributes:
        name: of the kind.
        form: container and codec.
        frames: how many there are.
        time_ms: greatest difference of a frame's time.
        pixels: greatest mean difference of a picture.
        sound_ms: by how much the sound is off; None where there is none.
        lost: what is wrong, a line each.
    """

    name: str
    form: str = ""
    frames: int = 0
    time_ms: float = math.nan
    pixels: float = math.nan
    sound_ms: float | None = None
    lost: list[str] = field(default_factory=list)

    def demand(self, right: bool, wrong: str) -> None:
        """Keep what is wrong."""
        if not right:
            self.lost.append(f"{self.name}: {wrong}")

    def row(self) -> list[object]:
        """In the table."""
        sound = "" if self.sound_ms is None else f"{self.sound_ms:.2f}"
        return [self.name, self.form, self.frames, f"{self.time_ms:.2f}", f"{self.pixels:.2f}", sound]


def compare(kind: Kind, folder: Path) -> Compared:
    """Make a video and read it in every way."""
    folder.mkdir(parents=True)
    found = Compared(kind.name)
    path = kind.make(folder)
    truth = Truth.of(path, kind.stream)
    found.form, found.frames = f"{truth.form}, {truth.codec}", len(truth.times_s)
    try:
        _pictures(found, path, truth, kind.stream)
        _sound(found, path)
    except ToprockError as problem:
        found.lost.append(f"{kind.name}: {problem}")
    return found


def _pictures(found: Compared, path: Path, truth: Truth, stream: int) -> None:
    info = probe(path)
    side = round(min(truth.size))
    with read_frames(path, rate_hz=1000, short_side=side) as reader:
        frames = list(reader)
    found.demand(info == reader.info, f"probe and reading differ: {info}, {reader.info}")
    _facts(found, info, truth)
    if len(frames) != len(truth.times_s):
        found.lost.append(f"{found.name}: {len(frames)} frames, a player shows {len(truth.times_s)}")
        return
    times_s = np.array([frame.time_s for frame in frames])
    found.time_ms = 1000 * float(np.nanmax(np.abs(times_s - truth.times_s)))
    found.demand(found.time_ms <= MOST_MS, f"a frame is {found.time_ms:.1f} ms off")
    off_s = abs(reader.end_s - truth.end_s) if math.isfinite(truth.end_s) else 0.0
    found.demand(off_s <= 0.5 / info.rate_hz, f"it ends at {reader.end_s:.3f} s, a player's at {truth.end_s:.3f} s")
    found.demand(reader.damaged == 0, f"{reader.damaged} pieces count as damaged")
    images = np.stack([frame.image for frame in frames])
    alike(found, images, shown(path, stream, images))
    _sought(found, path, times_s, images, side)


def _facts(found: Compared, info: VideoInfo, truth: Truth) -> None:
    shape, wanted = (info.width, info.height), truth.size
    near = all(abs(one - other) < 1 for one, other in zip(shape, wanted, strict=True))
    found.demand(near, f"it is told to be {shape[0]} x {shape[1]}, a player shows {wanted[0]:.1f} x {wanted[1]:.1f}")
    if info.duration_s is not None:
        off_s = info.duration_s - truth.end_s
        found.demand(
            not abs(off_s) > 0.1, f"its length is told to be {info.duration_s:.2f} s, it ends at {truth.end_s:.2f} s"
        )


def shown(path: Path, stream: int, images: np.ndarray) -> np.ndarray:
    """All pictures as ffmpeg shows them, in the size of `images`."""
    count, height, width, _ = images.shape
    plain = ("-vsync", "passthrough", "-f", "rawvideo", "-pix_fmt", "rgb24", "-")
    data = ffmpeg("-i", path, "-map", f"0:v:{stream}", "-vf", f"scale={width}:{height}:flags=area", *plain)
    shown = np.frombuffer(data, np.uint8)
    size = height * width * 3
    if len(shown) != count * size:
        raise AssertionError(f"{path}: ffmpeg shows {len(shown) / size:g} pictures of {width} x {height}, not {count}")
    return shown.reshape(images.shape)


def alike(found: Compared, images: np.ndarray, shown: np.ndarray) -> None:
    """Whether pictures are those that are shown: the same ones, the same way up, in the same colours."""
    off = np.array([_apart(one, other) for one, other in zip(images, shown, strict=True)])
    found.pixels = float(off.max())
    found.demand(found.pixels <= MOST_PIXELS, f"picture {off.argmax()} differs by {found.pixels:.1f} of 255")
    middle = len(images) // 2
    image = images[middle]
    ways = [turned[:, ::mirror] for turned in (image, image[::-1]) for mirror in (1, -1)][1:]
    least = min(_apart(way, shown[middle]) for way in ways)
    found.demand(least > 4 * off[middle] + 5, f"it may be upside down or mirrored: that differs by {least:.1f}")
    for one in range(1, len(images)):
        if _apart(shown[one], shown[one - 1]) > 0.5:
            right = off[one] < _apart(images[one], shown[one - 1])
            found.demand(right, f"picture {one} is the one in front of it")


def _sought(found: Compared, path: Path, times_s: np.ndarray, images: np.ndarray, side: int) -> None:
    """What is found by seeking, against what was read from end to end."""
    last = len(times_s) - 1
    chosen = [last, *(round(share * last) for share in (0.7, 0, 0.31, 0.93))]
    between = [float(times_s[i] + 0.4 * (times_s[min(i + 1, last)] - times_s[i])) for i in chosen]
    for i, image in zip(chosen, grab_pictures(path, between, short_side=side), strict=True):
        found.demand(np.array_equal(image, images[i]), f"the picture grabbed for {times_s[i]:.3f} s is another one")
    span = (float(times_s[round(0.8 * last)]), float(times_s[last]))
    with read_pictures(path, looks=[Look(side, 1000), Look(SMALL, 10)], intervals=[span]) as reader:
        part = [(one.time_s, one.images[side]) for one in reader]
    wanted = [i for i, time_s in enumerate(times_s) if span[0] - 1e-4 <= time_s < span[1] - 1e-4]
    same = [time_s for time_s, _ in part] == [float(times_s[i]) for i in wanted]
    found.demand(same, f"the interval {span[0]:.3f}-{span[1]:.3f} s holds other frames when sought")
    if same:
        alike = all(np.array_equal(image, images[i]) for i, (_, image) in zip(wanted, part, strict=True))
        found.demand(alike, f"the interval {span[0]:.3f}-{span[1]:.3f} s holds other pictures when sought")


def _sound(found: Compared, path: Path) -> None:
    """How far the sound is from where ffmpeg puts it on the time of the pictures."""
    heard = list(read_sound(path, rate_hz=SOUND_HZ))
    streams = (
        "ffprobe",
        "-v",
        "error",
        "-select_streams",
        "a",
        "-show_entries",
        "stream=index",
        "-of",
        "csv=p=0",
        path,
    )
    if not subprocess.run(streams, check=True, capture_output=True).stdout.strip():
        found.demand(not heard, "it has no sound, and sound was read")
        return
    found.demand(bool(heard), "its sound was not read")
    resampled = (
        "-map",
        "0:a:0",
        "-af",
        "aresample=async=1:min_hard_comp=0.001:first_pts=0",
        "-ac",
        1,
        "-ar",
        SOUND_HZ,
        "-f",
        "f32le",
        "-",
    )
    wanted = np.frombuffer(ffmpeg("-i", path, *resampled), np.float32)
    ours = np.zeros(len(wanted) + SOUND_HZ, np.float32)
    for piece in heard:
        at = round(piece.time_s * SOUND_HZ)
        samples = piece.samples[max(0, -at) :]
        room = ours[max(0, at) : max(0, at) + len(samples)]
        room += samples[: len(room)]
    length = 2 ** math.ceil(math.log2(2 * len(ours)))
    spectra = [np.fft.rfft(one, length) for one in (ours, wanted)]
    match = np.fft.irfft(spectra[0] * spectra[1].conj())
    lag = int(match.argmax())
    lag -= length if lag > length // 2 else 0
    likeness = float(match.max() / (np.linalg.norm(ours) * np.linalg.norm(wanted)))
    found.sound_ms = abs(1000 * lag / SOUND_HZ)
    found.demand(found.sound_ms <= MOST_SOUND_MS, f"the sound is {1000 * lag / SOUND_HZ:+.1f} ms late")
    found.demand(likeness > 0.95, f"the sound is another: likeness {likeness:.2f}")


def _apart(one: np.ndarray, other: np.ndarray) -> float:
    return float(np.abs(one.astype(np.int16) - other).mean())


LEAD = f"""Videos were made by the ffmpeg command in the ways in which cameras, phones, editors and live encoders make
them. Each was read in every way in which Toprock reads: header, all pictures, an interval, single pictures found by
seeking, sound. The ffmpeg and ffprobe commands stand for a player: they tell the time of every frame since the file's
zero, how the picture is turned, what it looks like, and where the sound lies on that time. Demanded was: the same
number of frames, times within {MOST_MS:g} ms, pictures the same way up and within {MOST_PIXELS:g} of 255 on average, an
interval and single pictures equal to those read from end to end, sound within {MOST_SOUND_MS:g} ms, nothing that counts
as damaged. The table has the greatest of each."""
NOTES = (
    "Pictures that differ at all differ at the edges of colours: versions of FFmpeg spread coarse chroma differently "
    "where pixels are not square or have ten bits. A wrong matrix, range or turn is off by 6 and more.",
    "High dynamic range is shown as ffmpeg shows it, without tone mapping. Interlaced frames blend both fields.",
)


def run(scale: Scale) -> Chapter:
    """Make and compare all kinds, or some in the short run."""
    chosen = [kind for kind in KINDS if scale.full or kind.short]
    found = [compare(kind, scale.folder / kind.make.__name__) for kind in chosen]
    head = ["kind", "container, codec", "frames", "time off, ms", "pixels off, of 255", "sound off, ms"]
    return Chapter(LEAD, [Table(head, [one.row() for one in found])], [x for one in found for x in one.lost], NOTES)
