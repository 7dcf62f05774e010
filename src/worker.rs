//! The loops behind the receiver. Each is a thread over a step that tests call themselves, so that they drain instead
//! of sleeping.

pub mod api_reader;
pub mod applier;
pub mod checkpointer;
mod compaction;
mod comparer;
pub mod notifier;
mod pending_work;
mod restart;
