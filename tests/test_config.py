"""Options come from the environment, parsed strictly, and every fault is told at once."""

from dataclasses import replace
from pathlib import Path

import pytest

from imgpipe.config import entries, load, table
from imgpipe.errors import ConfigError
from tests.servers import ROOT


def faults(**environ: str) -> list[str]:
    with pytest.raises(ConfigError) as raised:
        load(environ)
    return str(raised.value).splitlines()


def test_without_any_option_the_defaults_of_the_contract_hold() -> None:
    settings = load({})
    assert settings.data_dir == ROOT / "instance"
    assert settings.database_url == f"sqlite:///{ROOT}/instance/imgpipe.db"
    assert settings.storage == f"{ROOT}/instance/media"
    assert (settings.jobs, settings.originals, settings.workers, settings.lease_s) == (
        "threads",
        "keep",
        2,
        30,
    )
    assert (settings.max_upload_bytes, settings.max_pixels) == (32 * 2**20, 64_000_000)
    assert (settings.host, settings.port, settings.base_url) == ("127.0.0.1", 5000, "")
    assert settings.expose_gps is False


def test_an_empty_value_means_the_default() -> None:
    assert load({"IMGPIPE_WORKERS": "", "DATABASE_URL": ""}) == load({})


def test_media_and_database_follow_the_data_directory(tmp_path: Path) -> None:
    settings = load({"IMGPIPE_DATA_DIR": str(tmp_path)})
    assert settings.storage == f"{tmp_path}/media"
    assert settings.database_url == f"sqlite:///{tmp_path}/imgpipe.db"


@pytest.mark.parametrize("scheme", ["postgres", "postgresql", "postgresql+psycopg"])
def test_every_spelling_of_postgresql_means_the_driver_in_use(scheme: str) -> None:
    pytest.importorskip("psycopg", reason="psycopg is not installed")
    url = load({"DATABASE_URL": f"{scheme}://user:word@host:5432/name"}).database_url
    assert url == "postgresql+psycopg://user:word@host:5432/name"


@pytest.mark.parametrize(
    ("variable", "value"),
    [
        ("IMGPIPE_WORKERS", "0"),
        ("IMGPIPE_WORKERS", "65"),
        ("IMGPIPE_WORKERS", " 1"),
        ("IMGPIPE_WORKERS", "1_0"),
        ("IMGPIPE_WORKERS", "٣"),
        ("IMGPIPE_LEASE_S", "0.9"),
        ("IMGPIPE_LEASE_S", "nan"),
        ("IMGPIPE_LEASE_S", "1e2"),
        ("IMGPIPE_MAX_PIXELS", "64,000,000"),
        ("IMGPIPE_EXPOSE_GPS", "maybe"),
        ("IMGPIPE_JOBS", "Threads"),
        ("IMGPIPE_LOG_LEVEL", "info"),
        ("IMGPIPE_STORAGE", "ftp://host/x"),
        ("IMGPIPE_STORAGE", "/dev/null/x"),
        ("IMGPIPE_DATA_DIR", "/dev/null/x"),
        ("BASE_URL", "example.org"),
        ("PORT", "65536"),
        ("DATABASE_URL", "imgpipe.db"),
        ("DATABASE_URL", "nosuchdb://host/name"),
    ],
)
def test_a_value_that_does_not_parse_is_told_with_what_is_expected(variable: str, value: str) -> None:
    lines = faults(**{variable: value})
    assert any(line.startswith(f"{variable}=") and ": expected " in line for line in lines)


def test_all_faults_come_in_one_go() -> None:
    lines = faults(IMGPIPE_WORKERS="x", IMGPIPE_NO_SUCH="1", PORT="x", IMGPIPE_JOBS="x", IMGPIPE_DEDUPE="x")
    assert len(lines) == 5


def test_an_unknown_name_is_refused_but_not_what_kubernetes_injects() -> None:
    assert faults(IMGPIPE_WORKER="2") == [
        "IMGPIPE_WORKER='2': expected a known option; there is none of this name"
    ]
    injected = (
        "IMGPIPE_SERVICE_HOST",
        "IMGPIPE_PORT",
        "IMGPIPE_PORT_80_TCP_ADDR",
        "IMGPIPE_WEB_SERVICE_PORT",
    )
    assert load(dict.fromkeys(injected, "tcp://10.0.0.1:80")) == load({})


@pytest.mark.parametrize("variable", ["DATABASE_URL", "IMGPIPE_MY_KEY", "IMGPIPE_PASSWORD"])
def test_a_fault_in_a_secret_does_not_repeat_it(variable: str) -> None:
    assert "hunter2" not in "\n".join(faults(**{variable: "hunter2"}))


@pytest.mark.parametrize(
    "url", ["postgresql://me:hunter2@host/db", "postgresql://me:hun/hunter2@host/db?password=hunter2"]
)
def test_the_table_masks_secrets(url: str) -> None:
    settings = replace(
        load({}), database_url=url, caption_keys={"OPENAI_API_KEY": "hunter2"}, api_keys=("hunter2",)
    )
    shown = {variable: value for variable, value, _ in table(settings)}
    assert "hunter2" not in str(shown)
    assert shown["DATABASE_URL"].startswith("postgresql://***@host/db")
    assert shown["OPENAI_API_KEY"] == "***"


def test_the_table_names_every_option_with_a_help() -> None:
    rows = list(table(load({})))
    assert len(rows) == len(list(entries()))
    assert all(help for _, _, help in rows)


def test_the_captioners_faults_are_told_with_all_others() -> None:
    told = faults(
        IMGPIPE_WORKERS="many", IMGPIPE_CAPTIONER="openai", IMGPIPE_CAPTION_URL="http://u:p@host/v1"
    )
    assert told == [
        "IMGPIPE_WORKERS='many': expected a whole number from 1 to 64",
        "IMGPIPE_CAPTION_URL=(hidden): expected http(s)://host[:port]/path, without user or blanks",
    ]
    assert faults(IMGPIPE_CAPTIONER="openai") == [
        "OPENAI_API_KEY=: expected a key, which the captioner 'openai' needs"
    ]
    last = faults(IMGPIPE_WORKERS="many", IMGPIPE_CAPTIONER="no_such:thing")[-1]
    assert last.startswith("IMGPIPE_CAPTIONER='no_such:thing': expected a factory that makes a captioner")


@pytest.mark.parametrize(
    ("keys", "captioner"),
    [
        ({}, "none"),
        ({"OPENAI_API_KEY": "sk-secretsecret"}, "openai"),
        ({"OPENAI_API_KEY": "sk-secretsecret", "HF_API_KEY": "hf_secretsecret"}, "huggingface"),
    ],
)
def test_a_key_chooses_the_captioner(keys: dict[str, str], captioner: str) -> None:
    settings = load(keys)
    assert settings.captioner == captioner
    assert settings.captions.keys == keys
    assert "secretsecret" not in repr(settings)
