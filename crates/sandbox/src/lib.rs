//! Starts, freezes, limits and ends isolated processes; a small privileged helper does the privileged part over a narrow protocol.
