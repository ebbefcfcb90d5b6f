//! Reading state machines as their authors wrote them, and finding what goes wrong with a state that waits for people.
//! Pure: text in, findings out. Called by `cli`.

mod json;
pub mod position;
