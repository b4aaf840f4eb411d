from __future__ import annotations

import json
import os
import stat
import subprocess
import sys

import pytest
from hypothesis import given
from hypothesis import strategies as st

from meter import limits
from meter.environment import (
    SOCKET_LIMIT_BYTES,
    Environment,
    ensure_private_dir,
    home,
    runtime_dir,
    socket_path,
)
from meter.errors import AgentError, LimitError, MeterError, UsageError
from meter.ids import ulid
from meter.launch.client import Exchange, NoAgentError, NoAnswerError, _request_bytes, request
from meter.launch.identity import Identity
from meter.launch.options import help_text, parse
from meter.launch.spec import end_of, registration

UID = os.getuid()


def test_home_is_the_named_one_then_the_xdg_state_folder_then_the_users():
    assert home({"METER_HOME": "/m", "HOME": "/u"}, UID) == "/m"
    assert home({"XDG_STATE_HOME": "/s", "HOME": "/u"}, UID) == "/s/meter"
    assert home({"XDG_STATE_HOME": "relative", "HOME": "/u"}, UID) == "/u/.local/state/meter"
    assert os.path.isabs(home({}, UID))


def test_homes_that_differ_have_sockets_that_differ(tmp_path):
    base = {"XDG_RUNTIME_DIR": str(tmp_path), "HOME": "/u"}
    plain = socket_path(base, UID)
    assert plain == f"{tmp_path}/meter/agent.sock"
    assert socket_path({**base, "METER_HOME": "/u/.local/state/meter"}, UID) == plain
    others = {socket_path({**base, "METER_HOME": name}, UID) for name in ("/a", "/b", "/a/")}
    assert len(others) == 2
    assert plain not in others


@given(st.text(st.characters(codec="utf-8", exclude_characters="\0"), max_size=300))
def test_a_socket_that_is_chosen_always_fits(name):
    for variables in ({"METER_HOME": "/" + name}, {"HOME": "/" + name}, {"XDG_STATE_HOME": name}):
        assert len(os.fsencode(socket_path(variables, UID))) <= SOCKET_LIMIT_BYTES


def test_a_long_runtime_folder_is_left_for_a_short_one(tmp_path):
    long = tmp_path / ("x" * 100)
    long.mkdir(mode=0o700)
    assert socket_path({"XDG_RUNTIME_DIR": str(long), "HOME": "/u"}, UID).startswith("/tmp/meter-")


def test_a_runtime_folder_of_somebody_else_does_not_count(tmp_path):
    assert runtime_dir({"XDG_RUNTIME_DIR": str(tmp_path)}, UID) == f"{tmp_path}/meter"
    assert runtime_dir({"XDG_RUNTIME_DIR": str(tmp_path)}, UID + 1) != f"{tmp_path}/meter"
    assert runtime_dir({"XDG_RUNTIME_DIR": f"{tmp_path}/none"}, UID) != f"{tmp_path}/none/meter"


def test_a_private_folder_is_made_private_and_a_planted_one_refused(tmp_path):
    folder = tmp_path / "meter"
    ensure_private_dir(str(folder), UID)
    folder.chmod(0o777)
    ensure_private_dir(str(folder), UID)
    assert stat.S_IMODE(folder.stat().st_mode) == 0o700
    with pytest.raises(AgentError, match="does not belong"):
        ensure_private_dir(str(folder), UID + 1)
    (tmp_path / "link").symlink_to(folder)
    with pytest.raises(AgentError, match="does not belong"):
        ensure_private_dir(str(tmp_path / "link"), UID)


def test_an_agent_is_given_absolute_places_and_no_run(tmp_path):
    variables = {
        "METER_HOME": "h",
        "METER_RUN_ID": "r",
        "METER_LAUNCHER_PID": "1",
        "METER_CONFIG": "c.toml",
        "OTHER": "kept",
    }
    given_on = Environment(variables, UID).for_agent()
    assert given_on["METER_HOME"] == os.path.abspath("h")
    assert given_on["METER_CONFIG"] == os.path.abspath("c.toml")
    assert given_on["OTHER"] == "kept"
    assert "METER_RUN_ID" not in given_on
    assert "METER_LAUNCHER_PID" not in given_on


@given(st.integers(0, 2**48 - 1), st.integers(0, 2**48 - 1), st.binary(min_size=10, max_size=10))
def test_ids_sort_as_their_instants(one, other, chance):
    first, second = ulid(one, chance), ulid(other, chance)
    assert len(first) == 26
    assert (first < second) == (one < other)


def test_ids_of_the_specification():
    assert ulid(1469918176385, b"\0" * 10).startswith("01ARYZ6S41")
    assert ulid(2**48 - 1, b"\xff" * 10) == "7ZZZZZZZZZZZZZZZZZZZZZZZZZ"


@pytest.mark.parametrize(
    "words",
    [
        [],
        ["--"],
        ["--bogus", "x"],
        ["--name"],
        ["--tag", "novalue", "x"],
        ["--tag", "=v", "x"],
        ["--tag", "a=1", "--tag", "a=2", "x"],
        ["--linger", "soon", "x"],
        ["--linger", "-1", "x"],
        ["--linger", "nan", "x"],
        ["--quiet=1", "x"],
        ["--name", "a\nb", "x"],
        ["--project", " ", "x"],
        ["--gpus", "", "x"],
        ["--summary-json", "", "x"],
    ],
)
def test_wrong_usage_is_refused_with_a_remedy(words):
    with pytest.raises(UsageError) as caught:
        parse("run", words)
    assert caught.value.remedy
    assert "\n" not in str(caught.value)


def test_limits_are_named():
    with pytest.raises(LimitError, match=r"10,000 tags; the limit is 64"):
        parse("run", [word for n in range(10_000) for word in ("--tag", f"k{n}=v")] + ["x"])
    with pytest.raises(LimitError, match=r"1,048,576 characters; the limit is 200"):
        parse("run", ["--name", "x" * (1 << 20), "x"])
    with pytest.raises(LimitError, match="limit is 256"):
        parse("run", ["--tag", "a=" + "v" * 300, "x"])
    assert limits.check_tags({f"k{n}": "" for n in range(limits.TAGS)}) is None


def test_the_command_begins_at_the_first_word_that_is_no_option():
    options = parse("run", ["--name=n", "-q", "--tag", "a=b=c", "python", "--name", "other"])
    assert options.command == ["python", "--name", "other"]
    assert (options.name, options.quiet, options.tags) == ("n", True, {"a": "b=c"})
    assert parse("run", ["--", "--odd-command"]).command == ["--odd-command"]


def test_help_names_every_option_and_ends_with_an_example():
    for mode in ("run", "exec", "attach"):
        text = help_text(mode)
        assert all(flag in text for flag in ("--project", "--gpus", "--summary-json", "--strict"))
        assert text.rstrip().splitlines()[-1].startswith("Example: meter " + mode)
        assert max(map(len, text.splitlines())) <= 82


@given(st.text(max_size=50), st.text(max_size=50))
def test_odd_variables_never_keep_a_run_from_being_described(visible, project):
    variables = {"CUDA_VISIBLE_DEVICES": visible, "METER_PROJECT": project}
    options = parse("run", ["/bin/\udcff"])
    body = registration(options, Environment(variables, UID), Identity("id", "generated", []), 1)
    assert body["cuda_visible_devices"] == visible
    body["name"].encode()
    limits.check_name("name", body["name"])


def test_the_end_of_a_run_tells_code_and_status():
    assert end_of(0, 0.0)["status"] == "completed"
    assert end_of(3 << 8, 0.0)["exit_code"] == 3
    assert (end_of(9, 0.0)["exit_code"], end_of(9, 0.0)["status"]) == (-9, "failed")
    assert (end_of(None, 0.0)["exit_code"], end_of(None, 0.0)["status"]) == (None, "completed")


@pytest.fixture
def served(tmp_path):
    """Serves one answer, byte by byte as given; the path of its socket."""
    import socket
    import threading

    servers = []

    def serve(answer):
        path = str(tmp_path / f"s{len(servers)}")
        server = socket.socket(socket.AF_UNIX)
        server.bind(path)
        server.listen()
        servers.append(server)

        def once():
            connection, _ = server.accept()
            with connection:
                connection.recv(65_536)
                connection.sendall(answer)

        if answer is not None:
            threading.Thread(target=once, daemon=True).start()
        return path

    yield serve
    for server in servers:
        server.close()


def test_answers_are_read_whole_chunked_or_until_the_end(served):
    whole = b'HTTP/1.1 201 Created\r\ncontent-length: 7\r\n\r\n{"a":1}'
    chunked = (
        b'HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\n{"a\r\n4;x\r\n":1}\r\n0\r\n\r\n'
    )
    ended = b'HTTP/1.1 200 OK\r\n\r\n{"a":1}'
    empty = b"HTTP/1.1 204 No Content\r\n\r\n"
    assert request(served(whole), "POST", "/", {"b": 2}) == (201, {"a": 1})
    assert request(served(chunked), "GET", "/") == (200, {"a": 1})
    assert request(served(ended), "GET", "/") == (200, {"a": 1})
    assert request(served(empty), "GET", "/") == (204, {})


@pytest.mark.parametrize(
    "answer",
    [b"", b"garbage", b"HTTP/1.1 200 OK\r\ncontent-length: 99\r\n\r\n{}", b"HTTP/1.1\r\n\r\n"],
)
def test_nonsense_from_the_socket_is_an_error_with_a_remedy(served, answer):
    with pytest.raises(AgentError) as caught:
        request(served(answer), "GET", "/")
    assert caught.value.remedy


def test_a_silent_agent_and_a_missing_one_are_told_apart(served, tmp_path):
    with pytest.raises(NoAnswerError):
        request(served(None), "GET", "/", timeout_s=0.05)
    with pytest.raises(NoAgentError):
        request(str(tmp_path / "none"), "GET", "/")
    with pytest.raises(NoAgentError):
        request("/" + "x" * 200, "GET", "/")


@given(st.text(st.characters()))  # surrogates too, as a broken file name has them
def test_any_text_arrives_as_json_has_it(text):
    head, _, body = _request_bytes("POST", "/", {"said": text}).partition(b"\r\n\r\n")
    assert f"Content-Length: {len(body)}".encode() in head.split(b"\r\n")
    assert json.loads(body) == json.loads(json.dumps({"said": text}))


def test_an_exchange_knows_the_process_that_listens(served):
    exchange = Exchange(served(None), "GET", "/")
    assert exchange.agent_pid == os.getpid()
    exchange.close()


def test_the_launcher_imports_nothing_heavy():
    program = (
        "import sys\n"
        "import meter.__main__, meter.launch.main, meter.launch.accompany, meter.launch.begin\n"
        "heavy = {'duckdb', 'pynvml', 'fastapi', 'pydantic', 'click', 'dataclasses', 'rich',\n"
        "         'asyncio', 'subprocess', 'threading', 'pathlib', 'codecarbon', 'logging'}\n"
        "print(sorted(heavy & set(sys.modules)))"
    )
    paths = f"import sys; sys.path[:] = {[os.getcwd(), *sys.path]!r}\n"
    done = subprocess.run(
        [sys.executable, "-I", "-S", "-c", paths + program], capture_output=True, text=True
    )
    assert done.stdout.strip() == "[]", done.stderr


def test_errors_are_meter_errors():
    assert issubclass(NoAgentError, MeterError)
    assert issubclass(NoAnswerError, AgentError)
