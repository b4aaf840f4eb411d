"""TLS and passwords of the agent's address, in the format that Prometheus' exporters have."""

from __future__ import annotations

import base64
import os
import shutil
import ssl
import subprocess
import threading
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import httpx
import pytest
import yaml

from agent.agents import Agent, agent, configured, until
from dashboards.servers import free_port
from meter.agent import passwords as passwords_module
from meter.agent import web_config, wiring
from meter.agent.listen import listen
from meter.agent.options import Options
from meter.agent.passwords import Passwords
from meter.agent.web_guard import Web, WebGuard
from meter.config import Config
from meter.errors import ConfigError

if TYPE_CHECKING:
    from collections.abc import Callable

HASH = "$2b$04$abcdefghijklmnopqrstuuPp7HPfoAs8I2dCQCQ/fW7zEJv8I8C8e"
"""Of the password x."""
OTHER = "$2b$04$abcdefghijklmnopqrstuuPp7HPfoAs8I2dCQCQ/fW7zEJv8I8C8f"
EXAMPLE = Path(__file__).resolve().parents[2] / "deploy" / "prometheus" / "web.yml"


def certificate(folder: Path, openssl: str, name: str = "agent") -> None:
    command = [
        openssl, "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1",
        "-nodes", "-days", "2", "-subj", f"/CN={name}", "-addext",
        "subjectAltName=DNS:localhost,IP:127.0.0.1", "-keyout", str(folder / f"{name}.key"),
        "-out", str(folder / f"{name}.crt"),
    ]  # fmt: skip
    subprocess.run(command, check=True, capture_output=True)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory, require_tool: Callable[[str], str]) -> Path:
    found = tmp_path_factory.mktemp("certificates")
    openssl = require_tool("openssl")
    certificate(found, openssl)
    certificate(found, openssl, "client")
    return found


def written(folder: Path, name: str = "web.yml", **changes: Any) -> Path:
    tls = {"cert_file": "agent.crt", "key_file": "agent.key", **changes.pop("tls", {})}
    given = {"tls_server_config": tls, "basic_auth_users": {"prometheus": HASH}, **changes}
    path = folder / name
    path.write_text(yaml.safe_dump({k: v for k, v in given.items() if v is not None}))
    return path


def ask(node: Agent, folder: Path, path: str = "/metrics", **given: Any) -> httpx.Response:
    [url] = [one for one in node.ask("GET", "/v1/status")[1]["agent"]["listens"] if ":" in one]
    verify = ssl.create_default_context(cafile=str(folder / "agent.crt"))
    with httpx.Client(verify=verify) as client:
        return client.get(f"https://{url.rpartition('/')[2]}{path}", **given)


# -- the real thing -------------------------------------------------------------------------------


def test_a_real_prometheus_scrapes_over_tls_with_a_password(
    folder: Path, tmp_path: Path, require_tool: Callable[[str], str]
) -> None:
    server = require_tool("prometheus")
    with agent(tmp_path, "--web-config", str(written(folder))) as node:
        node.hear("reading")
        [address] = node.ask("GET", "/v1/status")[1]["agent"]["listens"]
        targets = [{"targets": [address.rpartition("/")[2]]}]
        jobs = [
            {"job_name": name, "scheme": "https", "static_configs": targets,
             "tls_config": {"ca_file": str(folder / "agent.crt")},
             "basic_auth": {"username": "prometheus", "password": password}}
            for name, password in (("right", "x"), ("wrong", "y"))
        ]  # fmt: skip
        every = {"scrape_interval": "1s", "scrape_timeout": "1s"}
        config = tmp_path / "prometheus.yml"
        config.write_text(yaml.safe_dump({"global": every, "scrape_configs": jobs}))
        port = free_port()
        with (tmp_path / "prometheus.log").open("wb") as log:
            process = subprocess.Popen(
                [server, f"--config.file={config}", f"--storage.tsdb.path={tmp_path / 'data'}",
                 f"--web.listen-address=127.0.0.1:{port}"], stderr=log,
            )  # fmt: skip
        try:

            def health() -> dict[str, tuple[str, str]]:
                try:
                    answer = httpx.get(f"http://127.0.0.1:{port}/api/v1/targets")
                except httpx.TransportError:
                    return {}
                if answer.status_code == 503:  # it listens before it is ready
                    return {}
                found = answer.json()
                return {
                    one["labels"]["job"]: (one["health"], one["lastError"])
                    for one in found["data"]["activeTargets"]
                    if one["health"] != "unknown"
                }

            until(lambda: len(health()) == 2, "two scrapes")
            assert health()["right"] == ("up", "")
            assert health()["wrong"][0] == "down"
            assert "401" in health()["wrong"][1]
            query = {"query": 'meter_agent_info{job="right"}'}
            found = httpx.get(f"http://127.0.0.1:{port}/api/v1/query", params=query).json()
            [told] = found["data"]["result"]
            assert told["metric"]["scheme"] == "https"
            assert "address" not in told["metric"]
        finally:
            process.kill()
            process.wait()


def test_who_has_no_password_or_no_tls_gets_nothing(folder: Path, tmp_path: Path) -> None:
    with agent(tmp_path, "--web-config", str(written(folder))) as node:
        node.hear("reading")
        refused = ask(node, folder)
        assert refused.status_code == 401
        assert refused.headers["www-authenticate"] == 'Basic realm="meter"'
        for header in ("Basic", "Basic !", "Bearer eA==", "Basic " + "A" * 4_000):
            assert ask(node, folder, headers={"Authorization": header}).status_code == 401
        assert ask(node, folder, auth=("prometheus", "y")).status_code == 401
        assert ask(node, folder, auth=("nobody", "x")).status_code == 401
        assert ask(node, folder, "/v1/runs").status_code == 401
        assert ask(node, folder, auth=("prometheus", "x")).status_code == 200
        assert ask(node, folder, "/healthz", auth=("prometheus", "x")).status_code == 200
        [address] = node.ask("GET", "/v1/status")[1]["agent"]["listens"]
        with pytest.raises(httpx.TransportError):
            httpx.get(f"http://{address.rpartition('/')[2]}/metrics")
        assert node.page()  # the Unix socket asks for no password: its folder is its door


def test_a_new_certificate_and_a_new_password_need_no_restart(
    folder: Path, tmp_path: Path, require_tool: Callable[[str], str]
) -> None:
    for name in ("agent.crt", "agent.key"):
        shutil.copy(folder / name, tmp_path / name)
    path = written(tmp_path)
    with agent(tmp_path, "--web-config", str(path)) as node:
        node.hear("reading")
        assert ask(node, tmp_path, auth=("prometheus", "x")).status_code == 200
        certificate(tmp_path, require_tool("openssl"))

        def renewed() -> bool:
            try:
                return ask(node, tmp_path, auth=("prometheus", "x")).status_code == 200
            except httpx.ConnectError:
                return False

        until(renewed, "the new certificate")
        written(tmp_path, basic_auth_users={"other": HASH})
        until(lambda: ask(node, tmp_path, auth=("other", "x")).status_code == 200, "the new user")
        assert ask(node, tmp_path, auth=("prometheus", "x")).status_code == 401
        path.write_text("basic_auth_users: {other: {}}")
        until(lambda: "of before holds on" in node.log.read_text() or not ask(
            node, tmp_path, auth=("other", "x")), "what is said")  # fmt: skip
        assert ask(node, tmp_path, auth=("other", "x")).status_code == 200


def test_a_client_certificate_can_be_asked_for(folder: Path, tmp_path: Path) -> None:
    tls = {"client_ca_file": "client.crt", "client_auth_type": "RequireAndVerifyClientCert"}
    path = written(folder, "clients.yml", tls=tls, basic_auth_users=None)
    assert web_config.read(path).asks_who
    with agent(tmp_path, "--web-config", str(path)) as node:
        node.hear("reading")
        with pytest.raises(httpx.TransportError):
            ask(node, folder)
        [address] = node.ask("GET", "/v1/status")[1]["agent"]["listens"]
        verify = ssl.create_default_context(cafile=str(folder / "agent.crt"))
        verify.load_cert_chain(folder / "client.crt", folder / "client.key")
        with httpx.Client(verify=verify) as client:
            url = f"https://{address.rpartition('/')[2]}/metrics"
            assert client.get(url).status_code == 200


# -- what is wrong is said before anything starts -------------------------------------------------


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (None, "cannot be read (No such file or directory): name another file"),
        ("tls_server_config: [", "is no YAML (line 1"),
        ("- x", "has no keys under its root"),
        ("tls_config: {}", "has tls_config, which the agent cannot do: leave it out"),
        ("tls_server_config: {cert_file: agent.crt}", "has no key_file"),
        ("tls_server_config: {cert_file: a, key_file: b}", "cannot be used (No such file"),
        ("tls_server_config: {cert_file: agent.crt, key_file: client.key}", "cannot be used"),
        ("tls_server_config: {cert_file: agent.crt, key_file: agent.key, min_version: TLS10}",
         "has min_version: 'TLS10': give one of TLS12, TLS13"),
        ("tls_server_config: {cert_file: agent.crt, key_file: agent.key, cipher_suites: [X]}",
         "has tls_server_config.cipher_suites, which the agent cannot do"),
        (("tls_server_config: {cert_file: agent.crt, key_file: agent.key,"
         " client_auth_type: RequireAnyClientCert}"), "give one of NoClientCert"),
        (("tls_server_config: {cert_file: agent.crt, key_file: agent.key,"
         " client_ca_file: client.crt}"), "that nobody is checked by"),
        (("tls_server_config: {cert_file: agent.crt, key_file: agent.key,"
         " client_auth_type: RequireAndVerifyClientCert}"), "by no authority"),
        ("basic_auth_users: {me: secret}", "for the user 'me' no bcrypt hash"),
        ("basic_auth_users: {me: " + HASH.replace("$04$", "$31$") + "}", "a hash of cost 31"),
        ("http_server_config: {headers: {}}", "has http_server_config.headers"),
    ],
)  # fmt: skip
def test_what_is_wrong_is_said(folder: Path, text: str | None, said: str) -> None:
    path = folder / "wrong.yml"
    path.unlink(missing_ok=True)
    if text is not None:
        path.write_text(text)
    with pytest.raises(ConfigError) as error:
        web_config.read(path)
    assert said in str(error.value)
    assert "secret" not in str(error.value)


def test_nothing_starts_with_a_wrong_one(tmp_path: Path) -> None:
    node = Agent(tmp_path, "--web-config", str(tmp_path / "none.yml"))
    try:
        assert node.process.wait(60) == 2
        assert node.hear("\n").startswith("error the web configuration")
        assert "cannot be read" in node.log.read_text()
        assert not (tmp_path / "agent.sock").exists()
    finally:
        os.close(node.told)


def config(tmp_path: Path, path: Path | None, where: str = "0.0.0.0:0") -> Config:
    return Config(
        home=tmp_path, socket=tmp_path / "s", lease_dir=tmp_path, listen=where, web_config=path
    )


def test_an_address_for_others_needs_tls_and_users(folder: Path, tmp_path: Path) -> None:
    answer = listen(config(tmp_path, written(folder)), Options())
    answer.sockets[0].close()
    for changes in ({"basic_auth_users": None}, {"tls_server_config": None}):
        path = written(folder, "less.yml", **changes)
        with pytest.raises(Exception, match="--web-config with TLS and users"):
            listen(config(tmp_path, path), Options())


def test_a_private_agent_with_a_wrong_one_has_no_address(tmp_path: Path) -> None:
    """It meters on, but never serves with less protection than was asked for."""
    answer = listen(config(tmp_path, tmp_path / "none", "127.0.0.1:0"), Options(private=True))
    assert answer.sockets == []
    assert [notice.code for notice in answer.notices] == ["listen_failed"]


def test_promtool_accepts_our_example(folder: Path, require_tool: Callable[[str], str]) -> None:
    shutil.copy(EXAMPLE, folder / "example.yml")
    command = [require_tool("promtool"), "check", "web-config", str(folder / "example.yml")]
    done = subprocess.run(command, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert web_config.read(folder / "example.yml").asks_who


# -- passwords ----------------------------------------------------------------------------------


def test_a_password_is_compared_once(monkeypatch: pytest.MonkeyPatch) -> None:
    asked = []
    known = Passwords({"me": HASH})
    compared = known._crypt
    known._crypt = lambda *given: asked.append(given) or compared(*given)
    assert known.known("me", "x") is None
    assert known.verify("me", "x")
    assert known.known("me", "x") is True
    assert known.known("me", "y") is None
    assert not known.verify("me", "y")
    assert known.known("me", "y") is False
    assert len(asked) == 2
    assert {len(mark) for mark in known._kept} == {32}


def test_what_is_remembered_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    known = Passwords({"me": HASH})
    known._crypt = lambda *_: "no"
    for number in range(1_000):
        assert not known.verify("me", f"{number}")
    assert len(known._kept) == passwords_module._KEPT


def test_an_unknown_user_costs_what_a_known_one_does() -> None:
    known = Passwords({"me": HASH})
    asked = []
    known._crypt = lambda password, setting: asked.append(setting) or ""
    assert not known.verify("nobody", "x")
    assert [setting[:7] for setting in asked] == ["$2b$10$"]


@pytest.mark.parametrize("password", ["x\0", "x\0y", "", "xx", "X", "ü" * 100])
def test_only_the_password_is_the_password(password: str) -> None:
    assert not Passwords({"me": HASH}).verify("me", password)
    assert not Passwords({"me": OTHER}).verify("me", "x")


def test_guessing_keeps_nobody_waiting_for_long(folder: Path) -> None:
    """At most so many comparisons wait; what is known already never does."""
    import asyncio

    web = Web(written(folder))
    gate, answered = threading.Event(), []

    def slow(user: str, password: str) -> bool:
        gate.wait(60)
        return False

    async def app(scope: Any, receive: Any, send: Any) -> None:
        answered.append("app")

    async def attempt(guard: WebGuard, password: str) -> int:
        told = base64.b64encode(f"prometheus:{password}".encode())
        scope = {"type": "http", "server": ("here", 1), "method": "GET",
                 "headers": [(b"authorization", b"Basic " + told)]}  # fmt: skip
        codes = [200]

        async def send(message: Any) -> None:
            if message["type"] == "http.response.start":
                codes[0] = message["status"]

        await guard(scope, None, send)
        return codes[0]

    async def many() -> list[int]:
        guard = WebGuard(app, web)
        assert await attempt(guard, "x") == 200
        web.passwords.verify = slow
        waiting = [asyncio.create_task(attempt(guard, f"{n}")) for n in range(40)]
        await asyncio.sleep(0)
        assert await attempt(guard, "x") == 200
        gate.set()
        return await asyncio.gather(*waiting)

    codes = asyncio.run(many())
    assert sorted(set(codes)) == [401, 503]
    assert codes.count(401) == 16
    assert answered == ["app", "app"]


def test_a_slow_hash_does_not_keep_the_meter_from_its_work(folder: Path, tmp_path: Path) -> None:
    slow = written(folder, "slow.yml", basic_auth_users={"me": HASH.replace("$04$", "$13$")})
    with agent(tmp_path, "--web-config", str(slow)) as node:
        node.hear("reading")
        stop = threading.Event()

        def guess() -> None:
            number = 0
            while not stop.is_set():
                number += 1
                ask(node, folder, auth=("me", f"{number}"), timeout=30)

        thread = threading.Thread(target=guess)
        thread.start()
        try:
            before = sum(v for k, v in node.page().items() if k.startswith("meter_gpu_energy"))
            time.sleep(2)
            until(lambda: sum(v for k, v in node.page().items()
                              if k.startswith("meter_gpu_energy")) > before, "energy")  # fmt: skip
            page = node.page()
            assert page['meter_samples_dropped_total{reason="sampler"}'] == 0
        finally:
            stop.set()
            thread.join()


def test_behind_a_proxy_an_agent_tells_its_address_there_and_answers_to_its_name(
    tmp_path: Path,
) -> None:
    said = configured(tmp_path, 'public_url = "https://meter.example/gpu7/"\n')
    with agent(tmp_path, **said) as node:
        node.hear("reading")
        assert node.page()['meter_agent_info{address="meter.example/gpu7",scheme="https"}'] == 1
        [address] = node.ask("GET", "/v1/status")[1]["agent"]["listens"]
        url = f"http://{address.rpartition('/')[2]}/healthz"
        answers = {
            host: httpx.get(url, headers={"Host": host}).status_code
            for host in ("meter.example", "meter.example:8443", "other.example")
        }
        assert answers == {"meter.example": 200, "meter.example:8443": 200, "other.example": 421}


def test_the_host_of_a_public_url_is_read_without_port_and_path() -> None:
    for url, host in (
        ("https://meter.example:8443/gpu7", "meter.example"), ("http://node-1", "node-1"),
        ("http://[::1]:9850/x", "::1"),
    ):  # fmt: skip
        assert wiring._host(url) == host
