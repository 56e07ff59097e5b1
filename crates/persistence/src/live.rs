//! Sessions that were live a moment ago, so that not every call has to ask the database whether its session is.
//!
//! One process serves a database, and all that it does to end a session goes through the repository, which has it forgotten before it says that
//! it is done. Several processes would have to tell each other.

use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use mango_domain::model::{SessionId, UserId};

/// How long a session counts as live without another look. Sessions that end here are forgotten at once; what somebody does to the
/// database by hand is seen after this time.
const FRESH: Duration = Duration::from_secs(30);

/// How many sessions are remembered, some megabytes of them.
const MOST: usize = 65_536;

/// The sessions of which it is known that they are live.
#[derive(Default)]
pub(crate) struct LiveSessions(Mutex<Known>);

#[derive(Default)]
struct Known {
    sessions: HashMap<SessionId, (UserId, Instant)>,
    /// How often sessions were forgotten.
    endings: u64,
}

/// A look at the database that has begun. What it finds is remembered when no session has ended in the meantime: it may have seen the
/// database as it was before.
#[must_use]
pub(crate) struct Look {
    endings: u64,
    began: Instant,
}

impl LiveSessions {
    /// Whether this session of this user is known to be live at a moment.
    pub fn has(&self, session: SessionId, user: UserId, now: Instant) -> bool {
        let known = self.known();
        known.sessions.get(&session).is_some_and(|(theirs, until)| *theirs == user && now < *until)
    }

    /// To be called before the database is asked.
    pub fn look(&self, now: Instant) -> Look {
        Look { endings: self.known().endings, began: now }
    }

    /// Remembers that a look has found a session of a user live.
    pub fn remember(&self, session: SessionId, user: UserId, look: &Look) {
        let mut known = self.known();
        if known.endings != look.endings {
            return;
        }
        if known.sessions.len() >= MOST {
            known.sessions.retain(|_, (_, until)| look.began < *until);
            if known.sessions.len() >= MOST {
                known.sessions.clear();
            }
        }
        known.sessions.insert(session, (user, look.began + FRESH));
    }

    /// Forgets sessions that have ended.
    pub fn forget(&self, ended: &[SessionId]) {
        if ended.is_empty() {
            return;
        }
        let mut known = self.known();
        known.endings += 1;
        for session in ended {
            known.sessions.remove(session);
        }
    }

    /// Forgets all sessions, when it is not known which have ended.
    pub fn forget_all(&self) {
        let mut known = self.known();
        known.endings += 1;
        known.sessions.clear();
    }

    fn known(&self) -> MutexGuard<'_, Known> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const USER: UserId = UserId::new(1);
    const SESSION: SessionId = SessionId::new(1);

    fn with(sessions: i64) -> (LiveSessions, Instant) {
        let (live, now) = (LiveSessions::default(), Instant::now());
        let look = live.look(now);
        (1..=sessions).for_each(|id| live.remember(SessionId::new(id), USER, &look));
        (live, now)
    }

    #[test]
    fn a_session_is_known_for_its_user_and_for_a_while() {
        let (live, now) = with(1);
        assert!(live.has(SESSION, USER, now));
        assert!(!live.has(SESSION, UserId::new(2), now));
        assert!(!live.has(SessionId::new(2), USER, now));
        assert!(live.has(SESSION, USER, now + FRESH - Duration::from_millis(1)));
        assert!(!live.has(SESSION, USER, now + FRESH));
    }

    #[test]
    fn what_has_ended_is_forgotten_at_once_and_nothing_else() {
        let (live, now) = with(2);
        live.forget(&[SESSION]);
        assert!(!live.has(SESSION, USER, now));
        assert!(live.has(SessionId::new(2), USER, now));
        live.forget_all();
        assert!(!live.has(SessionId::new(2), USER, now));
    }

    /// Whoever asked before the end may have been told that the session is live.
    #[test]
    fn what_was_asked_before_an_end_is_not_remembered() {
        let (live, now) = with(0);
        let look = live.look(now);
        live.forget(&[]);
        live.remember(SessionId::new(2), USER, &look);
        assert!(live.has(SessionId::new(2), USER, now), "nothing has ended");
        live.forget(&[SESSION]);
        live.remember(SESSION, USER, &look);
        assert!(!live.has(SESSION, USER, now));
    }

    #[test]
    fn no_more_than_the_most_are_remembered() {
        let most = i64::try_from(MOST).unwrap();
        let (live, now) = with(most);
        assert!(live.has(SESSION, USER, now));
        live.remember(SessionId::new(most + 1), USER, &live.look(now));
        assert!(live.known().sessions.len() <= MOST);
        assert!(live.has(SessionId::new(most + 1), USER, now));

        let (live, now) = with(most);
        live.remember(SessionId::new(most + 1), USER, &live.look(now + FRESH));
        assert_eq!(live.known().sessions.len(), 1, "the others were not fresh any more");
    }
}
