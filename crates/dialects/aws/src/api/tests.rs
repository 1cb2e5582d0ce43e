//! Requests over a real store, a fake artifact room, and guests that answer what their event says.

mod addresses;
mod functions;
mod lists;
mod plain;
mod world;
