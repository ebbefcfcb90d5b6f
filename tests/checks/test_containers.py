"""infra/Dockerfile and infra/compose.yaml. There is no engine to run them here: so each is held to its form, and to what
it names in the repository and in the program."""

import json
import re
import subprocess
import tomllib

import pytest
import yaml
from compose_spec import PyCompose

from template import ROOT, resources

DOCKERFILE = (ROOT / "infra/Dockerfile").read_text()
COMPOSE = (ROOT / "infra/compose.yaml").read_text()
CONTEXT = (ROOT / "infra/Dockerfile.dockerignore").read_text()


def instructions() -> list[tuple[str, str]]:
    """The Dockerfile's instructions with their arguments, lines that go on joined."""
    text = re.sub(r"(?m)^\s*#.*\n", "", DOCKERFILE).replace("\\\n", " ")
    return [(name, " ".join(rest.split())) for name, _, rest in (line.partition(" ") for line in text.splitlines() if line.strip())]


def arguments(name: str) -> list[str]:
    return [rest for found, rest in instructions() if found == name]


def compose() -> dict:
    """As the variables' defaults leave it."""
    return yaml.safe_load(re.sub(r"\$\{\w+:-([^}]*)\}", r"\1", COMPOSE))


def test_the_image_is_built_with_the_version_of_rust_that_is_asked_for():
    version = tomllib.loads((ROOT / "Cargo.toml").read_text())["workspace"]["package"]["rust-version"]
    build, final = arguments("FROM")
    assert build == f"rust:{version}-slim-bookworm AS build"
    # The program is linked to the glibc of Debian 12, and run on it.
    assert final == "gcr.io/distroless/cc-debian12:nonroot"


def included(path: str) -> bool:
    """Whether a path of the repository is in the build's context: everything is left out but what is let in."""
    lines = [line for line in CONTEXT.splitlines() if line and not line.startswith("#")]
    assert lines[0] == "*"
    let_in = [line[1:] for line in lines if line.startswith("!")]
    left_out = [line for line in lines[1:] if not line.startswith("!")]
    under = lambda folders: any(path == folder or path.startswith(f"{folder}/") for folder in folders)  # noqa: E731
    return under(let_in) and not under(left_out)


def test_the_build_has_everything_that_the_program_is_made_of():
    cargo = tomllib.loads((ROOT / "Cargo.toml").read_text())
    for path in ["Cargo.toml", "Cargo.lock", "LICENSE", *[f"{member}/Cargo.toml" for member in cargo["workspace"]["members"]]]:
        assert included(path), path
    for source in sorted((ROOT / "src").rglob("*.rs")):
        if source.stem.endswith("tests"):
            continue
        for found in re.findall(r'include_(?:str|bytes)!\("([^"]+)"\)', source.read_text()):
            path = str((source.parent / found).resolve().relative_to(ROOT))
            assert included(path), f"{source} has {path} in it"
    assert included("templates/layout.html") and included("src/main.rs")


@pytest.mark.parametrize("path", [".git/config", "target/debug/countersign", "infra/compose/master.key", "tests/run"])
def test_nothing_else_is_sent_to_the_builder(path):
    assert not included(path)


def test_the_context_is_enough_for_cargo(tmp_path):
    """Cargo reads the workspace as the builder has it: every target that the manifests name is there."""
    files = subprocess.run(["git", "ls-files"], cwd=ROOT, capture_output=True, text=True, check=True).stdout.split("\n")
    for path in filter(included, files):
        (tmp_path / path).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / path).write_bytes((ROOT / path).read_bytes())
    command = ["cargo", "metadata", "--locked", "--offline", "--no-deps", "--format-version", "1", "--no-default-features"]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    (service,) = [it for it in json.loads(done.stdout)["packages"] if it["name"] == "countersign"]
    binary = [it for it in service["targets"] if it["kind"] == ["bin"]]
    assert [it["name"] for it in binary] == ["countersign"]


def test_it_runs_as_nobody_without_a_shell():
    assert arguments("USER") == ["65532:65532"]
    for name in ("ENTRYPOINT", "CMD"):
        (words,) = arguments(name)
        assert json.loads(words)
    (health,) = arguments("HEALTHCHECK")
    assert json.loads(health.partition("CMD ")[2]) == ["/usr/local/bin/countersign", "health"]
    assert json.loads(arguments("ENTRYPOINT")[0]) == ["/usr/local/bin/countersign"]
    # The last stage runs nothing while it is built: there is nothing there to do so.
    assert "RUN" not in [name for name, _ in instructions()[max(i for i, (name, _) in enumerate(instructions()) if name == "FROM"):]]


def test_the_build_is_that_of_the_checks():
    """What tests/run compiles without the embedded AWS."""
    (build,) = [rest for rest in arguments("RUN") if "cargo" in rest]
    assert "cargo build --release --locked --no-default-features" in build


def test_compose_is_what_the_specification_allows():
    assert PyCompose.from_json(json.dumps(compose())).service_names() == ["countersign", "try"]
    wrong = compose()
    wrong["services"]["countersign"]["readonly"] = True
    with pytest.raises(ValueError, match="readonly"):
        PyCompose.from_json(json.dumps(wrong))


@pytest.mark.parametrize("name", ["countersign", "try"])
def test_a_container_can_change_nothing_and_gain_nothing(name):
    service = compose()["services"][name]
    assert service["read_only"] is True and service["cap_drop"] == ["ALL"]
    assert service["security_opt"] == ["no-new-privileges:true"]
    assert service["user"] == arguments("USER")[0]
    assert service["healthcheck"]["test"] == ["CMD", "countersign", "health"]
    assert not service.get("privileged") and "volumes" not in service


def test_what_compose_names_is_there():
    whole = compose()
    build = whole["services"]["countersign"]["build"]
    assert (ROOT / "infra" / build["context"] / build["dockerfile"]).resolve() == ROOT / "infra/Dockerfile"
    assert (ROOT / "infra" / whole["configs"]["countersign"]["file"]).is_file()
    # The keys are made by whoever runs it, and are never committed.
    for secret in whole["secrets"].values():
        ignored = subprocess.run(["git", "check-ignore", "-q", f"infra/{secret['file'][2:]}"], cwd=ROOT)
        assert ignored.returncode == 0, secret


def test_secrets_are_files_in_the_container():
    for service in compose()["services"].values():
        variables = service["environment"]
        assert variables["COUNTERSIGN_MASTER_KEY_FILE"] == "/run/secrets/master_key"
        assert variables["COUNTERSIGN_EVIDENCE_KEY_FILE"] == "/run/secrets/evidence_key"
        assert not {"COUNTERSIGN_MASTER_KEY", "COUNTERSIGN_EVIDENCE_KEY"} & variables.keys()


def test_the_program_knows_every_variable():
    """Those of the containers, of compose and of the template's functions and task."""
    source = (ROOT / "src/config/source.rs").read_text()
    known = {f"COUNTERSIGN_{key.upper()}" for key in re.findall(r'"(\w+)"', source.partition("KEYS: ")[2].partition("];")[0])}
    known |= {"COUNTERSIGN_CONFIG"}
    named = {name for service in compose()["services"].values() for name in service["environment"]}
    named |= set(re.findall(r"COUNTERSIGN_\w+(?==)", " ".join(arguments("ENV"))))
    for function in resources("AWS::Lambda::Function").values():
        named |= set(function.get("Environment", {}).get("Variables", {}))
    (container,) = resources("AWS::ECS::TaskDefinition")["Task"]["ContainerDefinitions"]
    named |= {(it["Fn::If"][1] if "Fn::If" in it else it)["Name"] for it in container["Environment"]}
    ours = {name for name in named if name.startswith("COUNTERSIGN_")}
    assert len(ours) >= 15
    assert ours - known == set()
    assert set(tomllib.loads((ROOT / "infra/compose/countersign.toml").read_text())) <= {name[12:].lower() for name in known}
