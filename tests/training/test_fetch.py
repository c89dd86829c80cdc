"""Downloads from a server on this machine: continued, checked, refused."""

import http.server
import threading
from collections.abc import Iterator
from dataclasses import replace
from hashlib import sha256
from pathlib import Path
from typing import ClassVar

import pytest

from device_sim.contract.errors import ContractError, DigestError, StreamError
from training.data import fetch as fetching
from training.data.fetch import fetch

FILES = {
    "RECORDS": b"100\n",
    "100.hea": b"100 2 360 3\n",
    "100.dat": bytes(range(256)) * 40,
    "100.atr": b"\0\0",
}


class Handler(http.server.BaseHTTPRequestHandler):
    """Serves FILES with ranges, and remembers what was asked for."""

    files: ClassVar[dict[str, bytes]]
    asked: ClassVar[list[tuple[str, str | None]]]

    def do_GET(self) -> None:
        name, wanted = self.path.rsplit("/", 1)[-1], self.headers["Range"]
        self.asked.append((name, wanted))
        content = self.files.get(name)
        start = int(wanted.removeprefix("bytes=").rstrip("-")) if wanted else 0
        if content is None or start >= len(content):
            self.send_error(404 if content is None else 416)
            return
        self.send_response(206 if wanted else 200)
        self.send_header("Content-Length", str(len(content) - start))
        self.end_headers()
        self.wfile.write(content[start:])

    def log_message(self, format: str, *args: object) -> None:
        """Silence: a test's stderr is for the test."""


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch) -> Iterator[tuple[str, type[Handler]]]:
    sums = "".join(f"{sha256(content).hexdigest()} {name}\n" for name, content in FILES.items())

    class Own(Handler):
        files: ClassVar = {**FILES, "SHA256SUMS.txt": sums.encode()}
        asked: ClassVar = []

    small = replace(fetching.ORIGINS["mitdb"], files=tuple(FILES))
    monkeypatch.setattr(fetching, "ORIGINS", {"mitdb": small})
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Own) as httpd:
        thread = threading.Thread(target=httpd.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        yield f"http://127.0.0.1:{httpd.server_port}/mitdb/1.0.0", Own
        httpd.shutdown()
        thread.join()


def test_a_set_arrives_whole(server: tuple[str, type[Handler]], tmp_path: Path) -> None:
    said: list[str] = []
    folder = fetch("mitdb", tmp_path, url=server[0], tell=said.append)
    assert {path.name: path.read_bytes() for path in folder.iterdir()} == FILES
    assert any("100.dat: 0.0 of 0.0 MB" in line for line in said)
    assert said[-1] == "mitdb: whole, ODC-BY 1.0"


def test_what_is_there_is_not_downloaded_again(server: tuple[str, type[Handler]], tmp_path: Path) -> None:
    fetch("mitdb", tmp_path, url=server[0])
    server[1].asked.clear()
    fetch("mitdb", tmp_path, url=server[0])
    assert server[1].asked == [("SHA256SUMS.txt", None)]


def test_a_stopped_download_continues(server: tuple[str, type[Handler]], tmp_path: Path) -> None:
    (tmp_path / "mitdb").mkdir()
    (tmp_path / "mitdb" / "100.dat.part").write_bytes(FILES["100.dat"][:1000])
    fetch("mitdb", tmp_path, url=server[0])
    assert ("100.dat", "bytes=1000-") in server[1].asked
    assert (tmp_path / "mitdb" / "100.dat").read_bytes() == FILES["100.dat"]


def test_a_download_that_stopped_after_its_last_byte_is_finished(
    server: tuple[str, type[Handler]], tmp_path: Path
) -> None:
    (tmp_path / "mitdb").mkdir()
    (tmp_path / "mitdb" / "100.dat.part").write_bytes(FILES["100.dat"])
    fetch("mitdb", tmp_path, url=server[0])
    assert (tmp_path / "mitdb" / "100.dat").read_bytes() == FILES["100.dat"]


def test_a_file_with_another_sum_is_not_kept(server: tuple[str, type[Handler]], tmp_path: Path) -> None:
    server[1].files = {**server[1].files, "100.dat": b"something else"}
    with pytest.raises(DigestError, match=r"100\.dat: expected sha256 .* nothing was kept"):
        fetch("mitdb", tmp_path, url=server[0])
    assert not (tmp_path / "mitdb" / "100.dat").exists()


def test_a_changed_file_is_not_overwritten(server: tuple[str, type[Handler]], tmp_path: Path) -> None:
    (tmp_path / "mitdb").mkdir()
    (tmp_path / "mitdb" / "RECORDS").write_bytes(b"mine")
    with pytest.raises(DigestError, match="move it away"):
        fetch("mitdb", tmp_path, url=server[0])
    assert (tmp_path / "mitdb" / "RECORDS").read_bytes() == b"mine"


def test_no_network_is_one_line(tmp_path: Path, server: tuple[str, type[Handler]]) -> None:
    with pytest.raises(StreamError, match=r"is there a network\?"):
        fetch("mitdb", tmp_path, url="http://127.0.0.1:1/nothing")


@pytest.mark.parametrize("url", ["bogus", "ftp://127.0.0.1/", "127.0.0.1:8000"])
def test_an_address_that_is_none_is_one_line(tmp_path: Path, url: str) -> None:
    with pytest.raises(ContractError, match=r"--url: expected https://, http://, file://, got"):
        fetch("mitdb", tmp_path, url=url)
    with pytest.raises(StreamError, match="URL can't contain control characters"):
        fetch("mitdb", tmp_path, url="http://127.0.0.1:1/a b")


def test_an_unknown_set_is_named(tmp_path: Path) -> None:
    with pytest.raises(ContractError, match="expected one of mitdb, nstdb, cinc2017, got ptbxl"):
        fetch("ptbxl", tmp_path)
