"""Charts with the real Helm: packed from folders, pulled from a repository and a registry on loopback."""

from __future__ import annotations

import asyncio
import json
import logging
import os
import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from entryproxy.controller.helm import chart_shelf
from entryproxy.controller.helm import charts as module
from entryproxy.controller.helm.charts import ChartError, ChartPackage, ChartStore
from entryproxy.controller.helm.driver import Helm
from tests import charts as stand_in
from tests.controller.helm.chart_sources import (
    METADATA,
    READER,
    Served,
    definition,
    index,
    packed,
    registry,
    repository,
    write_chart,
)
from tests.support import require_tool

FILES = {"Chart.yaml": METADATA, "values.yaml": "word: one", "crds/thing.yaml": definition("things")}
SECRET = "s3cr3t"

pytestmark = pytest.mark.cluster  # CI has Helm where it has the control plane

Make = Callable[..., ChartStore]


class Clock:
    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def make(tmp_path: Path) -> Make:
    """A store, the second time as after a restart: with the same folder."""

    def made(**settings: Any) -> ChartStore:
        helm = Helm(Path(require_tool("helm")), tmp_path / "helm", Path(os.devnull), path=os.environ["PATH"])
        return ChartStore(helm, tmp_path / "store", yaml=READER, **settings)

    return made


@pytest.fixture
def charts_dir(tmp_path: Path) -> Path:
    write_chart(tmp_path / "charts/tiny", FILES)
    return tmp_path / "charts"


@pytest.fixture
def web(tmp_path: Path) -> Path:
    """What the repository serves: tiny 1.0.0 with its index."""
    folder = tmp_path / "web"
    folder.mkdir()
    (folder / "tiny-1.0.0.tgz").write_bytes(packed(FILES, time=7))
    index(folder)
    return folder


@pytest.fixture
def served(web: Path) -> Iterator[Served]:
    with repository(web) as one:
        yield one


async def refusal(store: ChartStore, chart: str, version: str = "1.0.0") -> ChartError:
    with pytest.raises(ChartError) as raised:
        await store.get(chart, version)
    assert raised.value.message == str(raised.value)
    return raised.value


def check(package: ChartPackage) -> None:
    """It is what FILES say."""
    assert (package.name, package.version, package.is_umbrella) == ("tiny", "1.0.0", False)
    assert package.values == {"word": "one"}
    assert [one["metadata"]["name"] for one in package.definitions] == ["things.example.com"]
    assert re.fullmatch("[0-9a-f]{64}", package.digest)
    place = Path(package.path)
    assert place.is_absolute() and place.name == f"{package.digest}.tgz"
    assert place.stat().st_mode & 0o077 == 0


# -- beside us


@pytest.mark.parametrize("chart", ["tiny", "./tiny", "packed/tiny.tgz"])
@pytest.mark.parametrize("version", ["1.0.0", "v1.0.0"])
async def test_folders_and_packed_files(make: Make, charts_dir: Path, chart: str, version: str) -> None:
    (charts_dir / "packed").mkdir()
    (charts_dir / "packed/tiny.tgz").write_bytes(packed(FILES))
    check(await make(charts_dir=charts_dir).get(chart, version))


async def test_a_packed_file_by_name(make: Make, tmp_path: Path) -> None:
    (tmp_path / "tiny-1.0.0.tgz").write_bytes(packed(FILES))
    check(await make(charts_dir=tmp_path).get("tiny", "1.0.0"))


async def test_a_digest_is_of_contents_and_not_of_times(make: Make, charts_dir: Path, tmp_path: Path) -> None:
    store = make(charts_dir=charts_dir)
    first = await store.get("tiny", "1.0.0")
    assert await store.get("tiny", "1.0.0") is first
    for file in (charts_dir / "tiny").rglob("*.yaml"):
        os.utime(file, (1_000_000_000, 1_000_000_000))
    again = await store.get("tiny", "1.0.0")
    assert (again.digest, again.path) == (first.digest, first.path)
    assert (await make(charts_dir=charts_dir).get("tiny", "1.0.0")).digest == first.digest
    assert [one.name for one in (tmp_path / "store/packages").iterdir()] == [f"{first.digest}.tgz"]


async def test_an_edited_folder_is_packed_again(make: Make, charts_dir: Path) -> None:
    store = make(charts_dir=charts_dir)
    first = await store.get("tiny", "1.0.0")
    (charts_dir / "tiny/values.yaml").write_text("word: two, and more")
    second = await store.get("tiny", "1.0.0")
    assert second.values == {"word": "two, and more"}
    assert second.digest != first.digest
    assert Path(first.path).exists()  # somebody may be about to install it


async def test_helmignore_is_honoured(make: Make, charts_dir: Path) -> None:
    write_chart(charts_dir / "tiny", {"crds/old.yaml": definition("old"), ".helmignore": "crds/old.yaml\n"})
    check(await make(charts_dir=charts_dir).get("tiny", "1.0.0"))


@pytest.mark.parametrize(
    ("chart", "version", "message"),
    [
        ("tiny", "2.0.0", "chart tiny 2.0.0: its Chart.yaml says version 1.0.0, not 2.0.0"),
        ("other", "1.0.0", "chart other 1.0.0: its Chart.yaml says that it is tiny"),
        ("../secret", "1.0.0", "chart ../secret 1.0.0: the folder of charts has no chart '../secret'"),
        ("/etc/passwd", "1.0.0", "chart /etc/passwd 1.0.0: the folder of charts has no chart '/etc/passwd'"),
        ("nowhere", "1.0.0", "chart nowhere 1.0.0: it is not in --charts-dir "),
        ("broken.tgz", "1.0.0", "chart broken.tgz 1.0.0: it is not a packed chart"),
        ("tiny", ">=1", '">=1" is not one exact version'),
        ("http://example.com/tiny", "1.0.0", '"http://example.com/tiny" is not a chart'),
        ("--help", "1.0.0", '"--help" is not a chart'),
        ("lonely", "1.0.0", "chart lonely 1.0.0: found in Chart.yaml, but missing in charts/ directory: redis"),
    ],
)
async def test_what_is_refused(make: Make, charts_dir: Path, chart: str, version: str, message: str) -> None:
    write_chart(charts_dir / "other", FILES)
    write_chart(charts_dir.parent / "secret", FILES)
    dependencies = "dependencies: [{name: redis, version: 1.0.0, repository: 'https://example.com'}]"
    write_chart(
        charts_dir / "lonely", {"Chart.yaml": f"{{apiVersion: v2, name: lonely, version: 1.0.0, {dependencies}}}"}
    )
    (charts_dir / "broken.tgz").write_bytes(b"x")
    error = await refusal(make(charts_dir=charts_dir), chart, version)
    assert error.message.startswith(message)
    assert not error.is_transient


async def test_a_link_out_of_the_folder_reads_nothing(make: Make, charts_dir: Path, tmp_path: Path) -> None:
    secret = write_chart(tmp_path / "secret", FILES)
    (charts_dir / "link").symlink_to(secret)
    (charts_dir / "tiny/templates").symlink_to(secret)
    store = make(charts_dir=charts_dir)
    assert "has no chart './link'" in (await refusal(store, "./link")).message
    assert "it is not in --charts-dir" in (await refusal(store, "link")).message
    assert "symbolic link, 'templates'" in (await refusal(store, "tiny")).message


async def test_without_a_folder_of_charts(make: Make) -> None:
    assert "no folder of charts is configured" in (await refusal(make(), "./tiny")).message
    message = "chart tiny 1.0.0: there is neither a --charts-dir nor a --chart-repository to take it from"
    assert (await refusal(make(), "tiny")).message == message


async def test_a_name_that_is_nowhere(make: Make, charts_dir: Path) -> None:
    message = f"chart other 1.0.0: it is not in --charts-dir {charts_dir}, and there is no --chart-repository"
    assert (await refusal(make(charts_dir=charts_dir), "other")).message == message


async def test_the_stand_in_for_higress(make: Make) -> None:
    package = await make(charts_dir=stand_in.SMALL.parent).get("higress-core", "2.2.1")
    assert not package.is_umbrella
    assert "gateway" in package.values
    assert "wasmplugins.extensions.higress.io" in {one["metadata"]["name"] for one in package.definitions}


async def test_an_umbrella_around_it(make: Make, charts_dir: Path) -> None:
    dependency = "{name: higress-core, version: 2.2.1, repository: 'file://../higress-core'}"
    metadata = f"{{apiVersion: v2, name: higress, version: 2.2.1, dependencies: [{dependency}]}}"
    umbrella = write_chart(charts_dir / "higress", {"Chart.yaml": metadata, "values.yaml": "global: {local: true}"})
    store = make(charts_dir=stand_in.SMALL.parent)
    core = await store.get("higress-core", "2.2.1")
    (umbrella / "charts").mkdir()
    (umbrella / "charts/higress-core-2.2.1.tgz").write_bytes(Path(core.path).read_bytes())  # packing unpacks it
    package = await make(charts_dir=charts_dir).get("higress", "2.2.1")
    assert package.is_umbrella
    assert package.values == {"global": {"local": True}, "higress-core": core.values}
    assert package.definitions == core.definitions


# -- from a repository


async def test_a_repository(make: Make, served: Served) -> None:
    check(await make(repository=served.url).get("tiny", "1.0.0"))
    assert served.asked == ["/index.yaml", "/tiny-1.0.0.tgz"]


async def test_the_same_contents_from_anywhere_have_one_digest(make: Make, served: Served, charts_dir: Path) -> None:
    (charts_dir / "packed.tgz").write_bytes(packed(FILES, time=99))
    store = make(repository=served.url, charts_dir=charts_dir)
    beside = await store.get("packed.tgz", "1.0.0")
    (charts_dir / "tiny/Chart.yaml").unlink()
    pulled = await store.get("tiny", "1.0.0")
    assert served.asked != []
    assert pulled.digest == beside.digest


async def test_what_lies_beside_us_comes_first(make: Make, served: Served, charts_dir: Path) -> None:
    (charts_dir / "tiny/values.yaml").write_text("word: beside")
    package = await make(repository=served.url, charts_dir=charts_dir).get("tiny", "1.0.0")
    assert package.values == {"word": "beside"}
    assert served.asked == []


async def test_many_who_ask_at_once_pull_once(make: Make, served: Served) -> None:
    store = make(repository=served.url)
    got = await asyncio.gather(*(store.get("tiny", "1.0.0") for _ in range(20)))
    assert {id(one) for one in got} == {id(got[0])}
    assert served.asked == ["/index.yaml", "/tiny-1.0.0.tgz"]


async def test_offline_after_a_restart(make: Make, served: Served) -> None:
    first = await make(repository=served.url).get("tiny", "1.0.0")
    served.is_away = True
    assert await make(repository=served.url).get("tiny", "1.0.0") == first
    error = await refusal(make(repository="http://other.invalid:1"), "tiny")  # another repository's may differ
    assert error.is_transient


async def test_a_damaged_file_is_pulled_again(make: Make, served: Served) -> None:
    first = await make(repository=served.url).get("tiny", "1.0.0")
    Path(first.path).write_bytes(packed({**FILES, "values.yaml": "word: evil"}))
    check(await make(repository=served.url).get("tiny", "1.0.0"))
    assert served.asked == ["/index.yaml", "/tiny-1.0.0.tgz"] * 2


async def test_a_tampered_package_is_refused(make: Make, served: Served, web: Path) -> None:
    (web / "tiny-1.0.0.tgz").write_bytes(packed({**FILES, "values.yaml": "word: evil"}))
    error = await refusal(make(repository=served.url), "tiny")
    assert error.message.endswith("is not the one of the repository's index: their SHA-256 digests differ")
    assert not error.is_transient


async def test_an_index_without_digests_is_taken_with_a_word(
    make: Make, served: Served, web: Path, caplog: pytest.LogCaptureFixture
) -> None:
    text = (web / "index.yaml").read_text()
    (web / "index.yaml").write_text(re.sub(r"^ *digest: .*\n", "", text, flags=re.MULTILINE))
    store = make(repository=served.url)
    with caplog.at_level(logging.WARNING):
        for one in (store, store, make(repository=served.url)):
            check(await one.get("tiny", "1.0.0"))
    assert [one.getMessage() for one in caplog.records] == [
        "chart tiny 1.0.0: the repository's index has no digest, so the file is unverified"
    ]


@pytest.mark.parametrize(
    ("chart", "version", "message"),
    [
        ("tiny", "9.0.0", "chart tiny 9.0.0: the repository has no version 9.0.0 of tiny, but 1.0.0"),
        ("other", "1.0.0", "chart other 1.0.0: the repository has no chart other"),
    ],
)
async def test_what_the_repository_does_not_have(
    make: Make, served: Served, chart: str, version: str, message: str
) -> None:
    error = await refusal(make(repository=served.url), chart, version)
    assert (error.message, error.is_transient) == (message, False)


async def test_another_chart_under_the_name(make: Make, served: Served, web: Path) -> None:
    (web / "tiny-1.0.0.tgz").write_bytes(packed({"Chart.yaml": METADATA.replace("1.0.0", "1.0.1")}))
    entry = {"apiVersion": "v2", "name": "tiny", "version": "1.0.0", "urls": ["tiny-1.0.0.tgz"]}
    (web / "index.yaml").write_text(json.dumps({"apiVersion": "v1", "entries": {"tiny": [entry]}}))
    error = await refusal(make(repository=served.url), "tiny")
    assert error.message == "chart tiny 1.0.0: its Chart.yaml says version 1.0.1, not 1.0.0"


async def test_a_failure_is_remembered_for_a_while(make: Make, served: Served) -> None:
    clock = Clock()
    store = make(repository=served.url, clock=clock)
    served.is_away = True
    first = await refusal(store, "tiny")
    assert first.is_transient
    assert served.url in first.message
    served.is_away = False
    again = await asyncio.gather(*(refusal(store, "tiny") for _ in range(50)))
    assert {(one.message, one.is_transient) for one in again} == {(first.message, True)}
    assert served.asked == []
    clock.now += module.FAILURE_SECONDS
    check(await store.get("tiny", "1.0.0"))


async def test_failures_that_are_remembered_have_a_limit(
    make: Make, charts_dir: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "FAILURES_MAX", 2)
    clock = Clock()
    store = make(clock=clock, charts_dir=charts_dir)
    for number in range(3):
        await refusal(store, f"tiny{number}")
        write_chart(charts_dir / f"tiny{number}", {"Chart.yaml": METADATA.replace("tiny", f"tiny{number}")})
    assert (await store.get("tiny2", "1.0.0")).name == "tiny2"  # beyond the limit: asked again
    assert "it is not in --charts-dir" in (await refusal(store, "tiny1")).message
    clock.now += module.FAILURE_SECONDS
    await refusal(store, "tiny3")
    assert (await store.get("tiny1", "1.0.0")).name == "tiny1"


async def test_credentials_are_used_and_never_shown(make: Make, served: Served, tmp_path: Path) -> None:
    url = served.url.replace("http://", f"http://me:{SECRET}@")
    check(await make(repository=url).get("tiny", "1.0.0"))
    assert served.authorization == {"Basic bWU6czNjcjN0"}
    served.is_away = True
    error = await refusal(make(repository=url), "tiny", "1.0.1")
    assert served.url in error.message
    assert SECRET not in error.message
    holding = [one for one in tmp_path.rglob("*") if one.is_file() and SECRET.encode() in one.read_bytes()]
    assert [one.name for one in holding] == ["repositories.yaml"]
    assert holding[0].stat().st_mode & 0o777 == 0o600


async def test_few_charts_stay_in_memory(make: Make, charts_dir: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "PACKAGES_MAX", 1)
    store = make(charts_dir=charts_dir)
    first = await store.get("tiny", "1.0.0")
    other = await store.get("./tiny", "1.0.0")
    assert await store.get("./tiny", "1.0.0") is other
    again = await store.get("tiny", "1.0.0")
    assert again is not first
    assert again == first


async def test_what_is_in_memory_stays_on_disk(make: Make, charts_dir: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(chart_shelf, "PACKAGES_MAX", 1)
    write_chart(charts_dir / "other", {"Chart.yaml": METADATA.replace("tiny", "other")})
    store = make(charts_dir=charts_dir)
    first = await store.get("tiny", "1.0.0")
    await store.get("other", "1.0.0")
    assert Path(first.path).exists()


# -- from a registry


async def test_a_registry(make: Make, charts_dir: Path) -> None:
    data = packed(FILES)
    with registry("charts/tiny", "1.0.0", data) as served:
        reference = f"{served.url.replace('http', 'oci')}/charts/tiny"
        store = make(plain_http=True)
        package = await store.get(reference, "1.0.0")
        check(package)
        assert Path(package.path).read_bytes() == data
        missing = await refusal(store, reference, "2.0.0")
        assert not missing.is_transient
        served.is_away = True
        assert await make(plain_http=True).get(reference, "1.0.0") == package
        assert (await refusal(make(plain_http=True), reference, "3.0.0")).is_transient


async def test_references_to_one_manifest(make: Make) -> None:
    with registry("charts/tiny", "1.0.0", packed(FILES)) as served:
        reference = f"{served.url.replace('http', 'oci')}/charts/tiny"
        store = make(plain_http=True)
        check(await store.get(f"{reference}@{served.digest}", "1.0.0"))
        check(await store.get(f"{reference}:1.0.0", "1.0.0"))
        mismatch = await refusal(store, f"{reference}:1.0.1")
        assert mismatch.message.endswith("chart reference and version mismatch: 1.0.0 is not 1.0.1")
        invalid = await refusal(store, reference.replace("oci://", f"oci://me:{SECRET}@"))
        assert "invalid reference" in invalid.message
        assert SECRET not in invalid.message
        assert not mismatch.is_transient
        assert not invalid.is_transient


async def test_a_registry_needs_tls_unless_told_otherwise(make: Make) -> None:
    with registry("charts/tiny", "1.0.0", packed(FILES)) as served:
        error = await refusal(make(), f"{served.url.replace('http', 'oci')}/charts/tiny")
    assert served.asked == []
    assert error.is_transient
