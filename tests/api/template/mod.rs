//! template.yaml, events, permissions and the documented configuration agree with the code.

mod alarms;
mod configuration;
mod deliveries;
mod events;
mod functions;
mod permissions;
