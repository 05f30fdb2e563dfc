"""The faults of tests/mutation/plant.py can still be planted: their places are there, and so are their tests."""

import importlib.util
import re
import shutil
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[3]


@pytest.fixture(scope="module")
def script():
    spec = importlib.util.spec_from_file_location("plant", ROOT / "tests" / "mutation" / "plant.py")
    module = importlib.util.module_from_spec(spec)
    sys.modules["plant"] = module  # a dataclass looks its module up
    spec.loader.exec_module(module)
    yield module
    del sys.modules["plant"]


def test_every_fault_has_its_place_and_its_tests(script, tmp_path):
    assert len(script.FAULTS) == len({fault.name for fault in script.FAULTS}) == 15
    for fault in script.FAULTS:
        (tmp_path / fault.file).parent.mkdir(exist_ok=True)
        shutil.copy(ROOT / "src" / "iwax" / fault.file, tmp_path / fault.file)
        before = fault.plant(tmp_path)
        after = (tmp_path / fault.file).read_text()
        assert after != before
        compile(after, fault.file, "exec")
        for test in fault.tests:
            path, _, function = test.partition("::")
            text = (ROOT / path).read_text()
            assert not function or re.search(rf"^def {function.split('[')[0]}\(", text, re.MULTILINE), test


def test_a_fault_without_its_place_is_said_loudly(script, tmp_path):
    for text, found in (("nothing of it", 0), ("twice, twice", 2)):
        (tmp_path / "file.py").write_text(text)
        with pytest.raises(ValueError, match=f"exactly once, found {found}"):
            script.Fault("a fault", "file.py", "twice", "once", ()).plant(tmp_path)
