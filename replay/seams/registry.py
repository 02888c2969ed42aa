"""Which seams there are. Importing this imports no client library; a seam's module is imported when its library is."""

from __future__ import annotations

import sys
from collections.abc import Callable, Collection, Generator, Iterable
from contextlib import contextmanager
from functools import partial
from importlib import import_module
from types import ModuleType

from replay.boundary.imports import on_import
from replay.boundary.lanes import nobody
from replay.seams import _seam
from replay.seams._seam import Seam, Target, missing

Blind = Callable[[str, str], None]

_REDIS = (
    "Redis.execute_command",
    "Redis.parse_response",
    "Pipeline.immediate_execute_command",
    "Pipeline.execute",
    "Pipeline.reset",
    "PubSub.execute_command",
    "PubSub.parse_response",
)
_REDIS_CONNECTION = (
    "ConnectionPool.get_connection",
    "ConnectionPool.make_connection",
    "BlockingConnectionPool.get_connection",
    "AbstractConnection.send_packed_command",
    "AbstractConnection.read_response",
    "AbstractConnection.connect",
)
_HTTPX = ("HTTPTransport.handle_request", "AsyncHTTPTransport.handle_async_request", "Response", "ByteStream")

SEAMS: tuple[Seam, ...] = (
    Seam(
        name="httpx",
        module="replay.seams.httpx",
        targets=(Target("httpx", _HTTPX), Target("httpx2", _HTTPX)),
        covers="httpx, httpx2, and the SDKs on them (openai, anthropic)",
        tried="httpx 0.28, httpx2 2.16",
        ways=("sync", "async", "stream"),
        records="each request that reaches HTTPTransport or AsyncHTTPTransport; redirects are requests of their own",
        limits=(
            "a streamed request body is read to its end before it is sent",
            "transports of the program's own (WSGI, ASGI, Mock) are its code: they run again",
            "`network_stream` answers nothing at replay; using it while recording is a blind spot",
            "`extensions['trace']` isn't called at replay; a blind spot",
        ),
    ),
    Seam(
        name="http.client",
        module="replay.seams.http_client",
        targets=(
            Target("http.client", ("HTTPConnection.send", "HTTPConnection.connect", "HTTPResponse.begin")),
            Target("urllib3.connection", ("HTTPConnection.connect", "HTTPConnection.is_connected")),
            Target("urllib3.connectionpool", ("HTTPConnectionPool._get_conn", "HTTPConnectionPool._put_conn")),
            Target("urllib3.poolmanager", ("PoolManager.connection_from_pool_key", "PoolManager.clear")),
            Target("httplib2", ("HTTPConnectionWithTimeout.connect", "HTTPSConnectionWithTimeout.connect")),
        ),
        covers="http.client, urllib, urllib3, requests, botocore (boto3), httplib2",
        tried="CPython 3.11, urllib3 2.8, requests 2.34, botocore 1.44, httplib2 0.32",
        ways=("sync", "stream"),
        records="each request, above TLS and below the pool; whether sending worked is a draw",
        limits=(
            "a chunk of a chunked response reaches the program whole, or in parts of 16 MiB",
            "trailers of a chunked response are dropped, as http.client does",
            "HTTP/2 of urllib3 and SOCKS proxies: not covered",
            "what is asked of the socket itself (certificate, peer name) is a blind spot",
        ),
    ),
    Seam(
        name="aiohttp",
        module="replay.seams.aiohttp",
        targets=(
            Target(
                "aiohttp",
                (
                    "BaseConnector.connect",
                    "BaseConnector.close",
                    "TCPConnector.close",
                    "client_proto.ResponseHandler.set_response_params",
                    "client_proto.ResponseHandler.start_timeout",
                    "connector.Connection",
                    "http_parser.DeflateBuffer",
                    "http_parser.RawResponseMessage",
                    "streams.StreamReader._wait",
                    "streams.EMPTY_PAYLOAD",
                ),
            ),
        ),
        covers="aiohttp (client)",
        tried="aiohttp 3.14",
        ways=("async", "stream"),
        records="each request below ClientSession; redirects, cookies, middlewares and timeouts run again at replay",
        limits=(
            "a streamed request body is written to its end before it is sent",
            "websockets are recorded as connections; each has one of its own, beside the session's pool",
            "trace signals about connections and name look-up aren't sent at replay; a blind spot",
        ),
    ),
    Seam(
        name="tornado",
        module="replay.seams.tornado",
        targets=(
            Target(
                "tornado.simple_httpclient",
                ("SimpleAsyncHTTPClient.fetch_impl", "HTTPResponse", "_RequestProxy", "httputil.HTTPHeaders"),
            ),
        ),
        covers="tornado (AsyncHTTPClient, HTTPClient)",
        tried="tornado 6.6",
        ways=("async", "stream"),
        records="each fetch; headers are those that the program gave, pieces come decompressed",
        limits=(
            "redirects that tornado follows are part of their fetch: `response.url` says where it ended",
            "`body_producer` runs inside of the client, unrecorded: a blind spot",
            "`curl_httpclient`: not covered",
        ),
    ),
    Seam(
        name="grpc",
        module="replay.seams.grpc",
        targets=(
            Target(
                "grpc._channel",
                (
                    "_UnaryUnaryMultiCallable._blocking",
                    "_UnaryUnaryMultiCallable.future",
                    "_UnaryStreamMultiCallable",
                    "_SingleThreadedUnaryStreamMultiCallable",
                    "_StreamUnaryMultiCallable",
                    "_StreamStreamMultiCallable",
                    "_RPCState",
                    "_common.deserialize",
                    "cygrpc._Metadatum",
                ),
            ),
            Target("grpc.aio._channel", ("Channel", "UnaryUnaryMultiCallable", "StreamStreamMultiCallable")),
        ),
        covers="grpcio: unary calls of synchronous channels",
        tried="grpcio 1.85",
        ways=("sync",),
        records="each unary call: target, method, metadata and message; the answer's message, status and metadata",
        limits=(
            "streams, `future` and `grpc.aio`: not covered; a blind spot that names target and method",
            "metadata that call credentials add isn't seen",
        ),
    ),
    Seam(
        name="mcp",
        module="replay.seams.mcp",
        targets=(
            Target("mcp.client.stdio", ("stdio_client", "TransportStreams", "SessionMessage")),
            Target("mcp.client.streamable_http", ("streamable_http_client", "TransportStreams", "SessionMessage")),
            Target("mcp.client.sse", ("sse_client", "SessionMessage")),
        ),
        covers="mcp (clients over stdio, streamable HTTP and SSE), and agents that take tools from MCP servers",
        tried="mcp 2.3",
        ways=("async", "stream"),
        records="each JSON-RPC message: those sent are events, those that came are pieces of the event that opened the "
        "transport; neither process nor HTTP request is an event of its own",
        limits=(
            "a transport that breaks ends the stream of messages; it doesn't cancel the block that it was opened for",
            "what a transport calls back (OAuth flows, hooks of its HTTP client): runs unrecorded, a blind spot",
            "what a server writes to its standard error: a blind spot",
            "transports of the program's own, mcp 1.x: recorded below, as processes and HTTP",
        ),
    ),
    Seam(
        name="redis",
        module="replay.seams.redis",
        targets=(
            Target("redis.client", (*_REDIS, "Redis.close", "PubSub.reset")),
            Target("redis.connection", (*_REDIS_CONNECTION, "AbstractConnection.can_read")),
            Target("redis.asyncio.client", (*_REDIS, "Redis.aclose", "PubSub.aclose")),
            Target("redis.asyncio.connection", (*_REDIS_CONNECTION, "AbstractConnection.can_read_destructive")),
        ),
        covers="redis and redis.asyncio: commands, pipelines, transactions, scripts, locks, subscriptions",
        tried="redis 8.1 against Redis 6.2",
        ways=("sync", "async"),
        records="each command with its keys and the server's answer; a pipeline as one event; each message of a "
        "subscription. Response callbacks and message handlers run again; no connection is opened at replay",
        limits=(
            "clusters and sentinels: what is sent and read on each connection, without keys",
            "push messages of RESP 3 (invalidations of a client-side cache): handlers aren't called at replay",
            "arguments of AUTH, HELLO, ACL, MIGRATE and CONFIG SET aren't stored",
        ),
    ),
    Seam(
        name="psycopg",
        module="replay.seams.psycopg",
        targets=(
            Target(
                "psycopg",
                (
                    "Connection.wait",
                    "AsyncConnection.wait",
                    "Cursor.executemany",
                    "generators.execute",
                    "generators.fetch_many",
                    "generators.pipeline_communicate",
                    "waiting.wait_conn",
                    "waiting.wait_conn_async",
                    "_transformer.Transformer",
                    "_copy_base._format_row_text",
                    "pq.Escaping",
                    "pq.misc._clean_error_message",
                    "Connection._notice_handler",
                ),
            ),
        ),
        covers="psycopg 3 in C, binary or Python, sync and async; psycopg_pool, SQLAlchemy and others on it",
        tried="psycopg 3.3 and psycopg_pool 3.3 against PostgreSQL 16, SQLAlchemy 2.1",
        ways=("sync", "async", "stream"),
        records="each wait for the server (a statement, a commit, a row of a stream, a piece of a copy) with what the "
        "server answered; cursors, loaders, row factories and handlers of notices run again",
        limits=(
            "what is asked of `connection.pgconn` itself, past psycopg: not covered",
            "passwords in statements (`ALTER ROLE … PASSWORD`) are stored",
        ),
    ),
    Seam(
        name="chromadb",
        module="replay.seams.chromadb",
        targets=(Target("chromadb_rust_bindings", ("Bindings.add", "Bindings.query", "Bindings.get")),),
        covers="chromadb, embedded (PersistentClient, EphemeralClient); a client of its server is recorded as HTTP",
        tried="chromadb 1.5",
        ways=("sync",),
        records="each operation on the database with collection, ids, vectors, documents and metadata, and its answer; "
        "embedding functions run again; the database isn't opened at replay",
        limits=(
            "an embedding function that computes locally computes again: its model has to be there",
            "how much of a database was there before the recording is known only as far as it was read",
        ),
    ),
    Seam(
        name="multiprocessing",
        module="replay.seams.multiprocessing",
        targets=(
            Target("multiprocessing.process", ("BaseProcess", "os")),
            Target("multiprocessing.util", ("_exit_function", "os")),
            Target("multiprocessing.popen_fork", ("Popen.poll", "Popen.wait", "Popen._send_signal")),
            Target("multiprocessing.popen_forkserver", ("Popen.poll",)),
            Target("multiprocessing.connection", ("_ConnectionBase.recv", "_ConnectionBase.send", "wait")),
            Target("multiprocessing.queues", ("Queue.get", "JoinableQueue.put", "SimpleQueue.get", "os")),
            Target("multiprocessing.synchronize", ("SemLock._make_methods", "Condition.wait", "Event.wait")),
            Target("multiprocessing.sharedctypes", ("Synchronized.value", "SynchronizedArray.__getitem__")),
            Target("multiprocessing.heap", ("Arena._choose_dir", "os")),
            Target("multiprocessing.resource_tracker", ("ResourceTracker.ensure_running", "_resource_tracker")),
            Target("multiprocessing.managers", ("BaseManager.start",)),
            Target("multiprocessing.pool", ("Pool._map_async", "ApplyResult._set", "worker", "ThreadPool")),
            Target("concurrent.futures.process", ("ProcessPoolExecutor.submit", "_ThreadWakeup", "_process_worker")),
        ),
        covers="multiprocessing (fork, spawn, forkserver), Pool, ProcessPoolExecutor",
        tried="CPython 3.11",
        ways=("sync",),
        records="what processes, connections, queues, locks and pools gave back, by value; each child has a cassette",
        limits=(
            "managers, `Listener` and `Client`, raw shared memory: not covered; a manager is a blind spot",
            "results of classes that the codec doesn't know are gaps: a replay ends there",
            "the iterable of `imap` is consumed by a thread of the pool: its reads aren't recorded",
            "a pool's workers are recorded, but not replayed by themselves: their jobs came through a pipe",
        ),
    ),
    Seam(
        name="subprocess",
        module="replay.seams.subprocess",
        targets=(
            Target("subprocess", ("Popen._execute_child", "Popen._close_pipe_fds", "Popen.communicate", "_cleanup")),
            Target("os", ("waitpid", "kill", "system")),
        ),
        covers="subprocess, os.system, os.popen, os.spawn*, os.posix_spawn, os.waitpid",
        tried="CPython 3.11",
        ways=("sync",),
        records="what is started, what goes through its pipes piece by piece, signals, exit codes",
        limits=(
            "what a child writes to an inherited stream or to a file isn't seen; a blind spot",
            "of `env`, the variables that differ from the program's own; secret ones are replaced",
        ),
    ),
    Seam(
        name="socket",
        module="replay.seams.sockets",
        targets=(
            Target(
                "socket", ("socket.connect", "socket.recv_into", "socket.accept", "getaddrinfo", "_intenum_converter")
            ),
            Target("ssl", ("SSLSocket.read", "SSLSocket.do_handshake", "SSLSocket.unwrap")),
            Target("select", ("select",)),
            Target("selectors", ("DefaultSelector.select", "DefaultSelector.get_map")),
        ),
        covers="sockets used directly, and pure Python clients and servers on them (websockets, smtplib, http.server)",
        tried="CPython 3.11, websockets 16.1 and 17.4",
        ways=("sync", "stream"),
        records="connecting, sending, receiving, accepting, TLS, name look-ups and waiting; no connection at replay",
        limits=(
            "a connection that the inside of a tool shares with the program outside: replayed by running the tools",
            "what goes through a descriptor past its socket (`os.read`, `os.sendfile`): not covered",
        ),
    ),
    Seam(
        name="langchain",
        module="replay.seams.langchain",
        targets=(
            Target(
                "langchain_core.tools.base",
                (
                    "BaseTool.__init_subclass__",
                    "BaseTool._run",
                    "BaseTool._arun",
                    "BaseTool._filter_injected_args",
                    "_get_runnable_config_param",
                ),
            ),
        ),
        covers="tools of LangChain and LangGraph (`@tool`, StructuredTool, classes on BaseTool; ToolNode, prebuilt "
        "agents)",
        tried="langchain-core 1.7",
        ways=("sync", "async"),
        records="each call of a tool: its arguments without injected ones, its result before it becomes a message",
        limits=(
            "what a tool sends through a stream writer reaches the program only where its body runs",
            "a result that the codec doesn't know is a gap",
        ),
    ),
    Seam(
        name="langgraph",
        module="replay.seams.langgraph",
        targets=(
            Target("langgraph.pregel._runner", ("run_with_retry", "arun_with_retry")),
            Target("langgraph.graph.state", ("_control_branch",)),
            Target("langgraph.prebuilt.chat_agent_executor", ("create_react_agent",)),
            Target("langchain.agents.factory", ("create_agent",)),
        ),
        covers="LangGraph's nodes, langchain's agents: who acts",
        tried="langgraph 1.2, langchain 1.4",
        ways=("sync", "async"),
        records="no crossing: the name of the node or agent, on every event; where a `Command` hands over, an event",
        limits=("a prebuilt agent made before the recording began acts under its nodes' names",),
    ),
    Seam(
        name="langgraph-memory",
        module="replay.seams.langgraph_memory",
        targets=(
            Target(
                "langgraph.checkpoint.memory",
                tuple(f"InMemorySaver.{each}" for each in ("put", "put_writes", "get_tuple", "list", "delete_thread")),
            ),
            Target("langgraph.store.memory", ("InMemoryStore.batch", "InMemoryStore.abatch")),
        ),
        covers="LangGraph's InMemorySaver and InMemoryStore; savers on SQLite and PostgreSQL are seen at their drivers",
        tried="langgraph-checkpoint 4.3, langgraph-checkpoint-sqlite 3.1, langgraph-checkpoint-postgres 3.2",
        ways=("sync", "async"),
        records="each read and write, with store, thread or namespace and key, and value; it is done again at replay",
        limits=(
            "a checkpoint's values are the saver's own bytes: with an encrypting serializer they stay unread",
            "objects in a store are told by their attributes; vectors of its index aren't",
        ),
    ),
    Seam(
        name="openai-agents",
        module="replay.seams.openai_agents",
        targets=(
            Target("agents.run_internal.tool_execution", ("_invoke_function_tool_with_metadata", "FunctionTool")),
            Target("agents.run_internal.turn_resolution", ("execute_handoffs",)),
            Target(
                "agents.run_internal.run_loop",
                ("run_single_turn", "run_single_turn_streamed", "resolve_interrupted_turn"),
            ),
        ),
        covers="openai-agents: function tools, hand-offs, who acts",
        tried="openai-agents 0.24",
        ways=("async",),
        records="each call of a function tool: the model's arguments without the context, its result; hand-offs as "
        "events, with their input; the agent's name on every event",
        limits=(
            "agents as tools run again, as the program's code; shell, computer and custom tools: not covered",
            "realtime and voice agents: not covered",
        ),
    ),
    Seam(
        name="pydantic-ai",
        module="replay.seams.pydantic_ai",
        targets=(
            Target("pydantic_ai.toolsets.function", ("FunctionToolset.call_tool",)),
            Target("pydantic_ai.agent", ("Agent.iter",)),
        ),
        covers="pydantic-ai: function tools, who acts",
        tried="pydantic-ai-slim 2.68",
        ways=("sync", "async"),
        records="each call of a function tool: its validated arguments without the context, its result; the agent's "
        "name on every event",
        limits=(
            "an agent that a tool runs is inside of that tool",
            "what a tool does to `ctx` (its usage) is done only where its body runs",
        ),
    ),
    Seam(
        name="smolagents",
        module="replay.seams.smolagents",
        targets=(
            Target("smolagents.tools", ("Tool.__call__",)),
            Target("smolagents.agents", ("MultiStepAgent._run_stream", "MultiStepAgent.__call__")),
        ),
        covers="smolagents: tools, managed agents, who acts",
        tried="smolagents 1.26",
        ways=("sync",),
        records="each call of a tool, also from an agent's code; calls of managed agents as hand-offs; the agent's "
        "name on every event",
        limits=(
            "images and sound that a tool returns are gaps",
            "`final_answer` isn't a crossing",
            "a managed agent called twice in one turn: a data race in its memory without `max_tool_threads=1`",
        ),
    ),
    Seam(
        name="ag2",
        module="replay.seams.ag2",
        targets=(
            Target("ag2.tools.final.function_tool", ("FunctionTool.__call__",)),
            Target("ag2.agent", ("Agent._drive_scope",)),
        ),
        covers="AG2 (`ag2`, not `autogen`): tools, delegation, who acts",
        tried="ag2 1.2",
        ways=("async",),
        records="each call of a tool: the model's arguments without injected ones, its result; delegation to another "
        "agent as a hand-off; the agent's name on every event",
        limits=(
            "tools of AG2 itself run again: what they reach is recorded",
            "openai clients that AG2 makes are closed by the garbage collector, at any time: give it an `http_client`",
            "live agents, networks: not tried",
        ),
    ),
)

_listeners: list[Blind] = []
_misfits: list[str] = []
_installed = False
_added: list[Seam] = []


def install(blind: Blind) -> None:
    """Install every seam as its library gets imported, now where it is.

    Args:
        blind: told `("seam", why)` about each library that its seam doesn't fit, now or when it is imported.
    """
    global _installed
    _listeners.append(blind)
    for misfit in _misfits:
        blind("seam", misfit)
    if _installed:
        return
    _installed = True
    for seam in SEAMS:
        for target in seam.targets:
            on_import(target.module, partial(_fit, seam, target))


def add(seams: Iterable[Seam]) -> None:
    """Install other packages' seams behind ours, each once."""
    for seam in seams:
        if seam in _added:
            continue
        _added.append(seam)
        for target in seam.targets:
            on_import(target.module, partial(_fit, seam, target))


@contextmanager
def only(names: Collection[str]) -> Generator[None]:
    """Install those seams, and no others, for a block; what they patched is as it was behind it.

    Where all are installed already, or get installed meanwhile, nothing is taken away.
    """
    if _installed:
        yield
        return
    before = _seam.undoing
    patched: list[_seam.Patched] = []
    _seam.undoing = patched
    wanted = [(seam, target) for seam in SEAMS if seam.name in names for target in seam.targets]
    for seam, target in wanted:
        if target.module in sys.modules:
            _fit(seam, target, sys.modules[target.module])
        elif target not in _awaited:
            _awaited.add(target)
            on_import(target.module, partial(_fit_if_noted, seam, target))
    try:
        yield
    finally:
        _seam.undoing = before
        if not _installed:
            _seam.undo(patched)


_awaited: set[Target] = set()


def _fit_if_noted(seam: Seam, target: Target, module: ModuleType) -> None:
    """A library that is imported by a test: whether it is still wanted."""
    if _seam.undoing is not None and not _installed:
        _fit(seam, target, module)


def misfits() -> tuple[str, ...]:
    """The libraries of this process that their seam doesn't fit, and why."""
    return tuple(_misfits)


def _fit(seam: Seam, target: Target, module: ModuleType) -> None:
    """Patch one library. What goes wrong here is a blind spot, never the program's problem."""
    lacking = missing(module, target.needs)
    if lacking:
        _misfit(seam, target, f"{', '.join(lacking)} missing")
        return
    try:
        with nobody():
            import_module(seam.module).install(module)
    except Exception as error:
        _misfit(seam, target, f"{type(error).__name__}: {error}")


def _misfit(seam: Seam, target: Target, why: str) -> None:
    detail = f"seam {seam.name} doesn't fit {target.module}{_version(target.module)}: {why}"
    _misfits.append(detail)
    for blind in _listeners:
        blind("seam", detail)


def _version(module: str) -> str:
    top = module.partition(".")[0]
    if top in sys.stdlib_module_names:
        return " of Python " + ".".join(map(str, sys.version_info[:3]))
    version = getattr(sys.modules.get(top), "__version__", None)
    return f" {version}" if isinstance(version, str) else ""
