//! What holds under races, faults, limits and time.

mod budget;
mod conflicts;
mod crowd;
mod faults;
mod foreign_pages;
mod fraud;
mod front_door;
mod guessing;
mod hidden;
mod known_clients;
mod life;
mod limits;
mod lost_answers;
mod metrics;
mod odd_input;
mod races;
mod rotation;
mod round_trips;
mod sources;
mod stop;
