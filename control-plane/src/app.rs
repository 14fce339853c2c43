//! The wiring: every service, built once.

use std::sync::Arc;

use crate::clock::Clock;
use crate::config::Config;
use crate::db::Db;
use crate::error::Result;
use crate::ids::InstanceId;

/// Everything that a request or a loop may use. Handlers take it as `State<Arc<App>>`.
pub struct App {
    /// The configuration as it was read.
    pub config: Config,
    /// The time.
    pub clock: Clock,
    /// The store.
    pub db: Db,
    /// This process.
    pub instance: InstanceId,
}

impl App {
    /// Opens the store and builds the services.
    pub async fn build(config: Config, clock: Clock) -> Result<Arc<Self>> {
        let db = Db::open(&config.database.url).await?;
        Ok(Arc::new(Self { config, clock, db, instance: InstanceId::generate() }))
    }
}
