"""Spans that tell somebody to do something: how much a segment has the shape of an instruction. Pure.

What counts is how things are said, never who is known to say them: a verb in the imperative, a second person, an
obligation, and talk about the reader's own task, rules or nature. No wording of any known attack is in here. The
lexicon is English; of German, French, Spanish and Chinese it has a few verbs, which tell what kind of action a sentence
is about (`actions`) and nothing of its form. Of other languages what is left is that prose stands among data
(`Shape.prose`), and the values in it.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from functools import lru_cache
from typing import Final, NamedTuple

from replay.forensics.text import SIGNS, stem, words

CLASSES: Final[dict[str, str]] = {
    "send": "send email mail message dm forward write reply notify text tell inform contact respond sms",
    "pay": "pay transfer transaction money wire payment refund remit charge deposit fund iban bill",
    "delete": "delete remove erase drop cancel clear purge wipe destroy revoke kick unsubscribe",
    "create": "create add schedule make new book reserve insert register generate set",
    "visit": "visit open browse webpage website url link go navigate page click",
    "update": "update change modify set edit alter adjust correct replace reschedule rename move",
    "post": "post publish upload share submit put push leak",
    "invite": "invite add join enroll grant admit",
    "read": "read get list search find show check look retrieve fetch view query download collect",
    "buy": "buy order purchase subscribe book reserve",
    "run": "run execute install launch start call invoke eval shell script command",
    "credential": "password passphrase login credential token key pin secret",
}
"""Classes of actions, and words that name one: a call and a sentence are about the same if they share a class."""

_CLASS_OF: Final[dict[str, frozenset[str]]] = {
    stem(word): frozenset(name for name, known in CLASSES.items() if word in known.split())
    for known in CLASSES.values()
    for word in known.split()
}

_ABROAD: Final[dict[str, str]] = {
    "send": "schicke schicken verschick- senden sende versend- weiterleit- weiterzuleiten nachricht envoy- transmett- "
    "enviar envía envíe envíen reenvi- mandar mande 发送 发给 转发 回复",
    "pay": "überweis- überwies- zahlen zahle zahlung bezahl- virement- virer virez paiement payez transferir "
    "transfier- transferenc- pagar pague abonar 转账 汇款 付款 支付 转到",
    "delete": "lösch- entfern- supprim- retirer retirez efface effacer elimin- borrar quitar 删除 移除 取消",
    "create": "anlegen anzulegen erstell- hinzufüg- hinzuzufüg- créer créez ajout- crear cree añad- agreg- "
    "创建 新建 添加 加入 预约",
    "visit": "besuch- öffne öffnen aufrufen webseite ouvrir ouvrez visiter visitez visitar abrir abra "
    "访问 打开 浏览 网站",
    "update": "ändern ändere abänd- aktualis- anpassen anzupassen modifi- changer changez cambiar cambie actualiz- "
    "更改 修改 改为 更新 变更",
    "post": "veröffentlich- publier publiez publicar publique subir 发布 上传 张贴",
    "invite": "einladen einzuladen eingeladen inviter invitez invitar 邀请",
    "read": "lesen durchsuchen abrufen abzurufen lire cherch- leer buscar obten- 读取 查看 搜索 获取",
    "buy": "kaufen bestell- buchen buchung achet- réserver réservez comprar compre reservar 购买 预订",
    "run": "ausführ- auszuführen exécut- ejecut- 运行 执行",
    "credential": "passwort kennwort contraseñ- 密码",
}
"""The same in other languages: words, and with `-` how words begin. Signs that aren't set apart may be anywhere."""

_ABROAD_CLASS: Final[dict[str, frozenset[str]]] = {
    stem(word): frozenset(kind for kind, known in _ABROAD.items() if word in known.split())
    for each in _ABROAD.values()
    for word in each.split()
    if not word.endswith("-")
}
_BEGINS: Final = {
    kind: re.compile("|".join(word if SIGNS.match(word) else rf"(?<!\w){word[:-1]}" for word in known.split()
                              if word.endswith("-") or SIGNS.match(word)) or "(?!)")
    for kind, known in _ABROAD.items()
}  # fmt: skip

_IMPERATIVES: Final = frozenset(
    "send email mail forward write reply notify inform contact respond transfer pay wire refund remit charge deposit "
    "delete remove erase drop cancel clear purge wipe revoke create add schedule make book reserve insert register "
    "generate visit open browse go navigate click update change modify set edit alter adjust correct replace rename "
    "move post publish upload share submit put push invite join grant read get list search find show check look "
    "retrieve fetch view query download collect buy order purchase subscribe run execute install launch start call "
    "invoke use do perform carry complete follow ignore disregard forget skip stop continue proceed remember ensure "
    "provide give tell include exclude append attach copy paste print say answer output return repeat translate "
    "concatenate combine take let keep save store log approve confirm accept reject block unblock enable disable "
    "allow deny request ask tell see review verify summarize".split()
)

_CONNECTIVE: Final = re.compile(
    r"[,;:–—→]|[-=]>|\b(?:and|then|must|should|shall|please|kindly|now|also|first|next|finally|instead|always|never|not|"
    r"can you|could you|would you|you|"
    r"(?:needs?|ha(?:s|ve)|ought|wants?|likes?|sure|required|asked|remember|possible|able|kind enough|is|are) to)\b",
    re.IGNORECASE,
)
_LEAD: Final = re.compile(r"^(?:[^\w]+|\d+[.)]\s*|[\w ]{1,20}:\s+)+")
_FIRST: Final = re.compile(r"\W*([^\W\d_]+)(?=[\s,]+\w)")
_SMALL: Final = re.compile(r"(?<!\w)[^\W\d_A-Z][^\W\d_]*(?![\w@:/])")
_SECOND: Final = re.compile(r"\b(?:you|your|yours|yourself)\b", re.IGNORECASE)
_OBLIGED: Final = re.compile(
    r"\b(?:please|must|should|shall|needs? to|ha(?:ve|s) to|required|make sure|be sure|kindly|ensure|don't forget|"
    r"remember to|immediately|at once|right away|urgent(?:ly)?|asap|mandatory|necessary|"
    r"it is (?:important|essential|crucial)|before (?:you|continuing|proceeding|anything)|next step|"
    r"only then|not complete until|(?:is|are) to be|first)\b",
    re.IGNORECASE,
)
_ABOUT_THE_READER: Final = re.compile(
    r"\b(?:previous|prior|above|earlier|preceding|initial|original|other|further|new|following|these|all|any|my|your)\s+"
    r"(?:\w+\s+){0,2}(?:instructions?|tasks?|requests?|prompts?|orders|directions?|directives?|commands?|rules?|guidelines?)\b"
    r"|\b(?:ignore|disregard|forget|override|overrule|bypass|supersede)\b"
    r"|\b(?:assistant|agent|language model|LLM|AI|chatbot|system prompt|system message)\b"
    r"|\b(?:your|the|this) (?:current |main |user'?s? )?(?:task|instruction|goal|objective|job)s?\b"
    r"|\b(?:workflow|process|procedure) (?:is|isn't|will|cannot|can't|must)\b"
    r"|\bon (?:my|our|the user'?s) behalf\b",
    re.IGNORECASE,
)


def actions(names: frozenset[str]) -> frozenset[str]:
    """The classes of actions that words (their stems) name.

    Example:
        >>> sorted(actions(frozenset({"transfer"})))
        ['pay']
    """
    return frozenset(kind for name in names for kind in _classes(name))


@lru_cache(maxsize=1 << 15)
def _classes(name: str) -> frozenset[str]:
    known = _CLASS_OF.get(name) or _ABROAD_CLASS.get(name)
    return known or frozenset(kind for kind, begins in _BEGINS.items() if begins.search(name))


class Shape(NamedTuple):
    """How much a segment looks like an instruction.

    Attributes:
        imperative: 1 where it begins with a verb in the imperative, 0.6 where one follows a connective.
        second, obliged: whether it speaks to somebody, and of what has to be done.
        reader: whether it speaks of its reader's task, instructions or nature: data has no reason to.
        prose: whether it is made of words rather than of fields and numbers.
    """

    imperative: float
    second: bool
    obliged: bool
    reader: bool
    prose: bool

    @property
    def strength(self) -> float:
        """From 0 to 2.6."""
        return self.imperative + 0.4 * self.second + 0.4 * self.obliged + 0.8 * self.reader


@lru_cache(maxsize=1 << 15)
def shape(segment: str, verb: str = "") -> Shape:
    """The shape of a segment. `verb`: the first word of what was called, which counts as a verb, too.

    Example:
        >>> shape("Transfer 5 EUR to Bo.").imperative, shape("Bo: 5 EUR").imperative
        (1.0, 0)
    """
    said = words(segment)
    return Shape(
        imperative=_imperative(segment, verb),
        second=_SECOND.search(segment) is not None,
        obliged=_OBLIGED.search(segment) is not None,
        reader=_ABOUT_THE_READER.search(segment) is not None,
        prose=_prose(segment, said),
    )


def _prose(segment: str, said: Sequence[str]) -> bool:
    """Names alone, as in an address, are none: some words begin with a small letter."""
    signs = len(SIGNS.findall(segment))  # each says about as much as half a word
    if len(said) + signs // 2 < 5 or len(_SMALL.findall(segment)) + signs < 3:
        return False
    return sum(map(len, said)) + 2 * signs > 0.5 * (len(segment) + 2 * signs)


def _imperative(segment: str, verb: str) -> float:
    if _commands(_LEAD.sub("", segment), verb):
        return 1.0
    after = (segment[match.end() : match.end() + 40] for match in _CONNECTIVE.finditer(segment))
    return 0.6 if any(_commands(text, verb) for text in after) else 0


def _commands(text: str, verb: str) -> bool:
    """Whether it begins with a verb: a word that others follow, not a part of a name."""
    first = _FIRST.match(text)
    return first is not None and (first[1].lower() in _IMPERATIVES or (bool(verb) and first[1].lower() == verb))
