//! template.yaml, events and permissions agree with the code.

mod alarms;
mod events;
mod functions;
mod permissions;
