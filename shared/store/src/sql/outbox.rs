use gyre_engine::{ChannelState, InUse, StateEvent, Transition};
use gyre_types::UnixMillis;

/// How many, and the least that the first may be. Gives the generation of the last.
///
/// The row is held until the transaction ends: who else records waits, so generations grow as
/// transactions do.
pub(super) const NEXT: &str = "UPDATE channel_state_mark SET generation = \
    CASE WHEN generation < $2 THEN $2 - 1 + $1 ELSE generation + $1 END \
    WHERE only_one = 1 RETURNING generation";

/// Generation, proxy, channel, state, at_ms.
pub(super) const RECORD: &str = "INSERT INTO channel_state_event \
    (generation, proxy, channel, state, at_ms) VALUES ($1, $2, $3, $4, $5)";

/// Channel, proxy.
pub(super) const OCCUPY: &str = "INSERT INTO channel_in_use (channel, proxy) VALUES ($1, $2) \
    ON CONFLICT (channel) DO UPDATE SET proxy = excluded.proxy";

/// Channel.
pub(super) const VACATE: &str = "DELETE FROM channel_in_use WHERE channel = $1";

/// Proxy, limit.
pub(super) const EVENTS: &str = "SELECT generation, channel, state, at_ms \
    FROM channel_state_event WHERE proxy = $1 ORDER BY generation LIMIT $2";

/// Proxy, generation.
pub(super) const TOLD: &str =
    "DELETE FROM channel_state_event WHERE proxy = $1 AND generation <= $2";

pub(super) const WAITING: &str = "SELECT COUNT(*) FROM channel_state_event";

/// Channel before the first, limit.
pub(super) const IN_USE: &str = "SELECT channel, proxy FROM channel_in_use \
    WHERE channel > $1 ORDER BY channel LIMIT $2";

pub(super) const PROXIES: &str = "SELECT proxy FROM channel_state_event \
    UNION SELECT proxy FROM channel_in_use ORDER BY proxy";

/// Proxy.
pub(super) const FORGET_EVENTS: &str = "DELETE FROM channel_state_event WHERE proxy = $1";

/// Proxy.
pub(super) const FORGET_IN_USE: &str = "DELETE FROM channel_in_use WHERE proxy = $1";

/// A row of [`EVENTS`].
pub(super) type Row = (i64, String, i16, i64);

/// What a row says; `None` if it could not have been written by [`RECORD`].
pub(super) fn event(proxy: &str, row: Row) -> Option<StateEvent> {
    let (generation, channel, state, at) = row;
    Some(StateEvent {
        generation,
        transition: Transition {
            channel: channel.into(),
            proxy: proxy.into(),
            state: of_number(state)?,
            at: UnixMillis(at),
        },
    })
}

/// The number that stands in the table for a state. Never given to another one.
pub(super) const fn number(state: ChannelState) -> i16 {
    match state {
        ChannelState::Occupied => 1,
        ChannelState::Vacated => 2,
    }
}

const fn of_number(number: i16) -> Option<ChannelState> {
    match number {
        1 => Some(ChannelState::Occupied),
        2 => Some(ChannelState::Vacated),
        _ => None,
    }
}

/// What a row of [`IN_USE`] says.
pub(super) fn in_use((channel, proxy): (String, String)) -> InUse {
    InUse {
        channel: channel.into(),
        proxy: proxy.into(),
    }
}

/// Implements the outbox over the field `pool`.
macro_rules! channel_outbox {
    ($database:ident) => {
        impl gyre_engine::ChannelOutbox for $database {
            fn record<'a>(
                &'a self,
                transitions: &'a [gyre_engine::Transition],
            ) -> $crate::BoxFuture<'a, Result<(), gyre_engine::OutboxError>> {
                use gyre_engine::ChannelState;
                Box::pin(async move {
                    let Some(latest) = transitions.iter().map(|one| one.at).max() else {
                        return Ok(());
                    };
                    let count = i64::try_from(transitions.len()).unwrap_or(i64::MAX);
                    let mut transaction = self.pool.begin().await?;
                    let last: i64 = sqlx::query_scalar(super::outbox::NEXT)
                        .bind(count)
                        .bind($crate::outbox::generation_at(latest))
                        .fetch_one(&mut *transaction)
                        .await?;
                    for (transition, generation) in transitions.iter().zip(last - count + 1..) {
                        sqlx::query(super::outbox::RECORD)
                            .bind(generation)
                            .bind(&*transition.proxy)
                            .bind(&*transition.channel)
                            .bind(super::outbox::number(transition.state))
                            .bind(transition.at.0)
                            .execute(&mut *transaction)
                            .await?;
                        let statement = match transition.state {
                            ChannelState::Occupied => super::outbox::OCCUPY,
                            ChannelState::Vacated => super::outbox::VACATE,
                        };
                        let mut query = sqlx::query(statement).bind(&*transition.channel);
                        if transition.state == ChannelState::Occupied {
                            query = query.bind(&*transition.proxy);
                        }
                        query.execute(&mut *transaction).await?;
                    }
                    Ok(transaction.commit().await?)
                })
            }

            fn events<'a>(
                &'a self,
                proxy: &'a str,
                limit: u32,
            ) -> $crate::BoxFuture<'a, Result<Vec<gyre_engine::StateEvent>, gyre_engine::OutboxError>>
            {
                Box::pin(async move {
                    let rows: Vec<super::outbox::Row> = sqlx::query_as(super::outbox::EVENTS)
                        .bind(proxy)
                        .bind(i64::from(limit))
                        .fetch_all(&self.pool)
                        .await?;
                    let event = |row| super::outbox::event(proxy, row);
                    Ok(rows.into_iter().filter_map(event).collect())
                })
            }

            fn told<'a>(
                &'a self,
                proxy: &'a str,
                generation: i64,
            ) -> $crate::BoxFuture<'a, Result<(), gyre_engine::OutboxError>> {
                Box::pin(async move {
                    let statement = sqlx::query(super::outbox::TOLD);
                    let statement = statement.bind(proxy).bind(generation);
                    statement.execute(&self.pool).await?;
                    Ok(())
                })
            }

            fn waiting(&self) -> $crate::BoxFuture<'_, Result<u64, gyre_engine::OutboxError>> {
                Box::pin(async move {
                    let count: i64 = sqlx::query_scalar(super::outbox::WAITING)
                        .fetch_one(&self.pool)
                        .await?;
                    Ok(u64::try_from(count).unwrap_or(0))
                })
            }

            fn in_use<'a>(
                &'a self,
                after: &'a str,
                limit: u32,
            ) -> $crate::BoxFuture<'a, Result<Vec<gyre_engine::InUse>, gyre_engine::OutboxError>>
            {
                Box::pin(async move {
                    let rows: Vec<(String, String)> = sqlx::query_as(super::outbox::IN_USE)
                        .bind(after)
                        .bind(i64::from(limit))
                        .fetch_all(&self.pool)
                        .await?;
                    Ok(rows.into_iter().map(super::outbox::in_use).collect())
                })
            }

            fn proxies(&self) -> $crate::BoxFuture<'_, Result<Vec<String>, gyre_engine::OutboxError>> {
                Box::pin(async move {
                    let names = sqlx::query_scalar(super::outbox::PROXIES);
                    Ok(names.fetch_all(&self.pool).await?)
                })
            }

            fn forget<'a>(
                &'a self,
                proxy: &'a str,
            ) -> $crate::BoxFuture<'a, Result<(), gyre_engine::OutboxError>> {
                Box::pin(async move {
                    let mut transaction = self.pool.begin().await?;
                    for statement in [super::outbox::FORGET_EVENTS, super::outbox::FORGET_IN_USE] {
                        let statement = sqlx::query(statement).bind(proxy);
                        statement.execute(&mut *transaction).await?;
                    }
                    Ok(transaction.commit().await?)
                })
            }
        }
    };
}

pub(super) use channel_outbox;
