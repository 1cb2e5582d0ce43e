//! The engine over a real store and guests that do what their event says.

mod calls;
mod events;
mod fakes;
mod memory;
mod scale;
mod starts;
