"""The checks, in the order in which they are made: memory first, whose peak the others would hide."""

from iwax.cli.self_check import arithmetic, audit, files, repetition
from iwax.cli.self_check.check import Check

__all__ = ["CHECKS"]

CHECKS = (
    Check("S7", "importing opens no socket and starts no program", audit.imports),
    Check("U2", "memory does not grow with k", repetition.memory),
    Check("F1", "a file is replaced at once", files.replaced),
    Check("F2", "a training killed and resumed equals the uninterrupted one", repetition.resumed),
    Check("F4", "a full disk is reported, and nothing is lost", files.full_disk),
    Check("F5", "a damaged checkpoint is noticed", files.damaged),
    Check("F8", "a folder is locked against a second process", files.locked),
    Check("S2", "training starts no program and opens no socket", audit.programs),
    Check("S3", "links in a checkpoint are not followed", files.links),
    Check("U1", "log mean exp of many log-weights", arithmetic.streaming),
    Check("U4", "single and double precision agree", arithmetic.precisions),
    Check("U6", "log p(x) does not depend on batch and order", repetition.batches),
    Check("T1", "IWAE rises with k to the exact log p(x)", arithmetic.bound),
    Check("T2", "with the exact posterior all weights are equal", arithmetic.exact_posterior),
    Check("T4", "gradients equal finite differences", arithmetic.gradient),
    Check("T7", "imputed means equal the exact ones", arithmetic.imputation),
    Check("T9", "k-hat flags a proposal that is too narrow", arithmetic.flags),
    Check("P1", "the same seed gives the same bits", repetition.twice),
    Check("P3", "compiled and uncompiled agree", repetition.uncompiled),
)
