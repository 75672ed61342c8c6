"""Finding and building, with a `go` that only notes what it is asked for."""

from __future__ import annotations

import os
import threading
from pathlib import Path

import pytest

from tests import tools
from tests.tools.__main__ import main
from tests.tools.building import BUILT, BuildError, build, cache_folder, version_of

GO = r"""#!/bin/sh
# The last arguments are packages; the folder for what is built comes before them.
echo "$@" >> "$GO_CALLS"
while [ "$1" != -o ]; do shift; done
folder=$2; shift 2
sleep 0.2
for package; do
  name=${package##*/}
  [ "$name" = v3 ] && name=server
  printf '#!/bin/sh\necho %s' "$package" > "$folder/$name"; chmod +x "$folder/$name"
done
exit "${GO_STATUS:-0}"
"""


@pytest.fixture(autouse=True)
def go_calls(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    """An empty cache, nothing but the shell's own and `go` on PATH; the file that holds a line for each call of go."""
    calls = tmp_path / "calls"
    calls.touch()
    for name, value in {
        "XDG_CACHE_HOME": str(tmp_path / "cache"),
        "PATH": f"{tmp_path / 'path'}",
        "GO_CALLS": str(calls),
    }.items():
        monkeypatch.setenv(name, value)
    monkeypatch.delenv("KUBEBUILDER_ASSETS", raising=False)
    monkeypatch.delenv("CI", raising=False)
    _program(tmp_path / "path" / "go", GO)
    (tmp_path / "path" / "chmod").symlink_to("/bin/chmod")
    (tmp_path / "path" / "sleep").symlink_to("/bin/sleep")
    return calls


def test_assets_before_path_before_cache(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    assert tools.find("etcd") is None
    places = [cache_folder(), tmp_path / "path", tmp_path / "assets"]
    monkeypatch.setenv("KUBEBUILDER_ASSETS", str(tmp_path / "assets"))

    for place in places:
        _program(place / "etcd", "#!/bin/sh\n")
        assert tools.find("etcd") == str(place / "etcd")


def test_everything_is_built_under_its_own_name(go_calls: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main() == 0

    (call,) = go_calls.read_text().splitlines()
    assert "-mod=readonly" in call
    assert f"k8s.io/component-base/version.gitVersion={version_of('k8s.io/kubernetes')}" in call
    for name, package in BUILT.items():
        assert (cache_folder() / name).read_text().endswith(f"echo {package}")
    assert f"etcd: {cache_folder() / 'etcd'}" in capsys.readouterr().out
    assert sorted(path.name for path in cache_folder().iterdir()) == sorted([*BUILT, "lock"])


def test_only_what_is_missing_is_built(go_calls: Path, tmp_path: Path) -> None:
    for name in set(BUILT) - {"helm"}:
        _program(tmp_path / "path" / name, "#!/bin/sh\n")
    lines: list[str] = []

    assert tools.ensure(lines.append)
    assert tools.ensure(lines.append)

    (call,) = go_calls.read_text().splitlines()
    assert call.endswith(f" {BUILT['helm']}")
    assert [line.split(" ")[:2] for line in lines] == [["building", "helm"], ["built", "helm"]]


def test_two_at_once_build_once(go_calls: Path) -> None:
    threads = [threading.Thread(target=build, args=(["helm"],)) for _ in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert len(go_calls.read_text().splitlines()) == 1
    assert os.access(cache_folder() / "helm", os.X_OK)


@pytest.mark.parametrize(("ci", "status"), [("true", 1), ("", 0)])
def test_a_failed_build_leaves_nothing_and_fails_in_ci(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], ci: str, status: int
) -> None:
    monkeypatch.setenv("CI", ci)
    monkeypatch.setenv("GO_STATUS", "1")

    assert main() == status

    assert "will NOT be tested" in capsys.readouterr().out
    assert [path.name for path in cache_folder().iterdir()] == ["lock"]


def test_without_go(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tests.tools.building.find_go", lambda: None)

    with pytest.raises(BuildError, match="Go is not installed"):
        build(["helm"])


def test_pinned_versions() -> None:
    module = Path(tools.__file__).with_name("go.mod").read_text()
    kubernetes = version_of("k8s.io/kubernetes")
    replaced = [line for line in module.splitlines() if "=>" in line]

    assert len(replaced) > 20
    assert all(line.endswith(f" {kubernetes.replace('v1.', 'v0.', 1)}") for line in replaced)
    assert all(f"\t{package}\n" in module for package in BUILT.values())


def _program(path: Path, text: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)
    path.chmod(0o755)
