//! The attacks: those of the review, and more of their kinds.

mod apps;
mod connections;
mod requests;

use std::{future::Future, pin::Pin};

use crate::attacker::Attacker;

type Running = Pin<Box<dyn Future<Output = ()> + Send>>;

pub struct Attack {
    pub name: &'static str,
    /// Begins the attack. What it spawns goes on until the attack ends.
    pub begin: fn(Attacker) -> Running,
    /// Whether it comes from so many addresses that a share may be used up for everyone.
    pub is_distributed: bool,
}

macro_rules! attacks {
    ($($name:literal $begin:path),* $(,)?) => {
        vec![$(Attack { name: $name, begin: |attacker| Box::pin($begin(attacker)), is_distributed: false }),*]
    };
}

pub fn all() -> Vec<Attack> {
    let mut attacks = attacks![
        // Those of the review.
        "70 connections, 7000 unfinished bodies of 60 KB" requests::large_unfinished_bodies,
        "256 wrong logins at once" requests::wrong_logins,
        "55 runs with a million empty lists each" apps::nested_empty_lists,
        "48 runs of template bombs" apps::template_bombs,
        "cancelled loops of string filters" apps::cancelled_filters,
        "64 HTTP nodes that get no answer" apps::tarpits,
        // Others.
        "64 HTTP nodes with answers of 10 MB" apps::large_responses,
        "6000 bodies of 4 KB that never end" requests::small_unfinished_bodies,
        "200 runs of 1 MB that never end" requests::unfinished_runs,
        "400 slow heads" connections::slow_heads,
        "2000 idle connections" connections::idle,
        "rapid resets" connections::rapid_resets,
        "pings and settings" connections::pings_and_settings,
        "3000 lists of headers of 31 KB" connections::large_headers,
        "unread event streams and answers" connections::unread_answers,
        "gRPC messages of 1 MB, with deep and wide values" requests::grpc_messages,
        "cookies of 30 KB and forms of 4 KB" requests::cookies_and_forms,
        "JSON of depth 500,000" apps::deep_json,
        "compressed bodies" requests::compressed_bodies,
        "guesses of user codes and tokens" requests::guesses,
        "4000 device codes" requests::device_codes,
    ];
    attacks.push(Attack {
        name: "unfinished bodies from 64 addresses",
        begin: |attacker| Box::pin(requests::distributed_bodies(attacker)),
        is_distributed: true,
    });
    attacks
}
