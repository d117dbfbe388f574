from tests.pipeline.serving.conftest import Start


def test_a(start: Start) -> None:
    c = start()
    r = c.post("/predict", json={"text": "the cat sat on the mat 3"})
    print(r.status_code, r.text)
    for p in ("/", "/docs", "/health", "/ready", "/metrics", "/openapi.json", "/nope"):
        r = c.get(p)
        print(p, r.status_code, r.text[:100])
    print(c.post("/explain", json={"text": "the cat sat on the mat 3"}).text)
    print(c.post("/reload").text)
    assert 0
