//! Writers over a database that fails as it is told.

use std::sync::atomic::{AtomicUsize, Ordering};

use mango_domain::model::{ChatKind, ChatRecord, Event, Message, MessageId, ProfileVersion, Seq, UserBrief};
use mango_domain::ports::StoredChat;
use mango_testkit::build::{group, message, moment};
use mango_testkit::memory::RecordedEvents;
use tokio::sync::Semaphore;

use super::*;

/// Commits nothing, and says so in the way that the test has chosen.
struct Failing {
    /// What becomes of groups of more than one, and of single changes.
    fault: fn(usize) -> Option<Fault>,
    groups: Mutex<Vec<usize>>,
    asked: AtomicUsize,
    /// Groups wait for a permit.
    gate: Semaphore,
}

impl Failing {
    fn new(fault: fn(usize) -> Option<Fault>) -> Arc<Self> {
        Arc::new(Self { fault, groups: Mutex::default(), asked: AtomicUsize::new(0), gate: Semaphore::new(0) })
    }
}

#[async_trait]
impl Commit for Failing {
    async fn commit(&self, group: Group) -> Result<Vec<Outcome>, Fault> {
        self.gate.acquire().await.unwrap().forget();
        self.groups.lock().unwrap().push(group.len());
        if let Some(fault) = (self.fault)(group.len()) {
            return Err(fault);
        }
        let stored = |new: &NewMessage| Message {
            id: MessageId::new(1),
            chat: new.chat,
            seq: Seq::new(1),
            version: Version::new(2),
            sender: new.sender,
            client_id: None,
            body: new.body.clone(),
            created_at: new.created_at,
        };
        let outcome =
            |new| Outcome::Appended(Some(Appended { message: Arc::new(stored(new)), likes: Vec::new(), is_new: true }));
        Ok(group.iter().filter_map(Change::message).map(outcome).collect())
    }

    async fn versions(&self, chats: Vec<ChatId>) -> Result<Vec<(ChatId, Version)>, Fault> {
        // The first time the database is still away.
        match self.asked.fetch_add(1, Ordering::Relaxed) {
            0 => Err(Fault::Closed),
            _ => Ok(chats.into_iter().map(|chat| (chat, Version::new(7))).collect()),
        }
    }

    async fn made_by(&self, creations: Vec<Creation>) -> Result<Vec<(Creation, CreatedChat)>, Fault> {
        if self.asked.fetch_add(1, Ordering::Relaxed) == 0 {
            return Err(Fault::Closed);
        }
        // That of the first user is the only one that was committed.
        let of_first = creations.into_iter().filter(|creation| creation.creator.get() == 1);
        Ok(of_first.map(|creation| (creation, created(creation))).collect())
    }

    async fn pins(&self, of: Vec<(ChatId, UserId)>) -> Result<Vec<PinToggle>, Fault> {
        if self.asked.fetch_add(1, Ordering::Relaxed) == 0 {
            return Err(Fault::Closed);
        }
        // That of the first user is set, that of the second is not, and the third is no member any more.
        let members = of.into_iter().filter(|(_, user)| user.get() < 3);
        let version = Version::new(7);
        Ok(members.map(|(chat, user)| PinToggle { chat, user, pinned: user.get() == 1, version }).collect())
    }
}

/// A group of two that was created so.
fn created(Creation { creator, at }: Creation) -> CreatedChat {
    let version = Version::new(1);
    let record = ChatRecord { id: ChatId::new(9), name: None, kind: ChatKind::Group, created_at: at, version };
    let member = |id| UserBrief { id, name: None, photo: None, version: ProfileVersion::new(0) };
    let members = vec![member(creator), member(UserId::new(2))];
    CreatedChat { chat: StoredChat { record, members, last_message: None, pinned: false }, is_new: true }
}

fn recording() -> (Arc<RecordedEvents>, Announcer) {
    let recorded = Arc::new(RecordedEvents::default());
    let events: Arc<dyn Events> = recorded.clone();
    (recorded, Announcer::new(&events, None))
}

/// Sends a message to each of the chats at once, and gives what becomes of each.
async fn send(
    commit: &Arc<Failing>,
    announcer: &Announcer,
    chats: &[i64],
) -> (Writers, Vec<Result<bool, FailureKind>>) {
    let shared: Arc<dyn Commit> = commit.clone();
    let writers = Writers::start(&shared, 1, 16);
    let sending = chats.iter().map(|chat| {
        let new = message(ChatId::new(*chat), UserId::new(1)).build();
        writers.append(new, announcer.clone())
    });
    let release = async { commit.gate.add_permits(100) };
    let (outcomes, ()) = tokio::join!(futures_util::future::join_all(sending), release);
    (
        writers,
        outcomes
            .into_iter()
            .map(|outcome| outcome.map(|done| done.is_some()).map_err(|failure| failure.kind))
            .collect(),
    )
}

/// Members of a chat whose changes may have been committed are told to catch up, as soon as the database can say where the
/// chat is.
#[tokio::test]
async fn chats_in_doubt_are_told_to_catch_up() {
    let commit = Failing::new(|_| Some(Fault::TimedOut(Duration::from_secs(10))));
    let (recorded, announcer) = recording();
    let (writers, outcomes) = send(&commit, &announcer, &[1, 2, 1]).await;
    assert!(outcomes.iter().all(|outcome| matches!(outcome, Err(FailureKind::Busy { .. }))), "{outcomes:?}");
    assert!(recorded.take().is_empty());
    let mut told = Vec::new();
    while told.len() < 2 {
        tokio::task::yield_now().await;
        told.extend(recorded.take());
    }
    let mut told: Vec<(i64, i64)> = told
        .iter()
        .map(|event| match event {
            Event::ChatChanged { chat, version } => (chat.get(), version.get()),
            other => panic!("{other:?}"),
        })
        .collect();
    told.sort_unstable();
    assert_eq!(told, [(1, 7), (2, 7)]);
    writers.close().await;
}

/// The members of a chat whose creation may have been committed are told of it, when it proves to have been. Those of one that was not
/// hear nothing, and no chat is told to catch up for that. It makes no difference whether the id of the chat was known.
#[tokio::test]
async fn creations_in_doubt_are_told_when_they_prove_to_be() {
    for id in [None, Some(ChatId::new(9))] {
        let commit = Failing::new(|_| Some(Fault::TimedOut(Duration::from_secs(10))));
        let (recorded, announcer) = recording();
        let shared: Arc<dyn Commit> = commit.clone();
        let writers = Writers::start(&shared, 1, 16);
        commit.gate.add_permits(100);
        for creator in [1, 2] {
            let chat = group(UserId::new(creator), &[UserId::new(1), UserId::new(2)]).build();
            writers.create(ChatToCreate { id, chat }, announcer.clone()).await.unwrap_err();
        }
        while commit.asked.load(Ordering::Relaxed) < 2 {
            tokio::task::yield_now().await;
        }
        writers.close().await;
        let told = recorded.take();
        let [Event::ChatCreated { chat, members, only: None, .. }] = &told[..] else { panic!("{told:?}") };
        assert_eq!((chat.get(), members.len()), (9, 2));
    }
}

/// A user whose pin may have been set or taken away is told how it is, as soon as the database can say. No chat is told to catch up for it.
#[tokio::test]
async fn pins_in_doubt_are_told_as_they_are() {
    let commit = Failing::new(|_| Some(Fault::TimedOut(Duration::from_secs(10))));
    let (recorded, announcer) = recording();
    let shared: Arc<dyn Commit> = commit.clone();
    let writers = Writers::start(&shared, 1, 16);
    commit.gate.add_permits(100);
    for user in [1, 2, 3] {
        let pin = NewPin { chat: ChatId::new(9), user: UserId::new(user), now: moment(1) };
        writers.pin(pin, announcer.clone()).await.unwrap_err();
    }
    while commit.asked.load(Ordering::Relaxed) < 2 {
        tokio::task::yield_now().await;
    }
    writers.close().await;
    let told = recorded.take();
    let mut told: Vec<_> = told
        .iter()
        .map(|event| match event {
            Event::PinToggled { pin } => (pin.chat.get(), pin.user.get(), pin.pinned, pin.version.get()),
            other => panic!("{other:?}"),
        })
        .collect();
    told.sort_unstable();
    assert_eq!(told, [(9, 1, true, 7), (9, 2, false, 7)]);
}

/// What was surely not committed leaves nothing to catch up with.
#[tokio::test]
async fn a_certain_refusal_leaves_no_doubt() {
    let commit = Failing::new(|_| Some(Fault::QueueFull));
    let (recorded, announcer) = recording();
    let (writers, _) = send(&commit, &announcer, &[1]).await;
    // By the time that this one is answered, a doubt about the other would be due.
    tokio::time::sleep(DOUBT_PAUSE * 2).await;
    writers.append(message(ChatId::new(1), UserId::new(1)).build(), announcer).await.unwrap_err();
    assert_eq!(commit.asked.load(Ordering::Relaxed), 0);
    assert!(recorded.take().is_empty());
    writers.close().await;
}

/// A group that is refused is tried one by one, and the good ones are published.
#[tokio::test]
async fn a_bad_change_does_not_fail_its_group() {
    let refused = |size| (size > 1).then_some(Fault::Query(diesel::result::Error::RollbackTransaction));
    let commit = Failing::new(refused);
    let (recorded, announcer) = recording();
    let (writers, outcomes) = send(&commit, &announcer, &[1, 2, 3, 4]).await;
    assert_eq!(outcomes, [Ok(true); 4]);
    assert_eq!(*commit.groups.lock().unwrap(), [4, 1, 1, 1, 1]);
    assert_eq!(recorded.take().len(), 4);
    writers.close().await;
}

/// What a panic may have left committed is not tried again, which could store a message twice.
#[tokio::test]
async fn a_panic_in_the_middle_is_a_doubt() {
    let commit = Failing::new(|_| panic!("after the commit"));
    let (recorded, announcer) = recording();
    let (writers, outcomes) = send(&commit, &announcer, &[1, 2]).await;
    assert_eq!(outcomes, [Err(FailureKind::Broken); 2]);
    assert_eq!(*commit.groups.lock().unwrap(), [2]);
    while commit.asked.load(Ordering::Relaxed) < 2 {
        tokio::task::yield_now().await;
    }
    writers.close().await;
    assert_eq!(recorded.take().len(), 2);
}
