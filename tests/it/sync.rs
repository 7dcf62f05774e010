//! Reads from the broker's API, tested with the simulator's.

mod api;
mod away;
mod backfilled;
mod caught_up;
mod changing;
mod commands;
mod converging;
mod late;
mod limits;
mod not_compared;
mod reconciled;
mod silence;
mod spread;
