"""Random cases: a readout against plain autograd on whole complexes.

A case is a function of one integer. `models`, `sharing_models`, `twists`,
`sets`, `events` and `case` draw it; `worlds` and `reference` hold it twice, as
a readout and as plain autograd; `run` lets the same happen to both; `compare`
looks at values and gradients after each event; `refusals` says which errors
are allowed.
"""
