//! A host of its own for the second replica.

use std::net::Ipv4Addr;

use crate::support::network::{Cable, Network};

/// A network namespace with a cable for clients and one for each store.
pub struct ReplicaHost {
    pub network: Network,
    to_clients: Cable,
    pub to_redis: Cable,
    pub to_postgres: Cable,
}

impl ReplicaHost {
    pub fn new() -> Self {
        let network = Network::new();
        let [to_clients, to_redis, to_postgres] = [0, 1, 2].map(|number| network.connect(number));
        Self { network, to_clients, to_redis, to_postgres }
    }

    /// Where the replica finds Redis and PostgreSQL, and where clients find the replica.
    pub fn addresses(&self) -> [Ipv4Addr; 3] {
        [self.to_redis.here, self.to_postgres.here, self.to_clients.there]
    }
}
