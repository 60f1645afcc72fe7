//! The backend of the demo application.
fn main() {}
