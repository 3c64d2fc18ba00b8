//! The attacks of `docs/threat-model.md`, a module for each attacker. Each test is named after what is promised, or after
//! what is not defended.

#![allow(unreachable_pub)]

#[path = "../common/mod.rs"]
mod common;

mod budgets;
mod build_machine;
mod glitch;
mod kit;
mod known_answers;
mod local_flash;
mod network;
mod records;
mod server;
mod signatures;
mod table;
mod trial;
