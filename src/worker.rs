//! The loops behind the receiver. Each is a thread around a step function. Tests call the step directly, so they need
//! no sleep.

pub mod applier;
pub mod checkpointer;
mod compaction;
pub mod endpoint_sender;
pub mod event_poller;
mod heads_post;
pub mod heads_sender;
pub mod notifier;
mod pending_work;
mod reconciler;
mod watchdog;
