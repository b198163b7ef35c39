//! What a command row holds as its executable part.
//!
//! Rows are written as `handler!(string::get)`. Today that expands to the path as text, which
//! COMMAND and the tests can check; binding the rows to code changes the type and the macro below
//! and not one row.

/// The executable part of a row.
pub type Handler = &'static str;

/// Names the function that runs a command: `handler!(family::function)`.
macro_rules! handler {
    ($family:ident :: $function:ident) => {
        concat!(stringify!($family), "::", stringify!($function))
    };
}

pub(crate) use handler;
