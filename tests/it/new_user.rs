//! The path of a new user.
