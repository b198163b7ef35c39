//! Load generator and side-by-side harness of Basalt.

fn main() {}
