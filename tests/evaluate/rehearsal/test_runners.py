from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from evaluate.rehearsal.runners import ContainerRunner, ProcessRunner, find_engine, find_image
from predict.errors import UsageError

INPUTS, OUTPUTS = Path("/a/inputs"), Path("/a/outputs")


@pytest.fixture
def engines(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder that is all of PATH; scripts in it stand in for engines."""
    folder = tmp_path / "bin"
    folder.mkdir()
    for name in ("sh", "sleep"):
        found = subprocess.run(["which", name], check=True, capture_output=True, text=True)
        (folder / name).symlink_to(found.stdout.strip())
    monkeypatch.setenv("PATH", str(folder))
    return folder


def add_engine(folder: Path, name: str, script: str) -> None:
    path = folder / name
    path.write_text(f"#!/bin/sh\n{script}\n")
    path.chmod(0o755)


def test_the_command_is_the_organizers_without_network() -> None:
    runner = ContainerRunner(engine="docker", image="myteam:latest", gpu=True)
    assert " ".join(runner.command(INPUTS, OUTPUTS)) == (
        "docker container run --gpus device=0 -m 32G --network none --name myteam --rm "
        "-v /a/inputs:/workspace/inputs/ -v /a/outputs:/workspace/outputs/ "
        "myteam:latest /bin/bash -c sh predict.sh"
    )


def test_no_gpu_is_asked_for_where_there_is_none() -> None:
    runner = ContainerRunner(engine="podman", image="localhost/my/team:latest", gpu=False)
    command = runner.command(INPUTS, OUTPUTS)
    assert command[3:5] == ["-m", "32G"]
    assert runner.name == "team"


def test_docker_goes_before_podman_if_its_daemon_answers(engines: Path) -> None:
    add_engine(engines, "podman", "exit 0")
    assert find_engine() == "podman"
    add_engine(engines, "docker", "echo 'Cannot connect to the daemon' >&2; exit 1")
    assert find_engine() == "podman"
    add_engine(engines, "docker", "exit 0")
    assert find_engine() == "docker"


def test_what_is_missing_is_said(engines: Path) -> None:
    add_engine(engines, "docker", "echo 'Cannot connect to the daemon' >&2; exit 1")
    with pytest.raises(UsageError) as raised:
        find_engine()
    assert str(raised.value) == (
        "expected docker or podman: docker does not answer (Cannot connect to the daemon); "
        "podman is not installed; --no-container goes without"
    )
    with pytest.raises(UsageError, match="podman is not installed"):
        find_engine("podman")


def test_a_missing_image_is_said(engines: Path) -> None:
    add_engine(engines, "docker", 'test "$3" = there:latest')
    find_image("docker", "there:latest")
    with pytest.raises(UsageError, match=r"expected an image gone:latest in docker: build it"):
        find_image("docker", "gone:latest")


def test_time_status_and_last_words_are_seen_from_outside(engines: Path) -> None:
    add_engine(engines, "docker", "sleep 0.2; echo first >&2; echo last >&2; exit 3")
    runner = ContainerRunner(engine="docker", image="team:latest", gpu=False)
    outcome = runner.run(INPUTS, OUTPUTS, patience=60)
    assert 0.2 <= outcome.seconds < 60
    assert (outcome.exit_status, outcome.message) == (3, "last")


def test_a_container_that_hangs_is_killed_by_name(engines: Path, tmp_path: Path) -> None:
    log = tmp_path / "log"
    add_engine(engines, "docker", f'echo "$@" >> {log}; test "$1" = kill || exec sleep 60')
    runner = ContainerRunner(engine="docker", image="team:latest", gpu=False)
    outcome = runner.run(INPUTS, OUTPUTS, patience=0.3)
    assert outcome.exit_status is None
    assert outcome.seconds < 30
    assert log.read_text().splitlines()[-1] == "kill team"


def test_without_a_container_predict_sh_runs(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TEXT3DSAM_PYTHON", "false")
    outcome = ProcessRunner().run(tmp_path, tmp_path, patience=60)
    assert outcome.exit_status == 1
