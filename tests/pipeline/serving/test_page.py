"""The page in a real browser: with the keyboard alone, and on a phone."""

from __future__ import annotations

import csv
import threading
from pathlib import Path

import pytest

from tests.pipeline.serving.conftest import Start
from tests.support.browsing.chromium import chromium, find_chromium

TEXT = "the cat sat <b>on</b> the mat 3"
TAB, ENTER, DOWN = 9, 13, 40


def test_a_reader_labels_a_text_and_corrects_it(start: Start, tmp_path: Path) -> None:
    binary = find_chromium()
    if binary is None:
        pytest.skip("no Chromium is installed")
    import uvicorn

    client = start()
    server = uvicorn.Server(
        uvicorn.Config(client.app, port=0, lifespan="off", log_config=None, ws="none")
    )
    thread = threading.Thread(target=server.run)
    thread.start()
    try:
        while not server.started:
            thread.join(0.02)
        port = server.servers[0].sockets[0].getsockname()[1]
        with chromium(binary, tmp_path / "profile") as page:
            page.call(
                "Emulation.setDeviceMetricsOverride",
                width=360,
                height=640,
                deviceScaleFactor=2,
                mobile=True,
            )
            page.open(f"http://127.0.0.1:{port}/")
            assert page.run("document.activeElement.id") == "text"
            page.type(TEXT)
            page.press("Tab", TAB)
            page.press("Enter", ENTER, text="\r")
            page.wait("!document.getElementById('answer').hidden")
            assert page.run("document.getElementById('label').textContent") in (
                "good",
                "bad, very",
            )
            assert page.run("document.querySelectorAll('#shares tr').length") == 2
            assert page.run("document.querySelectorAll('#near li').length") == 3
            assert page.run("document.getElementById('said').textContent") == TEXT
            marks = "[...document.querySelectorAll('#said mark')].map(m => m.textContent)"
            assert page.run(f"{marks}.join(' ')") == TEXT
            page.press("Tab", TAB)
            assert page.run("document.activeElement.id") == "wrong"
            page.press("Enter", ENTER, text="\r")
            assert page.run("document.activeElement.id") == "right"
            page.press("ArrowDown", DOWN)
            page.press("Tab", TAB)
            page.press("Enter", ENTER, text="\r")
            page.wait("document.getElementById('saved').textContent === 'Saved.'")
            wide = "document.documentElement.scrollWidth <= window.innerWidth"
            assert page.run(wide), "nothing stands outside a phone's screen"
            small = "[...document.querySelectorAll('button')].filter(b => b.offsetParent"
            assert page.run(f"{small} && b.offsetHeight < 44).length") == 0
            assert page.errors == []
    finally:
        server.should_exit = True
        thread.join(20)
    with Path("corrections.csv").open(encoding="utf-8", newline="") as file:
        (row,) = csv.DictReader(file)
    assert row["text"] == TEXT
    assert row["label"] in ("good", "bad, very")
