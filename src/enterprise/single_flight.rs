//! Joins concurrent callers with the same request, so that an expired cache entry causes one request and not many.

use std::{collections::HashMap, hash::Hash, sync::Arc};

use futures_util::{
    FutureExt as _,
    future::{BoxFuture, Shared},
};
use parking_lot::Mutex;
use tokio::sync::oneshot;

use super::remote::error::RemoteError;
use crate::telemetry::carry::carry;

type Flight<V> = Shared<BoxFuture<'static, Result<V, RemoteError>>>;

/// The requests that are under way, by key.
pub(super) struct SingleFlight<K, V>(Arc<Mutex<HashMap<K, Flight<V>>>>);

impl<K, V> Default for SingleFlight<K, V> {
    fn default() -> Self {
        Self(Arc::default())
    }
}

impl<K: Eq + Hash + Clone + Send + 'static, V: Clone + Send + Sync + 'static> SingleFlight<K, V> {
    /// Returns the answer of the request with this key that is under way, or starts `call`. A request is a task of
    /// its own and ends within its own time limit, also when all callers have disconnected. The request itself reads
    /// and fills the cache.
    pub(super) async fn join(
        &self,
        key: K,
        call: impl Future<Output = Result<V, RemoteError>> + Send + 'static,
    ) -> Result<V, RemoteError> {
        let flight = {
            let mut flights = self.0.lock();
            if let Some(flight) = flights.get(&key) {
                flight.clone()
            } else {
                let (sender, answer) = oneshot::channel();
                let flight = answer.map(|answer| answer.unwrap_or(Err(RemoteError::Cancelled))).boxed().shared();
                flights.insert(key.clone(), flight.clone());
                let landing = Landing { flights: Arc::clone(&self.0), key };
                let task = async move {
                    let answer = call.await;
                    drop(landing);
                    let _ = sender.send(answer);
                };
                tokio::spawn(carry(task));
                flight
            }
        };
        flight.await
    }
}

/// Removes a request when it ends, also by a panic.
struct Landing<K: Eq + Hash, V> {
    flights: Arc<Mutex<HashMap<K, Flight<V>>>>,
    key: K,
}

impl<K: Eq + Hash, V> Drop for Landing<K, V> {
    fn drop(&mut self) {
        self.flights.lock().remove(&self.key);
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicUsize, Ordering};

    use tokio::sync::Notify;

    use super::*;

    #[tokio::test]
    async fn concurrent_callers_share_one_request() {
        let (flights, started, go) = (SingleFlight::default(), Arc::new(AtomicUsize::new(0)), Arc::new(Notify::new()));
        let join = |key: u8| {
            let (started, go) = (Arc::clone(&started), Arc::clone(&go));
            flights.join(key, async move {
                started.fetch_add(1, Ordering::Relaxed);
                go.notified().await;
                if key == 1 { Ok(7) } else { Err(RemoteError::Busy) }
            })
        };
        let callers: Vec<_> = (0..50).map(|_| join(1)).collect();
        let mut callers = std::pin::pin!(futures_util::future::join_all(callers));
        assert!(futures_util::poll!(callers.as_mut()).is_pending());
        tokio::task::yield_now().await;
        go.notify_waiters();
        assert!(callers.await.into_iter().all(|answer| matches!(answer, Ok(7))));
        assert_eq!(started.load(Ordering::Relaxed), 1);
        // The next caller sends another, and a failure reaches everyone.
        go.notify_one();
        assert!(matches!(join(2).await, Err(RemoteError::Busy)));
        assert_eq!(started.load(Ordering::Relaxed), 2);
        assert!(flights.0.lock().is_empty());
    }

    #[tokio::test]
    async fn request_ends_without_its_callers() {
        let (flights, go) = (SingleFlight::<u8, u8>::default(), Arc::new(Notify::new()));
        let (waiting, done) = (Arc::clone(&go), Arc::new(Notify::new()));
        let ended = Arc::clone(&done);
        let mut caller = Box::pin(flights.join(1, async move {
            waiting.notified().await;
            ended.notify_one();
            Ok(1)
        }));
        assert!(futures_util::poll!(caller.as_mut()).is_pending());
        drop(caller);
        go.notify_one();
        done.notified().await;
    }

    #[tokio::test]
    async fn panic_of_a_request_is_an_error_for_its_callers() {
        let flights = SingleFlight::<u8, u8>::default();
        let answer = flights.join(1, async { panic!("a request that panics") }).await;
        assert!(matches!(answer, Err(RemoteError::Cancelled)));
        assert!(matches!(flights.join(1, async { Ok(1) }).await, Ok(1)));
    }
}
