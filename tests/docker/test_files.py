"""The container files agree with the project and with each other; no engine is needed."""

from __future__ import annotations

import re
import stat
import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml

ROOT = Path(__file__).parents[2]
DOCKER = ROOT / "docker"
DOCKERFILE = (DOCKER / "Dockerfile").read_text("utf-8")
YAML = sorted(DOCKER.rglob("*.y*ml"))


def read(name: str) -> Any:
    return yaml.safe_load((DOCKER / name).read_text("utf-8"))


def pinned() -> dict[str, str]:
    lines = (ROOT / "constraints.txt").read_text("utf-8").splitlines()
    return dict(re.findall(r"^([\w.-]+)==(\S+)", "\n".join(lines), flags=re.MULTILINE))


def dependencies() -> list[str]:
    """As pyproject.toml lists them, one a line (Python 3.10 cannot read TOML)."""
    text = (ROOT / "pyproject.toml").read_text("utf-8")
    listed = text[text.index("\ndependencies = [") :].partition("\n]")[0]
    return re.findall(r'^  "(.+)",$', listed, flags=re.MULTILINE)


def copied() -> set[str]:
    lines = re.findall(r"^COPY (?!--from)(.+) \S+$", DOCKERFILE, flags=re.MULTILINE)
    return {name for line in lines for name in line.split()}


def pods() -> dict[str, Any]:
    cluster = read("kuberay/raycluster.yaml")["spec"]
    groups = [cluster["headGroupSpec"], *cluster["workerGroupSpecs"]]
    found = {group.get("groupName", "head"): group["template"]["spec"] for group in groups}
    job = read("kuberay/rayjob.yaml")["spec"]["submitterPodTemplate"]["spec"]
    return {**found, "submitter": job}


@pytest.mark.parametrize("file", YAML, ids=lambda file: file.name)
def test_every_file_is_yaml(file: Path) -> None:
    assert list(yaml.safe_load_all(file.read_text("utf-8")))


def test_kubernetes_runs_the_ray_that_the_image_has() -> None:
    assert read("kuberay/raycluster.yaml")["spec"]["rayVersion"] == pinned()["ray"]


def test_every_dependency_of_the_image_is_pinned() -> None:
    names = {re.split(r"[\[<>=;~! ]", one)[0].lower() for one in dependencies()}
    assert names - {name.lower() for name in pinned()} == set()
    assert "PIP_CONSTRAINT=/src/constraints.txt" in DOCKERFILE


def test_the_image_s_python_is_the_one_that_is_pinned_for() -> None:
    first = (ROOT / "constraints.txt").read_text("utf-8").splitlines()[0]
    (version,) = re.findall(r"CPython (\d\.\d+)", first)
    assert f"python3={version}.*" in DOCKERFILE


def test_every_file_that_the_image_copies_is_there_and_passes_the_ignore_file() -> None:
    kept = {
        line[1:]
        for line in (DOCKER / "Dockerfile.dockerignore").read_text("utf-8").splitlines()
        if line.startswith("!")
    }
    assert copied() == kept
    assert all((ROOT / name).exists() for name in copied())


def test_the_package_in_the_image_has_all_that_its_build_asks_for() -> None:
    text = (ROOT / "pyproject.toml").read_text("utf-8")
    included = text[text.index("[tool.hatch.build.targets.wheel]") :].partition("[tool.ruff]")[0]
    asked = set(re.findall(r'^"(\S+)" = |packages = \["(\w+)"\]', included, flags=re.MULTILINE))
    (readme,) = re.findall(r'^readme = "(\S+)"$', text, flags=re.MULTILINE)
    assert {a or b for a, b in asked} | {readme} <= copied()


def test_nothing_runs_as_root() -> None:
    user = re.findall(r"^USER (\d+):(\d+)$", DOCKERFILE, flags=re.MULTILINE)[-1]
    (made,) = re.findall(r"useradd --uid (\d+)", DOCKERFILE)
    assert user == (made, made)
    for name, pod in pods().items():
        assert pod["securityContext"]["runAsNonRoot"], name
        assert pod["securityContext"]["runAsUser"] == int(made), name
        for container in pod["containers"]:
            assert container["securityContext"]["allowPrivilegeEscalation"] is False
            assert container["securityContext"]["capabilities"] == {"drop": ["ALL"]}


def test_ports_are_open_on_this_machine_alone() -> None:
    ports = [
        port
        for service in read("compose.yaml")["services"].values()
        for port in service.get("ports", ())
    ]
    assert len(ports) >= 4
    assert all(port.startswith("127.0.0.1:") for port in ports)


def test_a_worker_offers_ray_the_processors_that_it_gets() -> None:
    worker = read("compose.yaml")["services"]["worker"]
    assert f"--num-cpus={worker['cpus']}" in worker["command"]


def test_every_service_that_stays_says_whether_it_is_well() -> None:
    services = read("compose.yaml")["services"]
    ill = [name for name, one in services.items() if "restart" in one and "healthcheck" not in one]
    assert ill == []
    assert len([one for one in services.values() if "healthcheck" in one]) == 5


def test_ray_asks_for_the_token_of_the_secret_file_everywhere() -> None:
    compose = read("compose.yaml")
    for name in ("head", "worker"):
        service = compose["services"][name]
        assert service["environment"]["RAY_AUTH_MODE"] == "token"
        assert service["environment"]["RAY_AUTH_TOKEN_PATH"] == "/run/secrets/ray_token"
        assert "ray_token" in service["secrets"]
    assert read("kuberay/raycluster.yaml")["spec"]["authOptions"] == {"mode": "token"}
    (scrape,) = read("prometheus/prometheus.yml")["scrape_configs"]
    (discovery,) = scrape["http_sd_configs"]
    assert discovery["authorization"] == {
        "type": "Bearer",
        "credentials_file": "/run/secrets/ray_token",
    }


def test_the_secrets_are_made_once_and_closed_to_others(tmp_path: Path) -> None:
    script = tmp_path / "make_secrets.sh"
    script.write_bytes((DOCKER / "make_secrets.sh").read_bytes())
    first = made_secrets(script)
    assert made_secrets(script) == first
    folder = tmp_path / "secrets"
    assert stat.S_IMODE(folder.stat().st_mode) == 0o700
    assert len(first["ray_token"]) == 64
    (key,) = re.findall(r"AWS_SECRET_ACCESS_KEY=(\S+)", first["store.env"])
    assert f"MINIO_ROOT_PASSWORD={key}\n" in first["minio.env"]
    (tmp_path / "elsewhere").mkdir()
    other = made_secrets(script.rename(tmp_path / "elsewhere" / script.name))
    assert other["ray_token"] != first["ray_token"]


def made_secrets(script: Path) -> dict[str, str]:
    subprocess.run(["sh", str(script)], check=True)
    return {file.name: file.read_text() for file in (script.parent / "secrets").iterdir()}


def test_git_and_the_image_leave_the_secrets_out() -> None:
    assert "docker/secrets/" in (ROOT / ".gitignore").read_text("utf-8").splitlines()
    assert (DOCKER / "Dockerfile.dockerignore").read_text("utf-8").splitlines()[1] == "*"


def test_every_file_that_compose_names_is_there_or_made() -> None:
    """What lies in secrets/ is what the script makes."""
    text = (DOCKER / "compose.yaml").read_text("utf-8")
    made = set(
        re.findall(r'"\$folder/(\w[\w.]*)"', (DOCKER / "make_secrets.sh").read_text("utf-8"))
    )
    assert set(re.findall(r"secrets/([\w.]+)", text)) - {""} == made
    mounted = re.findall(r"^ +- \./([\w./]+):", text, flags=re.MULTILINE)
    assert len(mounted) == 3
    assert all((DOCKER / name).exists() for name in mounted)
    assert (ROOT / read("compose.yaml")["services"]["head"]["build"]["dockerfile"]).exists()
