"""What is taken out of a recording, and that nothing else is touched."""

from __future__ import annotations

import re
import sys
from pathlib import Path
from urllib.parse import parse_qsl, urlsplit

import pytest
from hypothesis import given
from hypothesis import strategies as st

from replay.cassette.cassette import load
from replay.cassette.redact import Redactor
from replay.cassette.redact.detectors import PATTERNS
from replay.cassette.redact.messages import SECRET_HEADERS, SECRET_QUERY
from replay.cassette.redact.pseudonyms import Pseudonyms
from replay.cassette.redact.sieve import Sieve
from replay.cassette.redact.texts import Texts
from replay.cassette.writer import Writer
from replay.model.pseudonym import PSEUDONYM as FORM

PSEUDONYM = re.compile(FORM)
REDACT = Redactor(bytes(16))
SECRETS = st.text(st.characters(codec="ascii", categories=["L", "N"]), min_size=9, max_size=30)


@given(SECRETS, SECRETS)
def test_equal_secrets_have_equal_pseudonyms(one: str, other: str) -> None:
    assert PSEUDONYM.fullmatch(REDACT.pseudonym(one))
    assert (REDACT.pseudonym(one) == REDACT.pseudonym(other)) is (one == other)
    assert one not in REDACT.pseudonym(one)
    assert Redactor(b"another key" * 2).pseudonym(one) != REDACT.pseudonym(one)


@given(st.text())
def test_a_pseudonym_stays_what_it_is(secret: str) -> None:
    once = REDACT.pseudonym(secret)
    assert REDACT.pseudonym(once) == once


def test_bytes_that_are_no_text() -> None:
    assert PSEUDONYM.fullmatch(REDACT.pseudonym("\udcff\udc80"))


@pytest.mark.parametrize("name", sorted(SECRET_HEADERS))
def test_secret_headers(name: str) -> None:
    for spelled in (name, name.title(), name.upper()):
        assert "s3cret-value" not in REDACT.header(spelled, "s3cret-value")


@pytest.mark.parametrize("scheme", ["Bearer", "basic", "Token", "DIGEST"])
def test_the_scheme_stays_readable(scheme: str) -> None:
    said = REDACT.header("Authorization", f"{scheme} s3cret")
    assert said == f"{scheme} {REDACT.pseudonym('s3cret')}"
    assert REDACT.header("Authorization", "Odd s3cret") == REDACT.pseudonym("Odd s3cret")
    assert REDACT.header("Authorization", scheme) == REDACT.pseudonym(scheme)


@given(st.sampled_from(["Accept", "Content-Type", "User-Agent", "X-Request-Id"]), st.text())
def test_other_headers_stay(name: str, value: str) -> None:
    assert REDACT.header(name, value) == value


@given(
    st.sampled_from(sorted(SECRET_QUERY)).flatmap(lambda name: st.sampled_from([name, name.upper()])),
    SECRETS,
    st.lists(st.tuples(st.sampled_from(["q", "page", "model"]), st.sampled_from(["", "1", "a%20b", "%E4"]))),
)
def test_secret_query_values(name: str, secret: str, others: list[tuple[str, str]]) -> None:
    query = "&".join(f"{key}={value}" for key, value in [*others, (name, secret)])
    said = REDACT.url(f"https://api.example.com/v1/x?{query}#part")
    assert secret not in said
    fields = urlsplit(said).query.split("&")
    assert fields[:-1] == [f"{key}={value}" for key, value in others], "as it was spelled"
    assert dict(parse_qsl(said.partition("?")[2].partition("#")[0]))[name] == REDACT.pseudonym(secret)
    assert said.endswith("#part")


def test_users_of_urls() -> None:
    said = REDACT.url("postgres://me:s3cret@db.example.com:5432/shop")
    assert said == f"postgres://{REDACT.pseudonym('me:s3cret')}@db.example.com:5432/shop"


@given(st.from_regex(r"https://[a-z]{1,9}\.example\.com(/[a-z0-9%]{0,5}){0,3}(\?q=[a-z]{0,4})?", fullmatch=True))
def test_other_urls_stay(url: str) -> None:
    assert REDACT.url(url) == url


@pytest.mark.parametrize(
    ("name", "secret"),
    [
        ("OPENAI_API_KEY", True),
        ("github_token", True),
        ("DB_PASSWORD", True),
        ("PGPASSWD", True),
        ("AWS_SECRET_ACCESS_KEY", True),
        ("SENTRY_DSN", True),
        ("GOOGLE_APPLICATION_CREDENTIALS", True),
        ("HOME", False),
        ("MODEL", False),
    ],
)
def test_environment(name: str, secret: bool) -> None:
    assert (REDACT.env(name, "value") != "value") is secret
    assert REDACT.env(name, "") == "", "that it is empty is no secret"


def test_an_address_in_the_environment_loses_its_password() -> None:
    stored = REDACT.env("DATABASE_URL", "postgres://me:private@db.example/orders")
    assert stored.endswith("@db.example/orders")
    assert "private" not in stored
    assert REDACT.env("BASE_URL", "http://127.0.0.1:8080/v1") == "http://127.0.0.1:8080/v1"
    assert "private" not in REDACT.env("ODD", "x://[me:private@nowhere"), "not an address after all"


def test_messages_are_copies() -> None:
    headers = [["Accept", "*/*"], ["X-Api-Key", "s3cret"]]
    message = {"url": "https://x/?key=s3cret&q=1", "headers": headers, "method": "GET"}
    said = REDACT.http_message(message)
    assert headers[1] == ["X-Api-Key", "s3cret"]
    assert message["url"] == "https://x/?key=s3cret&q=1"
    assert said["headers"][0] == ["Accept", "*/*"]
    assert not re.search("s3cret", repr(said))
    assert said["method"] == "GET"
    assert REDACT.http_message("text") == "text"
    assert REDACT.http_message({"status": 200}) == {"status": 200}


def test_cookies_keep_their_names() -> None:
    """A name says which cookie it is; what it says is the secret."""
    said = REDACT.header("Cookie", "session=s3cret; theme=dark3")
    assert (said.count("session="), said.count("theme=")) == (1, 1)
    assert not re.search("s3cret|dark3", said)
    answered = REDACT.header("Set-Cookie", "session=s3cret; Path=/; HttpOnly")
    assert REDACT.header("Cookie", "a=; ;b=") == "a=; ;b="
    assert "s3cret" not in answered
    assert answered.startswith("session=<~")
    assert answered.endswith("; Path=/; HttpOnly")


def test_the_environment_of_a_process_loses_its_secrets() -> None:
    request = {"args": ["git", "push"], "env": {"API_KEY": "sk-0123456789abcdef", "LANG": "C"}}
    safe = REDACT.process(request)
    assert safe == {"args": ["git", "push"], "env": {"API_KEY": REDACT.pseudonym("sk-0123456789abcdef"), "LANG": "C"}}
    assert "sk-0123456789abcdef" in str(request)
    for other in ("git push", {"args": ["git"]}, {"args": ["git"], "env": None}):
        assert REDACT.process(other) == other


def test_a_secret_within_a_secret_is_replaced_with_it() -> None:
    safe = REDACT.file("settings.json", b"token=abcd1key=0123456789abcdef0;")
    assert safe.startswith(b"token=<redacted:")
    assert safe.endswith(b">;")
    assert b"0123456789abcdef0" not in safe
    assert safe.count(b"<redacted:") == 1


def test_what_opens_an_mcp_transport() -> None:
    safe = REDACT.mcp({"args": ["serve"], "env": {"API_KEY": "private-value"}, "url": "https://x/?token=private-value"})
    assert "private-value" not in repr(safe)
    assert safe["args"] == ["serve"]


def test_files_of_settings_lose_what_has_a_secret_s_name() -> None:
    settings = b"MODEL=large\nexport DB_PASSWORD='private value'\nMAX_TOKENS=4096\nTOKEN=ab\n"
    safe = REDACT.file("/srv/app/.env", settings)
    assert b"private" not in safe
    assert safe.startswith(b"MODEL=large\nexport DB_PASSWORD='<~")
    assert safe.endswith(b"'\nMAX_TOKENS=4096\nTOKEN=ab\n")
    assert REDACT.file("/srv/app/notes.txt", settings) == settings


def test_a_cookie_without_a_name_is_all_secret() -> None:
    assert "s3cret" not in REDACT.header("Cookie", "s3cret; a=1; ")


def test_a_body() -> None:
    assert b"bob@example.com" not in REDACT.body(b"to bob@example.com").safe


def test_a_compressed_request_that_cannot_be_searched_is_said() -> None:
    said: list[str] = []
    request = {"headers": [["Content-Encoding", "gzip"]]}
    assert REDACT.packed(request, b"no gzip at all", said.append) == b"no gzip at all"
    assert len(said) == 1
    assert REDACT.packed("no request", b"plain", said.append) == b"plain"
    assert len(said) == 1


def test_a_compressed_answer_that_cannot_be_searched_is_a_blind_spot(tmp_path: Path) -> None:
    writer = Writer.create(tmp_path / "x.cassette", {}, Redactor(bytes(16)))
    writer.lane(0, "m")
    event = writer.call(0, "http", "GET", "read", 0, None, {"url": "http://x/"}, None, None, None)
    writer.ret(event, 1, 2, {"status": 200, "headers": [["Content-Encoding", "gzip"]]}, False)
    writer.chunk(event, 0, 2, 0, b"no gzip at all", False)
    writer.chunk(event, 0, 3, 3, None, False)
    writer.flush()
    writer.close()
    with load(tmp_path / "x.cassette") as cassette:
        assert [spot.what for spot in cassette.blind_spots] == ["redaction"]


@pytest.mark.parametrize("word", [b"gh" + b"p_cAnArY5555aaaaBBBBccccDDDDeeee000011", b"AKIA" + b"IOSFODNN7ABCDEFG"])
def test_without_the_sieve_every_long_word_is_looked_at(word: bytes) -> None:
    texts = Texts(Pseudonyms(b""), sieve=Sieve(PATTERNS, after=sys.maxsize))
    assert texts.suspect(b"about " + word + b" and")
    assert not texts.suspect(b"no digits and nothing else to look at")
    assert texts.suspect(b"at 1795479116 call +49 89 1234567"), "also behind a second since 1970"
    for digits in (
        b"1 a 2 b 3 c 4 d 5 e 6 f 7 g 8",
        b"1.2.3.4.5.6.7.8.9.0.1.2.3.4.5",
        b"1...2...3...4...5...6...7...8...9...0",
    ):
        assert not texts.suspect(digits)
        assert texts.findings(digits) == []
