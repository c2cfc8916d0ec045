//! Reading through memory, for what every notification asks.

use std::borrow::Borrow;
use std::hash::Hash;
use std::sync::atomic::{AtomicU64, Ordering};

use moka::future::Cache;

/// Answers of the database, kept until somebody writes. They do not grow old: every write goes
/// through this process, and while the database is away they are all there is.
pub(super) struct ReadThrough<K, V> {
    cache: Cache<K, V>,
    writes: AtomicU64,
}

impl<K, V> ReadThrough<K, V>
where
    K: Hash + Eq + Clone + Send + Sync + 'static,
    V: Clone + Send + Sync + 'static,
{
    /// Keeps at most `capacity` answers, those that are asked for most.
    pub(super) fn new(capacity: u64) -> Self {
        Self {
            cache: Cache::new(capacity),
            writes: AtomicU64::new(0),
        }
    }

    /// What is kept for the key, or else what `load` says; an error is not kept.
    ///
    /// An answer that was read before a write and arrives after it must not stay: it is put in
    /// place first and taken out again where a write came between.
    pub(super) async fn get<Q, E>(
        &self,
        key: &Q,
        load: impl Future<Output = Result<V, E>>,
    ) -> Result<V, E>
    where
        K: Borrow<Q>,
        Q: Hash + Eq + ToOwned<Owned = K> + ?Sized,
    {
        if let Some(value) = self.cache.get(key).await {
            return Ok(value);
        }
        let writes = self.writes.load(Ordering::SeqCst);
        let value = load.await?;
        self.cache.insert(key.to_owned(), value.clone()).await;
        if self.writes.load(Ordering::SeqCst) != writes {
            self.cache.invalidate(key).await;
        }
        Ok(value)
    }

    /// To be called after every write that the answer depends on.
    pub(super) async fn written<Q>(&self, key: &Q)
    where
        K: Borrow<Q>,
        Q: Hash + Eq + ToOwned<Owned = K> + ?Sized,
    {
        self.writes.fetch_add(1, Ordering::SeqCst);
        self.cache.invalidate(key).await;
    }
}

#[cfg(test)]
mod tests {
    use std::convert::Infallible;

    use super::*;

    async fn get(cache: &ReadThrough<String, u32>, loaded: u32) -> u32 {
        let load = async { Ok::<_, Infallible>(loaded) };
        cache.get("key", load).await.unwrap()
    }

    #[tokio::test]
    async fn an_answer_is_kept_until_something_is_written() {
        let cache = ReadThrough::new(10);
        assert_eq!(get(&cache, 1).await, 1);
        assert_eq!(get(&cache, 2).await, 1);
        cache.written("key").await;
        assert_eq!(get(&cache, 2).await, 2);
    }

    #[tokio::test]
    async fn an_answer_that_a_write_overtook_is_not_kept() {
        let cache = ReadThrough::new(10);
        let overtaken = cache.get("key", async {
            cache.written("key").await;
            Ok::<_, Infallible>(1)
        });
        assert_eq!(overtaken.await.unwrap(), 1);
        assert_eq!(get(&cache, 2).await, 2);
    }

    #[tokio::test]
    async fn an_error_is_not_kept() {
        let cache: ReadThrough<String, u32> = ReadThrough::new(10);
        assert_eq!(cache.get("key", async { Err("away") }).await, Err("away"));
        assert_eq!(get(&cache, 2).await, 2);
    }
}
