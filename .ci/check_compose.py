"""Check Dockerfile and docker-compose.yml without a container engine: that they parse, fit each other and keep our rules."""

import re
from fnmatch import fnmatch
from pathlib import Path
from typing import Any

import yaml

PROJECT = Path(__file__).resolve().parents[1]
SERVICES = {"web", "worker", "beat", "postgres", "valkey"}
INSTRUCTIONS = re.compile(
    r"FROM|RUN|CMD|LABEL|EXPOSE|ENV|ADD|COPY|ENTRYPOINT|VOLUME|USER|WORKDIR|ARG|HEALTHCHECK|SHELL"
)
SECRET = re.compile(r"\$\{(\w*(?:PASSWORD|SECRET_KEY|TOKEN)\w*)(:?[-?+=]?)")


def problems() -> str:
    """Return what is wrong with the container files, nothing when all is well."""
    return "\n".join([*compose_faults(PROJECT / "docker-compose.yml"), *dockerfile_faults(PROJECT / "Dockerfile")])


def compose_faults(file: Path) -> list[str]:
    """Check the services, their health, their secrets, and that every name in the file leads somewhere."""
    text = file.read_text()
    try:
        content: dict[str, Any] = yaml.safe_load(text)
    except yaml.YAMLError as error:
        return [f"{file.name}: {error}"]
    services = content.get("services", {})
    found = [] if set(services) == SERVICES else [f"its services are {sorted(services)}, not {sorted(SERVICES)}"]
    for name, operator in SECRET.findall(text):
        if operator != ":?":
            found.append(f"{name} is a secret: write ${{{name}:?set {name}}}, without a default")
    if unknown := set(re.findall(r"(?<!\$)\$\w+", text)):
        found.append(f"write variables with braces: {sorted(unknown)}")
    for name, service in services.items():
        found += [f"{name}: {fault}" for fault in _service_faults(service, content)]
    for name, config in content.get("configs", {}).items():
        if not (PROJECT / str(config.get("file"))).is_file():
            found.append(f"config {name}: there is no file {config.get('file')}")
    return [f"{file.name}: {fault}" for fault in found]


def _service_faults(service: dict[str, Any], content: dict[str, Any]) -> list[str]:
    found = []
    if "build" not in service and not re.fullmatch(r"[\w./-]+:[\w.-]*\d[\w.-]*", str(service.get("image"))):
        found.append("needs an image with a version")
    if not service.get("healthcheck", {}).get("test"):
        found.append("has no health check")
    for other, condition in dict(service.get("depends_on", {})).items():
        if other not in content["services"] or condition != {"condition": "service_healthy"}:
            found.append(f"has to wait for the health of {other}, a service of this file")
    volumes = [str(volume).split(":")[0] for volume in service.get("volumes", [])]
    found += [f"mounts {name}, no named volume" for name in volumes if name not in content.get("volumes", {})]
    configs = [config.get("source") for config in service.get("configs", [])]
    found += [
        f"uses the config {name}, which is not there" for name in configs if name not in content.get("configs", {})
    ]
    for name, value in dict(service.get("environment", {})).items():
        if re.search(r"PASSWORD|SECRET|TOKEN", name) and "${" not in str(value):
            found.append(f"holds a secret in the file: {name}")
    return found


def dockerfile_faults(file: Path) -> list[str]:
    """Check that the image is built from locked packages, runs as an ordinary user, and copies what exists."""
    steps = _instructions(file.read_text())
    found = [f"unknown instruction {name}" for name, _ in steps if not INSTRUCTIONS.fullmatch(name)]
    stages: set[str] = set()
    for name, rest in steps:
        if name == "FROM":
            image, _, stage = rest.partition(" AS ")
            if image not in stages and not re.fullmatch(r"[\w./-]+:\d[\w.-]*", image):
                found.append(f"{image} has no version")
            stages.add(stage)
        if name == "COPY":
            found += _copy_faults(rest.split(), stages)
        if name == "RUN" and "pip install" in rest and "--require-hashes" not in rest:
            found.append("pip installs without --require-hashes")
    last_stage = steps[max(number for number, (name, _) in enumerate(steps) if name == "FROM") :]
    users = [rest for name, rest in last_stage if name == "USER"]
    if not users or users[-1] in ("root", "0"):
        found.append("the image runs as root")
    if "HEALTHCHECK" not in dict(last_stage):
        found.append("the image has no health check")
    return [f"{file.name}: {fault}" for fault in found]


def _copy_faults(words: list[str], stages: set[str]) -> list[str]:
    if words[0].startswith("--from="):
        stage = words[0].removeprefix("--from=")
        return [] if stage in stages else [f"copies from the unknown stage {stage}"]
    ignored = [
        line for line in (PROJECT / ".dockerignore").read_text().split("\n") if line and not line.startswith("#")
    ]
    found = []
    for source in words[:-1]:
        if not (PROJECT / source).exists():
            found.append(f"copies {source}, which is not there")
        elif source != "." and any(fnmatch(source, pattern) for pattern in ignored):
            found.append(f"copies {source}, which .dockerignore leaves out")
    return found


def _instructions(text: str) -> list[tuple[str, str]]:
    """Split a Dockerfile into instructions; a line that ends in a backslash goes on, comments in between are dropped."""
    lines = [line for line in text.split("\n") if line.strip() and not line.strip().startswith("#")]
    joined = re.sub(r"\\\n\s*", "", "\n".join(lines)).split("\n")
    return [(line.split(None, 1)[0], line.split(None, 1)[1]) for line in joined]
