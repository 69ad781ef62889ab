"""A store at an address: an S3-compatible server that really answers over HTTP."""

import json
import os
import socket
import subprocess
import sys
import threading
import time
from concurrent.futures import ThreadPoolExecutor

import boto3
import numpy as np
import pytest

from toprock.backbones import build
from toprock.errors import FeaturesError, StorageError, UsageError
from toprock.features import FeatureStore, extract
from toprock.features.importing import import_features
from toprock.performance import Performance
from toprock.places import lease, place

BACKBONES = [build("posture")]


@pytest.fixture(scope="module")
def s3(tmp_path_factory):
    """A client of a server that holds one bucket, `store`; commands and libraries find it by the environment."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    server = subprocess.Popen(
        [sys.executable, "-c", "from moto.server import main; main()", "-p", str(port)],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    told = {
        "AWS_ENDPOINT_URL": f"http://127.0.0.1:{port}",
        "AWS_ACCESS_KEY_ID": "test",
        "AWS_SECRET_ACCESS_KEY": "test",
        "AWS_DEFAULT_REGION": "eu-west-1",
    }
    before = dict(os.environ)
    os.environ.update(told)
    try:
        until = time.monotonic() + 60
        while True:
            with socket.socket() as knock:
                if knock.connect_ex(("127.0.0.1", port)) == 0:
                    break
            assert time.monotonic() < until and server.poll() is None, "the server does not answer"
            time.sleep(0.1)
        client = boto3.client("s3")
        client.create_bucket(Bucket="store", CreateBucketConfiguration={"LocationConstraint": "eu-west-1"})
        yield client
        client.close()
    finally:
        server.kill()
        server.wait()
        os.environ.clear()
        os.environ.update(before)


@pytest.fixture(scope="module")
def performances(make_video, tmp_path_factory):
    folder = tmp_path_factory.mktemp("videos")
    paths = [make_video(folder / f"v{n}.mp4", frames=45, rate_hz=15) for n in range(3)]
    bad = folder / "bad.mp4"
    bad.write_bytes(b"no video" * 100)
    return [Performance(path.stem, path) for path in [*paths, bad]]


@pytest.fixture
def address(s3, request):
    return f"s3://store/{request.node.name}/features"


def keys(s3, address):
    prefix = address.removeprefix("s3://store/")
    found = s3.list_objects_v2(Bucket="store", Prefix=prefix).get("Contents", [])
    return sorted(entry["Key"].removeprefix(prefix + "/") for entry in found)


def body(s3, address, key):
    return s3.get_object(Bucket="store", Key=f"{address.removeprefix('s3://store/')}/{key}")["Body"].read()


def test_it_holds_what_a_store_on_disk_holds_byte_for_byte(s3, address, performances, tmp_path):
    here, there = FeatureStore(tmp_path / "features", create=True), FeatureStore(address, create=True)
    extract(performances, here, BACKBONES)
    result = extract(performances, there, BACKBONES, workers=2)
    assert result.written == ["v0", "v1", "v2"] and list(result.failed) == ["bad"]
    assert there.ids() == here.ids() and there.failures().keys() == here.failures().keys()
    on_disk = sorted(p.relative_to(here.folder).as_posix() for p in here.folder.rglob("*") if p.is_file())
    assert keys(s3, address) == on_disk
    for name in on_disk:
        if name != "store.json":
            assert body(s3, address, name) == (here.folder / name).read_bytes()
    again = extract(performances[:3], FeatureStore(address), BACKBONES)
    assert again.kept == ["v0", "v1", "v2"] and not again.written


def test_a_file_that_was_cut_off_is_damaged_to_a_reader_and_made_again(s3, address, performances):
    store = FeatureStore(address, create=True)
    extract(performances[:1], store, BACKBONES)
    key = f"{address.removeprefix('s3://store/')}/{keys(s3, address)[0]}"
    whole = s3.get_object(Bucket="store", Key=key)["Body"].read()
    for length in (0, 5, 8, 100, len(whole) - 1):
        s3.put_object(Bucket="store", Key=key, Body=whole[:length])
        with pytest.raises(FeaturesError, match="damaged"):
            store.read("v0")
        assert extract(performances[:1], store, BACKBONES).written == ["v0"]
        assert s3.get_object(Bucket="store", Key=key)["Body"].read() == whole


@pytest.mark.parametrize(
    "head",
    [b"[" * 50_000, b'{"a":{"data_offsets":[]}}', b'{"__metadata__":7}', b"[]", b'{"a":{"data_offsets":[0,1e999]}}'],
)
def test_heads_that_are_nonsense_are_damage(head):
    store = FeatureStore("memory://nonsense/features", create=True)
    store.path("a").write_bytes(len(head).to_bytes(8, "little") + head)
    assert not store.has("a", [], {})
    with pytest.raises(FeaturesError, match="is damaged"):
        store.read("a")


def test_one_run_at_a_time_fills_it(s3, address, performances):
    store = FeatureStore(address, create=True)
    with store.filling():
        holder = json.loads(body(s3, address, "run.json"))
        with pytest.raises(StorageError, match=rf"another run holds this store \(process {os.getpid()} on .*, since"):
            extract(performances[:1], FeatureStore(address), BACKBONES)
        assert json.loads(body(s3, address, "run.json")) == holder
    assert "run.json" not in keys(s3, address) and not store.ids()
    assert extract(performances[:1], store, BACKBONES).written == ["v0"]


def test_a_run_that_was_killed_is_forgotten_after_a_while(s3, address, monkeypatch):
    store = FeatureStore(address, create=True)
    (store.folder / "run.json").write_bytes(b'{"process": 7, "machine": "elsewhere", "since": "then"}')
    path = place(address) / "run.json"
    with pytest.raises(StorageError, match="process 7 on elsewhere, since then"), lease(path, "it"):
        pass
    monkeypatch.setattr("toprock.places._ABANDONED_S", -1.0)
    with lease(path, "it"):
        assert b"elsewhere" not in body(s3, address, "run.json")


def test_of_two_that_take_over_at_once_one_has_it(s3, address, monkeypatch):
    path = place(address) / "run.json"
    path.write_bytes(b"{}")
    monkeypatch.setattr("toprock.places._ABANDONED_S", -1.0)
    looked, held, refused = threading.Barrier(2), [], []
    monkeypatch.setattr("toprock.places._holder", lambda *_: looked.wait() and None)

    def take(name):
        try:
            with lease(path, "it"):
                held.append(name)
                time.sleep(2.0)
        except StorageError as problem:
            refused.append(str(problem))

    with ThreadPoolExecutor(2) as pool:
        list(pool.map(take, "ab"))
    assert len(held) == 1 and len(refused) == 1 and "another run holds it" in refused[0]


def test_one_that_was_taken_over_says_so_and_leaves_the_other_its_lease(s3, address, monkeypatch):
    path = place(address) / "run.json"
    monkeypatch.setattr("toprock.places._BEAT_S", 0.05)
    with pytest.raises(StorageError, match="another run has taken over it"), lease(path, "it"):
        path.write_bytes(b'{"process": 7}')
        time.sleep(0.5)
    assert body(s3, address, "run.json") == b'{"process": 7}'


def test_an_import_waits_for_no_other_run_either(s3, address, tmp_path):
    np.save(tmp_path / "a.npy", np.ones((3, 2)))
    store = FeatureStore(address, create=True)
    with store.filling(), pytest.raises(StorageError, match="another run holds this store"):
        import_features(tmp_path, FeatureStore(address), stream="static", name="made", rate_hz=1.0)
    assert import_features(tmp_path, store, stream="static", name="made", rate_hz=1.0).written == ["a"]


def test_the_command_says_what_is_wrong_with_an_address(s3, toprock, performances, monkeypatch):
    video = performances[0].video

    def told(address, status=1):
        return toprock("extract", video, "--out", address, "--dynamic", "none", status=status)[1]

    assert "store.json: cannot be written (The specified bucket does not exist)" in told("s3://no-such-bucket/features")
    assert "nothing://store/features: is no address that can be used" in told("nothing://store/features", status=2)
    monkeypatch.setenv("AWS_ENDPOINT_URL", "http://127.0.0.1:9")
    monkeypatch.setenv("AWS_MAX_ATTEMPTS", "1")
    assert "s3://store/features: cannot be reached (Could not connect" in told("s3://store/features")


def test_commands_fill_read_and_learn_from_it(s3, address, toprock, performances, tmp_path):
    _, told = toprock("extract", performances[0].video.parent, "--out", address, "--dynamic", "none", status=1)
    assert f"3 performances written to {address}, 1 failed." in told
    found = json.loads(toprock("features", "verify", address, "--json")[0])
    assert found["sound"] == 3 and not found["damaged"]
    listed = json.loads(toprock("features", "list", address, "--json")[0])
    assert [p["id"] for p in listed["performances"]] == ["v0", "v1", "v2"]
    (tmp_path / "pairs.txt").write_text("v0 v1\nv1 v2\nv0 v2\n")
    toprock("train", "--features", address, "--pairs", tmp_path / "pairs.txt", "--out", tmp_path / "m", "--steps", "2")
    scores = json.loads(toprock("score", "--features", address, "--model", tmp_path / "m", "--json")[0])
    assert [score["id"] for score in scores] == ["v0", "v1", "v2"]


def test_a_kind_of_address_that_is_not_known_is_a_wrong_use():
    with pytest.raises(UsageError, match="nothing://a/b"):
        place("nothing://a/b")
