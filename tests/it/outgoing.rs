//! Outgoing connections: TLS with a private authority, mutual TLS, IPv6, users with few rights, poolers, and the causes
//! that errors name.

mod certificate_files;
mod collector;
mod errors;
mod https_servers;
mod ipv6;
mod mysql_tls;
mod pooler;
mod postgres_tls;
mod redis_failover;
mod redis_tls;
mod redis_topologies;
mod restart;
mod several_hosts;
mod upstream;
