//! What rosterd reads from the broker's API, tried on the simulator's.

mod api;
mod away;
mod backfilled;
mod caught_up;
mod commands;
mod converging;
mod limits;
mod reconciled;
