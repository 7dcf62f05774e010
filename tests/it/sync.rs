//! What rosterd reads from the broker's API, tried on the simulator's.

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
