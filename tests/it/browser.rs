//! The pages in a real browser: every state, as a person comes to it.

mod looks;

use crate::support::{
    Visitor,
    visitor::{AUTHORIZE, CANCEL, SUBMIT},
};
