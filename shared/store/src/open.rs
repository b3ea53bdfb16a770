use std::path::Path;
use std::sync::Arc;

use gyre_config::Config;
use gyre_config::access::StorageType;
use gyre_runtime::Clock;

use crate::access::{Access, Door, Keeper, LoadError, door, load};
use crate::exclusion::Kind;
use crate::repository::Exclusions;
use crate::sql::{Postgres, SqlError, Sqlite};
use crate::view::View;

/// Why the store cannot be opened.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    /// The file of `storage.sqlite.path`.
    #[error("storage.sqlite.path")]
    Sqlite(#[source] SqlError),
    /// The database of `database.postgresql.dsn`.
    #[error("database.postgresql.dsn")]
    Postgres(#[source] SqlError),
    /// What they hold cannot be read.
    #[error("exclusions cannot be read")]
    Load(#[from] LoadError),
    /// A section asks for the database, and there is none.
    #[error("{}.storage_type is database, which needs database.enabled and database.postgresql.dsn", .0.section())]
    NoDatabase(Kind),
}

/// Where a kind is kept.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum Place {
    Memory,
    Sqlite,
    Postgres,
}

/// Opens what the configuration names and reads what it holds. Returns what makes the changes: each
/// has to be run.
///
/// # Errors
///
/// [`OpenError`].
///
/// # Cancel safety
///
/// Cancel safe.
pub async fn open(config: &Config, clock: &Clock) -> Result<(Access, Vec<Keeper>), OpenError> {
    let mut opening = Opening {
        config,
        clock,
        view: Arc::new(View::default()),
        opened: Vec::new(),
        keepers: Vec::new(),
    };
    let users = opening.door(Kind::User).await?;
    let tokens = opening.door(Kind::Token).await?;
    let tokens_of_users = opening.door(Kind::TokensOfUser).await?;
    let access = Access {
        view: opening.view,
        users,
        tokens,
        tokens_of_users,
        clock: clock.clone(),
    };
    Ok((access, opening.keepers))
}

/// A place and its door; nothing is behind the door of memory.
struct Opened {
    place: Place,
    door: Door,
    repository: Option<Arc<dyn Exclusions>>,
}

struct Opening<'a> {
    config: &'a Config,
    clock: &'a Clock,
    view: Arc<View>,
    opened: Vec<Opened>,
    keepers: Vec<Keeper>,
}

impl Opening<'_> {
    /// The door of one kind, behind which what is there has been read.
    async fn door(&mut self, kind: Kind) -> Result<Door, OpenError> {
        let place = place(self.config, kind)?;
        if !self.opened.iter().any(|opened| opened.place == place) {
            let repository = repository(self.config, place).await?;
            let (door, keeper) = door(repository.clone(), &self.view, self.clock);
            self.keepers.push(keeper);
            self.opened.push(Opened {
                place,
                door,
                repository,
            });
        }
        let found = self.opened.iter().find(|opened| opened.place == place);
        let Opened {
            door, repository, ..
        } = found.ok_or(OpenError::NoDatabase(kind))?;
        if let Some(repository) = repository {
            load(&self.view, &**repository, kind, self.clock).await?;
        }
        let is_chosen = storage_type(self.config, kind) != StorageType::Embedded;
        Ok(match place {
            Place::Memory if !is_chosen => door.by_default(),
            Place::Memory | Place::Sqlite | Place::Postgres => door.clone(),
        })
    }
}

fn place(config: &Config, kind: Kind) -> Result<Place, OpenError> {
    let database = &config.database;
    match storage_type(config, kind) {
        StorageType::Embedded if config.storage.sqlite.path.is_empty() => Ok(Place::Memory),
        StorageType::Embedded => Ok(Place::Sqlite),
        StorageType::Memory => Ok(Place::Memory),
        StorageType::Database if database.enabled && !database.postgresql.dsn.is_empty() => {
            Ok(Place::Postgres)
        }
        StorageType::Database => Err(OpenError::NoDatabase(kind)),
    }
}

const fn storage_type(config: &Config, kind: Kind) -> StorageType {
    match kind {
        Kind::User => config.user_block.storage_type,
        Kind::Token => config.token_revoke.storage_type,
        Kind::TokensOfUser => config.user_tokens_invalidate.storage_type,
    }
}

async fn repository(
    config: &Config,
    place: Place,
) -> Result<Option<Arc<dyn Exclusions>>, OpenError> {
    Ok(match place {
        Place::Memory => None,
        Place::Sqlite => {
            let opened = Sqlite::open(Path::new(&config.storage.sqlite.path)).await;
            Some(Arc::new(opened.map_err(OpenError::Sqlite)?))
        }
        Place::Postgres => {
            let opened = Postgres::open(config.database.postgresql.dsn.expose()).await;
            Some(Arc::new(opened.map_err(OpenError::Postgres)?))
        }
    })
}
