"""What every test shares: oracles and targets of fuzzing on the path, a compilation cache, and the data folder."""

import gc
import os
import sys
from pathlib import Path

import hypothesis
import jax
import jaxtyping
import pytest

sys.path[:0] = [str(Path(__file__).parent / folder) for folder in (".", "fuzz", "golden")]

# what is compiled here runs once: the compiler's expensive passes would take more time than they save; its new emitters
# of fusions compile half as fast as those before them, and programs as small as these a fifth faster in one piece than
# in many (a flag that is unknown would be fatal, so: where it is known)
FLAGS = "--xla_backend_optimization_level=0"
if jax.__version_info__ < (0, 12):
    FLAGS += " --xla_cpu_use_fusion_emitters=false --xla_cpu_parallel_codegen_split_count=1"
os.environ.setdefault("XLA_FLAGS", FLAGS)

# of the environment, for the programs that tests start use it too
CACHE = os.environ.setdefault("JAX_COMPILATION_CACHE_DIR", str(Path(__file__).parent.parent / ".jax_cache"))
jax.config.update("jax_compilation_cache_dir", CACHE)
jax.config.update("jax_persistent_cache_min_compile_time_secs", 0.2)

# shapes and types are checked at every call, in tests alone: of the parts always, and of everything between the numbers
# and the evaluation where the long tests are run too (IWAX_CHECK=all), for it makes tracing a quarter slower
CHECKED = "nn bijections priors likelihoods posteriors model"
if os.environ.get("IWAX_CHECK") == "all":
    CHECKED += " numerics distributions batched bounds gradients evaluation"
jaxtyping.install_import_hook([f"iwax.{name}" for name in CHECKED.split()], "beartype.beartype")

# compiled programs are many small objects that live on: looking for garbage among them was a twentieth of the time
gc.set_threshold(50_000, 50, 100)

# the same examples at every run, more where the long tests are run, and no limit of time: the first example compiles,
# and a busy machine is no defect
EXAMPLES = 60 if os.environ.get("IWAX_CHECK") == "all" else 40
hypothesis.settings.register_profile(
    "iwax",
    deadline=None,
    derandomize=True,
    database=None,
    max_examples=EXAMPLES,
    suppress_health_check=[hypothesis.HealthCheck.too_slow],
)
hypothesis.settings.load_profile("iwax")


@pytest.fixture
def iwax_data() -> Path:
    """The folder of larger data sets; a test that needs it skips, with a reason, where there is none."""
    folder = os.environ.get("IWAX_DATA")
    if not folder:
        pytest.skip("needs the larger data sets: set IWAX_DATA to their folder")
    return Path(folder)


@pytest.fixture
def float64():
    """Run a test in double precision."""
    with jax.enable_x64(True):
        yield
