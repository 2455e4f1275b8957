"""Fetching weights: resumed, checked, and one clear sentence when a server is down or gives something else."""

from __future__ import annotations

import hashlib
import socket
import threading
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
from filelock import FileLock
from posepipe.pipeline.cli import app
from posepipe.pipeline.detectors import ready_models
from posepipe.pipeline.detectors.download import download
from posepipe.pipeline.detectors.ready_models import NAMES, path_of, pull, ready_model
from posepipe.pipeline.errors import PosepipeError
from typer.testing import CliRunner

CONTENT = bytes(range(256)) * 4096
DIGEST = hashlib.sha256(CONTENT).hexdigest()


class Server:
    """A server of weights on this machine; what it does wrong can be set."""

    def __init__(self) -> None:
        self.content = CONTENT
        self.knows_ranges = True
        self.breaks_off_after: int | None = None
        self.asked: list[str | None] = []  # the Range of each request
        server = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                server.answer(self)

            def log_message(self, *_: object) -> None:
                pass

        self._http = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        threading.Thread(target=self._http.serve_forever, args=(0.01,), daemon=True).start()

    def answer(self, request: BaseHTTPRequestHandler) -> None:
        asked = request.headers.get("Range")
        self.asked.append(asked)
        if request.path != "/weights.pth":
            request.send_error(404)
            return
        start = int(asked.removeprefix("bytes=").removesuffix("-")) if asked and self.knows_ranges else 0
        if start >= len(self.content):
            request.send_error(416)
            return
        body = self.content[start:]
        request.send_response(206 if start else 200)
        request.send_header("Content-Length", str(len(body)))
        request.end_headers()
        request.wfile.write(body[: self.breaks_off_after])

    def url(self, path: str = "weights.pth") -> str:
        return f"http://127.0.0.1:{self._http.server_port}/{path}"

    def close(self) -> None:
        self._http.shutdown()
        self._http.server_close()


@pytest.fixture
def server() -> Iterator[Server]:
    made = Server()
    yield made
    made.close()


@pytest.fixture
def target(tmp_path: Path) -> Path:
    return tmp_path / "models" / "weights.pth"


def part(target: Path) -> Path:
    return target.with_name("weights.pth.part")


def test_fetches_what_the_server_has(server: Server, target: Path) -> None:
    download([server.url()], target, DIGEST[:8])
    assert target.read_bytes() == CONTENT
    assert not part(target).exists()
    assert server.asked == [None]


@pytest.mark.parametrize("knows_ranges", [True, False])
def test_goes_on_where_it_broke_off(server: Server, target: Path, knows_ranges: bool) -> None:
    server.breaks_off_after, server.knows_ranges = 300_000, knows_ranges
    with pytest.raises(PosepipeError, match=r"broke off after 300000 of 1048576 bytes\); the 0\.3 MB .* are kept"):
        download([server.url()], target, DIGEST)
    assert not target.exists()
    assert part(target).read_bytes() == CONTENT[:300_000]
    server.breaks_off_after = None
    download([server.url()], target, DIGEST)
    assert target.read_bytes() == CONTENT
    assert server.asked == [None, "bytes=300000-"]


def test_takes_a_part_that_is_already_whole(server: Server, target: Path) -> None:
    target.parent.mkdir()
    part(target).write_bytes(CONTENT)
    download([server.url()], target, DIGEST)
    assert target.read_bytes() == CONTENT


def test_another_content_is_thrown_away(server: Server, target: Path) -> None:
    server.content = CONTENT[:-1] + b"!"
    with pytest.raises(PosepipeError, match=rf"its SHA-256 begins with [0-9a-f]{{8}}, not {DIGEST[:8]}"):
        download([server.url()], target, DIGEST[:8])
    assert not target.exists()
    assert not part(target).exists()


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


@pytest.mark.parametrize(
    ("url", "why"),
    [
        (lambda server: server.url("other.pth"), r"127\.0\.0\.1 \(404 Not Found\)"),
        (lambda server: f"http://127.0.0.1:{free_port()}/weights.pth", r"Connection refused"),
        (lambda server: "http://no-such-host.invalid/weights.pth", r"no-such-host\.invalid \("),
    ],
)
def test_a_server_that_is_down_is_one_sentence_and_the_next_is_asked(
    server: Server, target: Path, url: Callable[[Server], str], why: str
) -> None:
    with pytest.raises(PosepipeError, match=rf"no server gives weights\.pth: .*{why}.*try again later"):
        download([url(server)], target, DIGEST)
    assert not target.exists()
    download([url(server), server.url()], target, DIGEST)
    assert target.read_bytes() == CONTENT


def test_two_do_not_fetch_the_same_file(server: Server, target: Path) -> None:
    target.parent.mkdir()
    with (
        FileLock(f"{part(target)}.lock"),
        pytest.raises(PosepipeError, match=r"another process is fetching weights\.pth"),
    ):
        download([server.url()], target, DIGEST)


def test_every_name_has_its_config_and_weights() -> None:
    for name in NAMES:
        model = ready_model(name)
        assert model.config.is_file()
        assert len(model.urls) == 2
        assert all(url.startswith("https://") and url.endswith(model.file_name) for url in model.urls)
        assert len(model.sha256) == 8
        assert model.sha256 in model.file_name
    assert ready_model("hrnet-w48").file_name == "td-hm_hrnet-w48_8xb32-210e_coco-256x192-0e67c616_20220913.pth"


@pytest.fixture
def published(server: Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> ready_models.ReadyModel:
    """rtmpose-t as if our server published it."""
    monkeypatch.setenv("POSEPIPE_MODELS", str(tmp_path / "here"))
    real = ready_model("rtmpose-t")
    model = ready_models.ReadyModel(real.name, real.config, real.file_name, (server.url(),), DIGEST[:8])
    monkeypatch.setattr(ready_models, "ready_model", lambda name: model)
    return model


def test_the_command_fetches_once_and_says_where(published: ready_models.ReadyModel, server: Server) -> None:
    def call(*words: str) -> tuple[int, str]:
        done = CliRunner().invoke(app, ["models", *words])
        return done.exit_code, done.output.strip()

    code, told = call("path", "rtmpose-t")
    assert code == 2
    assert "posepipe models pull rtmpose-t" in told
    for _ in range(2):
        assert call("pull", "rtmpose-t") == (0, str(published.path))
    assert len(server.asked) == 1
    assert call("path", "rtmpose-t") == (0, str(published.path))
    assert path_of("rtmpose-t").read_bytes() == CONTENT


def test_a_copy_is_taken_if_it_is_the_right_file(published: ready_models.ReadyModel, tmp_path: Path) -> None:
    copy = tmp_path / "stick.pth"
    with pytest.raises(PosepipeError, match="there is no file"):
        pull("rtmpose-t", str(copy))
    copy.write_bytes(b"another model")
    with pytest.raises(PosepipeError, match=rf"is not {published.file_name}: its SHA-256 begins with"):
        pull("rtmpose-t", str(copy))
    assert not published.path.exists()
    copy.write_bytes(CONTENT)
    assert pull("rtmpose-t", str(copy)).read_bytes() == CONTENT


def test_a_copy_elsewhere_is_named_in_the_sentence(published: ready_models.ReadyModel, server: Server) -> None:
    server.content = b""
    with pytest.raises(PosepipeError, match=r"--from FILE or --from URL"):
        pull("rtmpose-t", server.url("nothing"))


def test_unknown_names_are_answered_with_the_known() -> None:
    done = CliRunner().invoke(app, ["models", "path", "rtmpose-xxl"])
    assert done.exit_code == 2
    assert "unknown model 'rtmpose-xxl'; known: rtmpose-t, " in done.output


def test_the_list_shows_all() -> None:
    told = CliRunner().invoke(app, ["models", "list"]).stdout
    assert all(name in told for name in NAMES)
    assert "Apache-2.0" in told
