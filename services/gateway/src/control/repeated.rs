use std::collections::VecDeque;
use std::time::Duration;

use bytes::Bytes;
use gyre_types::Uptime;
use parking_lot::Mutex;

/// How long a command's id is remembered. A caller repeats within its deadline, which is shorter.
const REMEMBERED: Duration = Duration::from_mins(1);

/// Most ids that are remembered. 4096: past it the oldest go, which only matters if they are repeated.
const IDS_MAX: usize = 4096;

/// Commands that were carried out lately, with their answers.
#[derive(Debug, Default)]
pub(crate) struct Repeated {
    done: Mutex<VecDeque<Done>>,
}

#[derive(Debug)]
struct Done {
    id: Bytes,
    matched: u32,
    at: Uptime,
}

impl Repeated {
    /// The answer of a command that was carried out before.
    pub(super) fn find(&self, id: &Bytes, now: Uptime) -> Option<u32> {
        if id.is_empty() {
            return None;
        }
        let done = self.done.lock();
        let found = done.iter().rev().find(|done| done.id == *id)?;
        (now - found.at < REMEMBERED).then_some(found.matched)
    }

    pub(super) fn remember(&self, id: &Bytes, matched: u32, now: Uptime) {
        if id.is_empty() {
            return;
        }
        let mut done = self.done.lock();
        while done.len() >= IDS_MAX
            || done
                .front()
                .is_some_and(|oldest| now - oldest.at >= REMEMBERED)
        {
            done.pop_front();
        }
        done.push_back(Done {
            id: id.clone(),
            matched,
            at: now,
        });
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_answer_is_given_again_for_a_minute() {
        let repeated = Repeated::default();
        let id = Bytes::from_static(b"0123456789abcdef");
        let at = Uptime::from_millis(1_000);
        assert_eq!(repeated.find(&id, at), None);
        repeated.remember(&id, 3, at);
        assert_eq!(repeated.find(&id, at + Duration::from_secs(59)), Some(3));
        assert_eq!(repeated.find(&id, at + Duration::from_mins(1)), None);
    }

    #[test]
    fn what_has_no_id_is_not_remembered() {
        let repeated = Repeated::default();
        repeated.remember(&Bytes::new(), 3, Uptime::START);
        assert_eq!(repeated.find(&Bytes::new(), Uptime::START), None);
    }
}
