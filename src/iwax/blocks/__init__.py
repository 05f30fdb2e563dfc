"""Tables in blocks: scores, imputations and latents of many files, written block by block, in one process or by Ray."""

from iwax.blocks.apply import Applied, apply
from iwax.blocks.inputs import matched
from iwax.blocks.on_ray import OnRay
from iwax.blocks.process import Process
from iwax.blocks.tasks import Embed, Impute, Score, Task

__all__ = ["Applied", "Embed", "Impute", "OnRay", "Process", "Score", "Task", "apply", "matched"]
