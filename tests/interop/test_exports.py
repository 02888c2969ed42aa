"""`export otel` and `export har`: valid by OpenTelemetry's own proto and by HAR's rules, and nothing made up."""

# pyright: reportUnknownVariableType=false, reportUnknownMemberType=false, reportUnknownArgumentType=false

from __future__ import annotations

import base64
import gzip
import json
import re
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from typing import Any

import haralyzer  # type: ignore[import-untyped]
import pytest
from google.protobuf import json_format  # type: ignore[import-untyped]
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.semconv._incubating.attributes import gen_ai_attributes
from opentelemetry.semconv.schemas import Schemas

from replay.cassette.cassette import load
from replay.cassette.writer import Writer
from replay.interop.otel import SCHEMA
from tests.cli import cassettes
from tests.support.e2e import cli, cli_json, error_line

FIXTURES = Path(__file__).parents[2] / "fixtures"
WRITTEN, WIRE = FIXTURES / "transcripts" / "written", FIXTURES / "wire"


def request_of(document: Any) -> ExportTraceServiceRequest:
    """Through the proto: ids are hexadecimal in OTLP's JSON, and base64 in protobuf's."""
    for resource in document["resourceSpans"]:
        for scope in resource["scopeSpans"]:
            for span in scope["spans"]:
                for name in ("traceId", "spanId", "parentSpanId"):
                    if name in span:
                        span[name] = base64.b64encode(bytes.fromhex(span[name])).decode()
    request = ExportTraceServiceRequest()
    json_format.ParseDict(document, request)  # raises for a field that there isn't
    return request


def told(attributes: Any) -> dict[str, Any]:
    return {each.key: getattr(each.value, str(each.value.WhichOneof("value"))) for each in attributes}


def test_a_trace_that_the_proto_takes(tmp_path: Path) -> None:
    path = cassettes.write(tmp_path / "a.cassette", name="support")
    found = cli_json("export", "otel", path, "-o", tmp_path / "a.json")["exported"]
    assert [each for each in found["lost"] if "clock" in each]
    request = request_of(json.loads((tmp_path / "a.json").read_text()))
    (resource,) = request.resource_spans
    (scope,) = resource.scope_spans
    assert resource.schema_url == scope.schema_url == SCHEMA == Schemas.V1_44_0.value
    assert told(resource.resource.attributes)["service.name"] == "support"
    root, *others = scope.spans
    assert (root.name, root.parent_span_id) == ("invoke_agent support", b"")
    assert {len(span.trace_id) for span in scope.spans} == {16}
    assert {len(span.span_id) for span in scope.spans} == {8}
    assert {span.trace_id for span in scope.spans} == {root.trace_id}
    assert {span.parent_span_id for span in others} == {root.span_id}
    assert all(root.start_time_unix_nano <= span.start_time_unix_nano <= span.end_time_unix_nano for span in others)
    assert max(span.end_time_unix_nano for span in others) <= root.end_time_unix_nano
    chat = next(span for span in others if span.name.startswith("chat "))
    about = told(chat.attributes)
    assert (chat.kind, about["gen_ai.operation.name"], about["gen_ai.request.model"]) == (3, "chat", "gpt-4o")
    assert json.loads(about["gen_ai.input.messages"])[0]["role"] == "user"
    tool = next(span for span in others if span.name.startswith("execute_tool "))
    assert told(tool.attributes)["gen_ai.tool.name"] == tool.name.removeprefix("execute_tool ")
    assert any(span.status.code == 2 and "error.type" in told(span.attributes) for span in others)


def test_names_are_those_of_the_conventions(tmp_path: Path) -> None:
    known = {value for key, value in vars(gen_ai_attributes).items() if key.startswith("GEN_AI_")}
    path = cassettes.write(tmp_path / "a.cassette")
    cli_json("export", "otel", path, "-o", tmp_path / "a.json")
    text = (tmp_path / "a.json").read_text()
    used = set(re.findall(r'"key": "(gen_ai\.[a-z_.]+)"', text))
    assert len(used) > 8
    assert used <= known
    assert not used & {"gen_ai.system", "gen_ai.prompt", "gen_ai.completion"}  # as they were once called
    assert list(Schemas)[-1].value == SCHEMA  # the newest that is installed


def test_what_came_in_as_a_trace_goes_out_as_the_same(tmp_path: Path) -> None:
    cli_json("import", "otel", WRITTEN / "otel_genai.json", "-o", tmp_path / "a.cassette")
    cli_json("export", "otel", tmp_path / "a.cassette", "-o", tmp_path / "b.json")
    cli_json("import", "otel", tmp_path / "b.json", "-o", tmp_path / "b.cassette")
    first, again = (cli_json("show", tmp_path / f"{name}.cassette") for name in "ab")
    assert first["cassette"]["trace"] == again["cassette"]["trace"] == {"id": "5b8efff798038103d269b633813fc60c"}
    kinds = [
        [(each["kind"], each["name"]) for each in one["events"] if each["kind"] != "entry"] for one in (first, again)
    ]
    assert kinds[0] == kinds[1]


@pytest.fixture
def collector() -> Iterator[tuple[str, list[Any]]]:
    """An OTLP/HTTP endpoint, as far as JSON goes; below /full it takes nothing."""
    got: list[Any] = []

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = json.loads(self.rfile.read(int(self.headers["content-length"])))
            got.append((self.path, self.headers["content-type"], body))
            answer = json.dumps({"partialSuccess": {"rejectedSpans": "2"}} if self.path == "/part" else {}).encode()
            self.send_response(503 if self.path == "/full" else 200)
            self.send_header("content-length", str(len(answer)))
            self.end_headers()
            self.wfile.write(answer)

        def log_message(self, format: str, *args: Any) -> None:  # noqa: A002 - its name there
            """Nothing."""

    server = HTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}", got
    server.shutdown()
    thread.join()
    server.server_close()


def test_live_to_a_collector(collector: tuple[str, list[Any]], tmp_path: Path) -> None:
    where, got = collector
    path = cassettes.write(tmp_path / "a.cassette")
    found = cli_json("export", "otel", path, "-o", f"{where}/v1/traces")["exported"]
    ((at, kind, body),) = got
    assert (at, kind) == ("/v1/traces", "application/json")
    assert len(request_of(body).resource_spans[0].scope_spans[0].spans) == found["spans"]
    for wrong, why in (("/full", "503"), ("/part", "rejects 2 spans")):
        assert why in error_line(cli("export", "otel", path, "-o", where + wrong), "export-failed")


def test_http_archive(tmp_path: Path) -> None:
    writer = Writer.create(tmp_path / "a.cassette", {"created": "2026-03-01T10:00:00.000Z"})
    writer.lane(0, "m")
    asked = {"method": "POST", "url": "https://shop.test/a?b=1&b=2", "headers": [["Content-Type", "application/json"]]}
    head = {
        "status": 200,
        "reason": "OK",
        "version": "HTTP/2",
        "headers": [["content-type", "text/html"], ["content-encoding", "gzip"], ["set-cookie", "a=1"]],
    }
    event = writer.call(0, "http", "POST https://shop.test/a", "write", 1_000, None, asked, b'{"a": 1}', None, None)
    writer.ret(event, 3_000, 2, head, False)
    writer.chunk(event, 0, 5_000, 0, gzip.compress(b"<p>\xc3\xa4</p>"), False)
    writer.chunk(event, 0, 9_000, 3, None, False)
    failed = writer.call(0, "http", "GET https://shop.test/", "read", 10_000, None, asked, b"\xff", None, None)
    writer.ret(failed, 11_000, 1, ConnectionError("refused"), False)
    writer.event(0, "tool", "x", "read", 12_000, None, 1, None, None, None, 0, 0, 1)
    writer.end({})
    writer.seal()
    writer.close()
    found = cli_json("export", "har", tmp_path / "a.cassette", "-o", tmp_path / "a.har")["exported"]
    assert (found["entries"], found["lost"]) == (2, ["1 × tool"])
    log = json.loads((tmp_path / "a.har").read_text())["log"]
    assert (log["version"], log["creator"]["name"]) == ("1.2", "agent-replay")
    good, bad = log["entries"]
    assert good["startedDateTime"] == "2026-03-01T10:00:00.001000+00:00"
    assert (good["time"], good["timings"]) == (8.0, {"send": 0, "wait": 4.0, "receive": 4.0})
    assert good["request"]["queryString"] == [{"name": "b", "value": "1"}, {"name": "b", "value": "2"}]
    assert good["request"]["postData"] == {"mimeType": "application/json", "text": '{"a": 1}'}
    assert good["response"]["content"] == {"size": 9, "mimeType": "text/html", "text": "<p>ä</p>"}
    assert (bad["response"]["status"], bad["comment"]) == (0, "builtins.ConnectionError: refused")
    assert bad["request"]["postData"]["_encoding"] == "base64"


HAR: dict[str, tuple[str, str]] = {
    "log": ("version creator entries", "browser pages comment"),
    "creator": ("name version", "comment"),
    "entries": ("startedDateTime time request response cache timings", "pageref serverIPAddress connection comment"),
    "request": ("method url httpVersion cookies headers queryString headersSize bodySize", "postData comment"),
    "response": (
        "status statusText httpVersion cookies headers content redirectURL headersSize bodySize", "comment",
    ),
    "headers": ("name value", "comment"),
    "queryString": ("name value", "comment"),
    "postData": ("mimeType", "params text comment"),
    "content": ("size mimeType", "compression text encoding comment"),
    "timings": ("send wait receive", "blocked dns connect ssl comment"),
    "cache": ("", "beforeRequest afterRequest comment"),
}  # fmt: skip
"""Each object of HAR 1.2: the fields that it must have, and those it may have. Others begin with `_`."""


def check_har(name: str, found: Any) -> None:
    if isinstance(found, list):
        for each in found:
            check_har(name, each)
    elif isinstance(found, dict) and name in HAR:
        must, may = (set(fields.split()) for fields in HAR[name])
        keys = {key for key in found if not key.startswith("_")}
        assert must <= keys <= must | may, (name, keys)
        for key in keys:
            check_har(key, found[key])


@pytest.mark.parametrize("file", sorted(WIRE.rglob("*.yaml"))[::9], ids=lambda file: file.stem)
def test_an_archive_that_others_read(file: Path, tmp_path: Path) -> None:
    cli_json("import", "vcr", file, "-o", tmp_path / "a.cassette")
    told = cli_json("export", "har", tmp_path / "a.cassette", "-o", tmp_path / "a.har")["exported"]
    document = json.loads((tmp_path / "a.har").read_text())
    check_har("log", document["log"])
    reader: Any = haralyzer
    entries: list[Any] = reader.HarParser(document).har_data["entries"]
    with load(tmp_path / "a.cassette") as cassette:
        events = [event for event in cassette.events if event.kind == "http"]
    assert len(entries) == len(events) == told["entries"]
    for raw, event in zip(entries, events, strict=True):
        entry = reader.HarEntry(raw)
        assert (entry.request.method, entry.request.url) == (event.request["method"], event.request["url"])
        assert entry.response.status == event.response["status"]
        assert entry.startTime.tzinfo is not None
        assert entry.time >= 0
        content = raw["response"]["content"]
        body = base64.b64decode(content["text"]) if content.get("encoding") else content["text"].encode()
        assert len(body) == content["size"]
