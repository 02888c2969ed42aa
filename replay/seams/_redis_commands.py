"""Redis commands as accesses of a memory: what they ask for, which keys they touch, whether they change anything."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any
from urllib.parse import quote

from replay.boundary.door import Call
from replay.model.effect import Effect
from replay.seams._shown import shown

_READS = frozenset(
    "get mget getrange substr strlen exists type ttl pttl expiretime pexpiretime dump object randomkey keys scan "
    "dbsize getbit bitcount bitpos bitfield_ro lcs hget hmget hgetall hkeys hvals hlen hexists hstrlen hscan "
    "hrandfield httl hpttl hexpiretime hpexpiretime lindex llen lrange lpos smembers sismember smismember scard "
    "srandmember sscan sinter sintercard sdiff sunion zrange zrevrange zrangebyscore zrevrangebyscore zrangebylex "
    "zrevrangebylex zrank zrevrank zscore zmscore zcard zcount zlexcount zscan zrandmember zdiff zinter zunion "
    "zintercard xrange xrevrange xlen xread xinfo xpending geodist geohash geopos geosearch georadius_ro "
    "georadiusbymember_ro pfcount sort_ro eval_ro evalsha_ro fcall_ro ping echo time info role lolwut command "
    "memory lastsave pubsub slowlog latency wait watch unwatch touch sync json.get json.mget json.type "
    "json.strlen json.arrlen json.arrindex json.objkeys json.objlen json.resp ft.search ft.aggregate ft.info "
    "ft._list ft.explain ft.hybrid ft.tagvals ts.get ts.mget ts.range ts.revrange ts.mrange ts.mrevrange ts.info "
    "ts.queryindex bf.exists bf.mexists bf.info cf.exists cf.info cms.query cms.info topk.list topk.query "
    "topk.info vsim vcard vdim vemb vgetattr vinfo vismember vlinks vrandmember".split()
)
_READING = frozenset(("config get", "client list", "client info", "client getname", "client id", "script exists"))
"""The harmless subcommands of commands that change things otherwise."""

_KEYLESS = frozenset(
    "ping echo time info role lolwut command lastsave dbsize pubsub slowlog latency wait unwatch keys scan "
    "randomkey flushdb flushall config client script auth hello select swapdb save bgsave bgrewriteaof shutdown "
    "monitor multi exec discard publish spublish subscribe psubscribe unsubscribe punsubscribe ssubscribe "
    "sunsubscribe acl cluster function failover replicaof slaveof module debug quit reset readonly readwrite "
    "asking migrate sync psync ft._list ts.queryindex ts.mget ts.mrange ts.mrevrange".split()
)
_SECRET = frozenset(("auth", "hello", "acl", "migrate", "config set"))
"""What may carry a password; its arguments aren't stored."""


def _all(args: Sequence[Any]) -> Sequence[Any]:
    return args


def _but_last(args: Sequence[Any]) -> Sequence[Any]:
    return args[:-1]


def _every_second(args: Sequence[Any]) -> Sequence[Any]:
    return args[::2]


def _first_two(args: Sequence[Any]) -> Sequence[Any]:
    return args[:2]


def _counted(at: int) -> Callable[[Sequence[Any]], Sequence[Any]]:
    """After a number of keys at that place; keys before it count, too, but for a script's text."""

    def keys(args: Sequence[Any]) -> Sequence[Any]:
        try:
            count = int(args[at])
        except (IndexError, TypeError, ValueError):
            return ()
        return args[at + 1 : at + 1 + count]

    return keys


def _streams(args: Sequence[Any]) -> Sequence[Any]:
    names = [text(arg).upper() for arg in args]
    if "STREAMS" not in names:
        return ()
    rest = args[names.index("STREAMS") + 1 :]
    return rest[: len(rest) // 2]


_KEYS: Mapping[str, Callable[[Sequence[Any]], Sequence[Any]]] = {
    **dict.fromkeys("mget del unlink exists touch watch sinter sdiff sunion pfcount pfmerge".split(), _all),
    **dict.fromkeys("sinterstore sdiffstore sunionstore".split(), _all),
    **dict.fromkeys("blpop brpop bzpopmin bzpopmax json.mget".split(), _but_last),
    **dict.fromkeys("mset msetnx".split(), _every_second),
    **dict.fromkeys("rename renamenx smove rpoplpush brpoplpush lmove blmove copy lcs".split(), _first_two),
    **dict.fromkeys("eval evalsha eval_ro evalsha_ro fcall fcall_ro".split(), _counted(1)),
    **dict.fromkeys("zdiff zinter zunion zintercard sintercard lmpop zmpop".split(), _counted(0)),
    **dict.fromkeys("blmpop bzmpop".split(), _counted(1)),
    **dict.fromkeys("xread xreadgroup".split(), _streams),
    "bitop": lambda args: args[1:],
    "object": lambda args: args[1:2],
    "memory": lambda args: args[1:2],
    "xinfo": lambda args: args[1:2],
    "xgroup": lambda args: args[1:2],
    "json.mset": lambda args: args[::3],
}


def text(value: Any) -> str:
    """A word of a command as text."""
    return value.decode("utf-8", "backslashreplace") if isinstance(value, bytes) else str(value)


def words(args: Sequence[Any]) -> tuple[str, list[Any]]:
    """The command's name in small letters, and its arguments: some clients' names are two words."""
    first, *more = text(args[0]).lower().split(" ", 1)
    return first, [*more, *args[1:]]


def effect_of(op: str, args: Sequence[Any]) -> Effect:
    """`read` where it is known to change nothing."""
    sub = f"{op} {text(args[0]).lower()}" if args else op
    return "read" if op in _READS or sub in _READING else "write"


def asked(args: Sequence[Any]) -> dict[str, Any]:
    """A command as part of a request: `op`, `key` or `keys` where it has any, and its other arguments.

    A single key that comes first isn't repeated among the arguments.
    """
    op, rest = words(args)
    found: dict[str, Any] = {"op": op}
    if op in _SECRET or (rest and f"{op} {text(rest[0]).lower()}" in _SECRET):
        found["args"] = ["<redacted>"] * len(rest)
        return found
    rest = [shown(arg) for arg in rest]
    if op in _KEYS:
        found["keys"] = list(_KEYS[op](rest))
    elif rest and op not in _KEYLESS:
        found["key"] = rest.pop(0)
    found["args"] = rest
    return found


def command(store: str, args: Sequence[Any]) -> Call[Any]:
    """One command as a crossing."""
    found = asked(args)
    op: str = found.pop("op")
    return Call("memory", f"redis.{op}", effect_of(op, words(args)[1]), {"store": store, **found})


def pipeline(store: str, stack: Sequence[tuple[Sequence[Any], Any]], transaction: bool) -> Call[Any]:
    """Several commands that are sent at once."""
    writes = any(effect_of(*words(args)) == "write" for args, _ in stack)
    request = {"store": store, "transaction": transaction, "commands": [asked(args) for args, _ in stack]}
    return Call("memory", "redis.pipeline", "write" if writes else "read", request)


def url_of(settings: Mapping[str, Any]) -> str:
    """Where a client's commands go, without user and password."""
    db = settings.get("db") or 0
    if "path" in settings:
        return f"unix://{quote(str(settings['path']))}?db={db}"
    return f"redis://{settings.get('host', 'localhost')}:{settings.get('port', 6379)}/{db}"
