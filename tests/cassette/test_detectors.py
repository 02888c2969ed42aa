"""What is found in texts, what isn't, and that the short cuts before looking are never wrong."""

from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from replay.cassette.redact.detectors import REACH, TABLE
from replay.cassette.redact.pseudonyms import Pseudonyms, stands_in
from replay.cassette.redact.texts import Rule, Texts

LONG = "0Ab1Cd2Ef3Gh4Ij5Kl6Mn7Op8Qr9St0Uv1Wx"
KEY_BLOCK = "MIIEvQIBADANBgkqhkiG9w0BAQEFAASC\nBKcwggSjAgEAAoIBAQ"

SECRETS = {
    "private-key": [("-----BEGIN RSA PRIVATE KEY-----\n{}\n-----END RSA PRIVATE KEY-----", KEY_BLOCK)],
    "anthropic": [("{}", f"sk-ant-api03-{LONG}")],
    "openai": [("{}", f"sk-proj-{LONG}"), ("{}", f"sk-or-v1-{LONG}"), ("{}", f"sk-{LONG}")],
    "stripe": [("{}", f"{head}{LONG}") for head in ("sk_live_", "rk_test_", "whsec_")],
    "github": [("{}", f"{head}{LONG}") for head in ("ghp_", "gho_", "ghs_", "github_pat_")],
    "gitlab": [("{}", "glpat-0Ab1Cd2Ef3Gh4Ij5Kl6M")],
    "slack": [("{}", "xoxb-1234567890-0Ab1Cd2E"), ("{}", "xapp-1-A0123456789")],
    "huggingface": [("{}", f"hf_{LONG}")],
    "aws": [("{}", "AKIA0123456789ABCDEF"), ("{}", "ASIA0123456789ABCDEF"), ("{}", f"ABSK{LONG}==")],
    "google": [("{}", f"AIza{LONG}"), ("{}", f"ya29.{LONG}"), ("{}", f"GOCSPX-{LONG}")],
    "groq": [("{}", f"gsk_{LONG}")],
    "xai": [("{}", f"xai-{LONG}")],
    "models": [("{}", f"{head}{LONG}") for head in ("pplx-", "r8_", "nvapi-", "csk-")],
    "tools": [("{}", f"{head}{LONG}") for head in ("tvly-", "lsv2_pt_", "lin_api_", "ntn_", "SG.", "npm_", "pypi-")]
    + [("{}", "dapi0123456789abcdef0123456789abcdef")],
    "jwt": [("{}", "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiJjYW5hcnkifQ.c2lnbmF0dXJl")],
    "bearer": [("Authorization: Bearer {}", "opaque-token-with-words"), ("bearer\\u0020{}", "opaque-token-with-words")],
    "url-user": [("postgres://{}@db/orders", "me:private"), ("redis://{}@127.0.0.1:6379", ":private")],
    "query": [
        ("/v1?key={}&page=2", "private-77"),
        ("?X-Amz-Signature={}", "private"),
        ("&access_token={}#part", "private"),
    ],
    "named": [
        ('{{"password": "{}"}}', "hunter22"),
        ('{{\\"db_password\\": \\"{}\\"}}', "hunter22"),
        ("api_key='{}'", "hunter22hunter22"),
        ('accessToken: "{}"', "hunter22.hunter22"),
    ],
    "option": [
        ("--password={}", "hunter"),
        ("psql --db-password {} -c x", "hunter-2"),
        ("--client-secret '{}'", "h2h2"),
        ("--PASSPHRASE  {}", "a.b.c"),
    ],
    "mixed": [("SERVICE_TOKEN={}", "0123456789abcdef"), ("'x-service-key': '{}'", "0123+5678/abcdef")],
    "email": [("{}", "bob@example.com"), ("to=({})", "a.b+c@mail.example.co.uk"), ("q={}", "bob%40example.com")],
    "card": [("{}", "4111111111111111"), ("{}", "3782 822463 10005"), ("no. {}.", "5500-0055-5555-5559")],
    "iban": [("{}", "DE89370400440532013000"), ("to {},", "GB82 WEST 1234 5698 7654 32")],
    "phone": [("{}", "+49 30 901820 77"), ("call {}", "(415) 555-2671"), ("{}", "415-555-2671")],
}
NONE = [
    "nothing at all",
    "sk-learn is short",
    "task-0123456789abcdef0123",  # a word that ends like a key's beginning
    "git@github.com:org/repo.git",
    "logo@2x.png",
    "decorate with @functools.cache",
    "order 4111111111111112",  # the check digit is wrong
    "0.4111111111111111",
    "1763906154123456",  # microseconds
    "XX00 1234 5678 9012 34",
    "DE00370400440532013000",
    "12345678901234567890123456789012345",
    "1    2    3    4    5    6    7    8    9",
    "+1 2",
    "?page=2&sort=name",
    "?key=short&page=2",
    "http://host:8080/path",
    "password: <yours>",
    'password = "$PASSWORD"',
    "max_tokens=4096",
    "--password is asked for",
    "--password <yours>",
    "--password=$PASSWORD",
    "--password --user me",
    "my--password=hunter2",
    '"api_key": "short"',
    "token=abcdefghijklmnopqrstuvwxyz",  # a word
    "sha256:9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08",
    "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==",
    "before a PRIVATE KEY----- without a beginning",
]


@pytest.fixture
def texts() -> Texts:
    return Texts(Pseudonyms(bytes(16)))


def test_every_detector_has_an_example() -> None:
    assert list(SECRETS) == [detector.name for detector in TABLE]


@pytest.mark.parametrize(("name", "form", "secret"), [(name, *each) for name in SECRETS for each in SECRETS[name]])
@pytest.mark.parametrize("around", ["{}", "Here: {} and more", '{{"text": "{}"}}', "a\n{}\nb", "\\n{}\\n"])
def test_secrets(texts: Texts, name: str, form: str, secret: str, around: str) -> None:
    text = around.format(form.format(secret))
    assert texts.suspect(text.encode())
    assert name in [finding.detector for finding in texts.findings(text.encode())]
    safe = texts.redact(text.encode()).text.decode()
    assert secret not in safe
    assert len(safe) == len(text) or name == "email"
    assert texts.redact(safe.encode()).text.decode() == safe, "what stands in for one is none"
    assert not texts.findings(safe.encode())


@pytest.mark.parametrize("text", NONE)
def test_others(texts: Texts, text: str) -> None:
    assert texts.redact(text.encode()) == (text.encode(), [])


@pytest.mark.parametrize("name", SECRETS)
def test_each_can_be_switched_off(name: str) -> None:
    form, secret = SECRETS[name][0]
    off = {name, "openai", "bearer", "mixed", "url-user", "query"}
    texts = Texts(Pseudonyms(bytes(16)), off=off)
    assert name not in [finding.detector for finding in texts.findings(form.format(secret).encode())]


def test_without_numbers_digits_are_no_reason_to_look() -> None:
    texts = Texts(Pseudonyms(bytes(16)), off={"card", "iban", "phone"})
    assert not texts.suspect(b"4111 1111 1111 1111")
    assert texts.redact(b"4111 1111 1111 1111").text == b"4111 1111 1111 1111"


PIECES = st.lists(
    st.one_of(
        st.sampled_from([form.format(secret) for each in SECRETS.values() for form, secret in each] + NONE),
        st.text(max_size=20),
    ),
    max_size=6,
).map(lambda pieces: " ".join(pieces).encode())


@given(PIECES)
def test_who_has_nothing_suspect_has_nothing(data: bytes) -> None:
    texts = Texts(Pseudonyms(bytes(16)))
    assert texts.suspect(data) or not texts.findings(data)


@given(PIECES)
def test_findings_are_in_order_and_what_lies_between_stays(data: bytes) -> None:
    texts = Texts(Pseudonyms(bytes(16)))
    found = texts.findings(data)
    safe, edges = texts.redact(data)
    done = safe_done = 0
    for finding, (start, end, safe_end) in zip(found, edges, strict=True):
        assert (finding.start, finding.end) == (start, end)
        assert end - start <= REACH
        assert start >= done
        between = data[done:start]
        assert safe[safe_done:].startswith(between)
        assert stands_in(safe[safe_done + len(between) : safe_end])
        done, safe_done = end, safe_end
    assert safe[safe_done:] == data[done:]


def test_a_secret_that_was_learnt_is_one_everywhere(texts: Texts) -> None:
    texts.learn(b"plain-words")
    texts.learn(b"plain-words-and-more")
    texts.learn(b"plain-words")
    said = texts.redact(b"x plain-words, y plain-words-and-more").text
    assert b"plain" not in said
    assert texts.suspect(b"plain-words")
    for harmless in (b"short", b"justoneword", b"<redacted:abcdefabcdef>"):
        texts.learn(harmless)
        assert texts.findings(harmless) == []


def test_no_more_than_some_are_learnt(texts: Texts) -> None:
    for number in range(200):
        texts.learn(b"secret%d%%" % number)
    assert texts.suspect(b"  secret63%")
    assert not texts.suspect(b"  s-cret64%")
    assert b"secret199%" in texts.redact(b"  secret199%").text


def test_random_bytes_have_no_addresses(texts: Texts) -> None:
    assert texts.redact(b"\xff\x00 a@b.cde \xfe").text == b"\xff\x00 a@b.cde \xfe"
    assert b"0Ab1Cd" not in texts.redact(b"\xff\x00 sk-" + LONG.encode() + b" \xfe").text


def test_the_user_s_own() -> None:

    def orders(text: str) -> list[str]:
        return [*re.findall("ORD-[0-9]+", text), ""]

    texts = Texts(Pseudonyms(bytes(16)), rules=[Rule("order", orders)])
    data = "Bestellung ORD-17, ORD-17 für bob@example.com".encode()
    assert texts.suspect(b"anything")
    assert [finding.detector for finding in texts.findings(data)] == ["order", "order", "email"]
    assert b"ORD-" not in texts.redact(data).text


def test_numbers_far_apart_are_found_apart(texts: Texts) -> None:
    data = b"4111 1111 1111 1111" + b" and so on" * 30 + b" DE89370400440532013000, then 5500005555555559"
    assert [finding.detector for finding in texts.findings(data)] == ["card", "iban", "card"]
