"""All mutants, room by room."""

from tests.mutants import (
    combination,
    content,
    data,
    evaluation,
    followed_models,
    looks,
    models,
    modes,
    moved_atoms,
    plan,
    receptors,
    replay,
    results,
    shared_models,
    siblings,
    streaming,
)

MUTANTS = [
    *modes.MUTANTS,
    *streaming.MUTANTS,
    *evaluation.MUTANTS,
    *replay.MUTANTS,
    *content.MUTANTS,
    *looks.MUTANTS,
    *plan.MUTANTS,
    *receptors.MUTANTS,
    *combination.MUTANTS,
    *models.MUTANTS,
    *shared_models.MUTANTS,
    *followed_models.MUTANTS,
    *results.MUTANTS,
    *data.MUTANTS,
    *siblings.MUTANTS,
    *moved_atoms.MUTANTS,
]
