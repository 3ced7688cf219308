//! Connections to the stores: TLS with a private authority, mutual TLS, users with few rights, poolers, and the causes
//! that errors name.

mod errors;
mod mysql_tls;
mod pooler;
mod postgres_tls;
mod redis_failover;
mod redis_tls;
mod redis_topologies;
mod restart;
mod several_hosts;
