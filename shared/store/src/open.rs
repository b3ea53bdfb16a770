use std::path::Path;
use std::sync::Arc;

use gyre_config::Config;
use gyre_config::access::{AccessStorage, StorageRedis, StorageType};
use gyre_engine::ChannelOutbox;
use gyre_runtime::Clock;

use crate::access::{self, Access, Door, Keeper, LoadError, door, load};
use crate::exclusion::Kind;
use crate::outbox::MemoryOutbox;
use crate::repository::Exclusions;
use crate::sql::{DatabaseError, Postgres, Sqlite};
use crate::view::View;

/// Why the store cannot be opened.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    /// The file of `storage.sqlite.path`.
    #[error("storage.sqlite.path")]
    Sqlite(#[source] DatabaseError),
    /// The database of `database.postgresql.dsn`.
    #[error("database.postgresql.dsn")]
    Postgres(#[source] DatabaseError),
    /// The Redis of a section.
    #[error("{section}.redis")]
    Redis {
        /// Which section.
        section: &'static str,
        /// Why.
        #[source]
        source: Box<dyn std::error::Error + Send + Sync>,
    },
    /// What they hold cannot be read.
    #[error("exclusions cannot be read")]
    Load(#[from] LoadError),
    /// A section asks for the database, and there is none.
    #[error(
        "{0}.storage_type is database, which needs database.enabled and database.postgresql.dsn"
    )]
    NoDatabase(&'static str),
}

/// What the configuration keeps.
#[derive(Debug)]
pub struct Store {
    /// Who is kept out.
    pub access: Access,
    /// What changes that: each has to be run.
    pub keepers: Vec<Keeper>,
    /// What became of channels.
    pub channels: Arc<dyn ChannelOutbox>,
}

/// Where something is kept.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum Place {
    Memory,
    Sqlite,
    Postgres,
    /// The Redis of this kind's section.
    Redis(Kind),
}

/// What keeps exclusions on a Redis, or why it cannot.
pub type OpenedOnRedis = Result<Arc<dyn Exclusions>, Box<dyn std::error::Error + Send + Sync>>;

/// Opens the Redis that a section names.
pub type OpenRedis<'a> = &'a (dyn Fn(&StorageRedis) -> OpenedOnRedis + Sync);

/// Opens what the configuration names and reads what it holds.
///
/// # Errors
///
/// [`OpenError`].
///
/// # Cancel safety
///
/// Cancel safe.
pub async fn open(
    config: &Config,
    clock: &Clock,
    redis: OpenRedis<'_>,
) -> Result<Store, OpenError> {
    let mut opening = Opening {
        config,
        clock,
        redis,
        view: Arc::new(View::default()),
        databases: Vec::new(),
        doors: Vec::new(),
        keepers: Vec::new(),
    };
    let users = opening.door(Kind::User).await?;
    let tokens = opening.door(Kind::Token).await?;
    let tokens_of_users = opening.door(Kind::TokensOfUser).await?;
    let channels = opening.channels().await?;
    let access = Access {
        view: opening.view,
        users,
        tokens,
        tokens_of_users,
        clock: clock.clone(),
    };
    Ok(Store {
        access,
        keepers: opening.keepers,
        channels,
    })
}

/// A database; nothing is behind memory.
#[derive(Clone)]
struct Database {
    exclusions: Arc<dyn Exclusions>,
    channels: Option<Arc<dyn ChannelOutbox>>,
}

struct Opening<'a> {
    config: &'a Config,
    clock: &'a Clock,
    redis: OpenRedis<'a>,
    view: Arc<View>,
    databases: Vec<(Place, Option<Database>)>,
    doors: Vec<(Place, Door)>,
    keepers: Vec<Keeper>,
}

impl Opening<'_> {
    /// The door of one kind, behind which what is there has been read.
    async fn door(&mut self, kind: Kind) -> Result<Door, OpenError> {
        let storage = storage_type(self.config, kind);
        let place = place_of(self.config, kind)?;
        let database = self.database(place).await?;
        let exclusions = database.map(|database| database.exclusions);
        let door = self.door_of(place, kind, exclusions.clone()).await?;
        if let Some(exclusions) = &exclusions {
            load(&self.view, &**exclusions, kind, self.clock).await?;
        }
        let is_chosen = storage != AccessStorage::Embedded;
        Ok(match place {
            Place::Memory if !is_chosen => door.by_default(),
            Place::Memory | Place::Sqlite | Place::Postgres | Place::Redis(_) => door,
        })
    }

    /// Where the state of channels is kept.
    async fn channels(&mut self) -> Result<Arc<dyn ChannelOutbox>, OpenError> {
        let storage = self.config.channel.state.storage_type;
        let place = place(self.config, storage, "channel.state")?;
        let database = self.database(place).await?;
        let channels = database.and_then(|database| database.channels);
        Ok(channels.unwrap_or_else(|| Arc::new(MemoryOutbox::default())))
    }

    /// The database of a place, which is opened once.
    async fn database(&mut self, place: Place) -> Result<Option<Database>, OpenError> {
        let mut known = self.databases.iter();
        if let Some((_, known)) = known.find(|(at, _)| *at == place) {
            return Ok(known.clone());
        }
        let opened = self.open(place).await?;
        self.databases.push((place, opened.clone()));
        Ok(opened)
    }

    async fn open(&self, place: Place) -> Result<Option<Database>, OpenError> {
        Ok(match place {
            Place::Memory => None,
            Place::Sqlite => {
                let opened = Sqlite::open(Path::new(&self.config.storage.sqlite.path)).await;
                let opened = Arc::new(opened.map_err(OpenError::Sqlite)?);
                Some(Database {
                    exclusions: Arc::<Sqlite>::clone(&opened),
                    channels: Some(opened),
                })
            }
            Place::Postgres => {
                let opened = Postgres::open(self.config.database.postgresql.dsn.expose()).await;
                let opened = Arc::new(opened.map_err(OpenError::Postgres)?);
                Some(Database {
                    exclusions: Arc::<Postgres>::clone(&opened),
                    channels: Some(opened),
                })
            }
            Place::Redis(kind) => {
                let opened = (self.redis)(redis_of(self.config, kind));
                let failed = |source| OpenError::Redis {
                    section: kind.section(),
                    source,
                };
                Some(Database {
                    exclusions: opened.map_err(failed)?,
                    channels: None,
                })
            }
        })
    }

    /// The door of a place, made once: a keeper without a door ends, and with it the process. To be made
    /// before the place is read, for changes are followed from here on.
    async fn door_of(
        &mut self,
        place: Place,
        kind: Kind,
        exclusions: Option<Arc<dyn Exclusions>>,
    ) -> Result<Door, LoadError> {
        let mut known = self.doors.iter().zip(&mut self.keepers);
        if let Some(((_, door), keeper)) = known.find(|((at, _), _)| *at == place) {
            keeper.kinds.push(kind);
            return Ok(door.clone());
        }
        let followed = match &exclusions {
            Some(exclusions) => access::followed(&**exclusions, self.clock).await?,
            None => None,
        };
        let (door, mut keeper) = door(exclusions, followed, &self.view, self.clock);
        keeper.kinds.push(kind);
        self.keepers.push(keeper);
        self.doors.push((place, door.clone()));
        Ok(door)
    }
}

/// Where a kind is kept. Kinds that name the same Redis are kept together.
fn place_of(config: &Config, kind: Kind) -> Result<Place, OpenError> {
    let storage = match storage_type(config, kind) {
        AccessStorage::Embedded => StorageType::Embedded,
        AccessStorage::Memory => StorageType::Memory,
        AccessStorage::Database => StorageType::Database,
        AccessStorage::Redis => {
            let is_same = |other: &Kind| {
                storage_type(config, *other) == AccessStorage::Redis
                    && redis_of(config, *other) == redis_of(config, kind)
            };
            let first = Kind::ALL.into_iter().find(is_same);
            return Ok(Place::Redis(first.unwrap_or(kind)));
        }
    };
    place(config, storage, kind.section())
}

fn place(config: &Config, storage: StorageType, section: &'static str) -> Result<Place, OpenError> {
    let database = &config.database;
    match storage {
        StorageType::Embedded if config.storage.sqlite.path.is_empty() => Ok(Place::Memory),
        StorageType::Embedded => Ok(Place::Sqlite),
        StorageType::Memory => Ok(Place::Memory),
        StorageType::Database if database.enabled && !database.postgresql.dsn.is_empty() => {
            Ok(Place::Postgres)
        }
        StorageType::Database => Err(OpenError::NoDatabase(section)),
    }
}

const fn storage_type(config: &Config, kind: Kind) -> AccessStorage {
    match kind {
        Kind::User => config.user_block.storage_type,
        Kind::Token => config.token_revoke.storage_type,
        Kind::TokensOfUser => config.user_tokens_invalidate.storage_type,
    }
}

const fn redis_of(config: &Config, kind: Kind) -> &StorageRedis {
    match kind {
        Kind::User => &config.user_block.redis,
        Kind::Token => &config.token_revoke.redis,
        Kind::TokensOfUser => &config.user_tokens_invalidate.redis,
    }
}
