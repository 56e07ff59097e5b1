//! The path of a message without sockets and databases: the use case over stores in memory, and the codec of events. `cargo bench -p
//! mango-bench` runs it; a change that makes either slower shows.
#![expect(missing_docs, reason = "criterion's macros make functions without docs")]
#![expect(clippy::expect_used, reason = "a benchmark that cannot go on should say so and stop")]

use std::hint::black_box;

use criterion::{Criterion, criterion_group, criterion_main};
use mango_contract::event::NewMessage;
use mango_contract::message::SendMessagePayload;
use mango_contract::{Ack, ack::MessageAck, decode_str};
use mango_domain::model::{ChatId, ChatKind, ChatName, Message, MessageType, Password, Principal, UserName, Visit};
use mango_domain::usecases::UseCases;
use mango_domain::usecases::create_chat::ChatRequest;
use mango_domain::usecases::register::NewAccount;
use mango_domain::usecases::send_message::Outgoing;
use mango_testkit::Memory;
use mango_testkit::build::phone;
use tokio::runtime::{Builder, Runtime};

const CONTENT: &str = "sixty-four bytes, which is about as much as people write at once";
const EVENT: &str = r#"{"message":{"chat_id":1,"content":"sixty-four bytes, which is about as much as people write at once","message_type":"text"}}"#;

fn outgoing(chat: ChatId) -> Outgoing {
    let content = CONTENT.to_owned();
    Outgoing { chat, message_type: MessageType::Text, content, client_id: None, origin: None }
}

async fn member(cases: &UseCases) -> (Principal, ChatId) {
    let password = "correct horse".to_owned();
    let account = NewAccount {
        phone: phone(1),
        password: Password::parse(password.clone()).expect("a password"),
        name: Some(UserName::parse("Ann").expect("a name")),
        description: None,
        picture: None,
    };
    cases.register.run(account, None).await.expect("register");
    let grant = cases.log_in.run(phone(1).as_str(), password, Visit::default()).await.expect("log in");
    let ann = cases.authenticate.run(grant.access_token.expose()).await.expect("authenticate");
    let name = Some(ChatName::parse("Alone").expect("a name"));
    let request = ChatRequest { name, kind: ChatKind::Group, members: Vec::new(), origin: None };
    let chat = cases.create_chat.run(&ann, request).await.expect("create a chat");
    (ann, chat.record.id)
}

/// The use case with all its rules, over stores in memory.
fn send(criterion: &mut Criterion, runtime: &Runtime) -> Message {
    let memory = Memory::new();
    let cases = memory.use_cases();
    let (ann, chat) = runtime.block_on(member(&cases));
    criterion.bench_function("send a message over stores in memory", |bencher| {
        bencher.iter(|| {
            let sent = runtime.block_on(cases.send_message.run(&ann, outgoing(chat)));
            black_box(sent.expect("send"));
            // What was published would pile up.
            black_box(memory.events.take());
        });
    });
    let sent = runtime.block_on(cases.send_message.run(&ann, outgoing(chat))).expect("send");
    Message::clone(&sent.message)
}

fn codec(criterion: &mut Criterion, message: &Message) {
    criterion.bench_function("read the event send_message", |bencher| {
        bencher.iter(|| {
            let payload: SendMessagePayload = decode_str(black_box(EVENT)).expect("an event");
            payload
        });
    });
    criterion.bench_function("write the event new_message", |bencher| {
        bencher.iter(|| serde_json::to_string(&NewMessage::from(black_box(message))).expect("JSON"));
    });
    criterion.bench_function("write the acknowledgement of send_message", |bencher| {
        bencher.iter(|| serde_json::to_string(&Ack::Done(MessageAck::new(black_box(message)))).expect("JSON"));
    });
}

fn message_path(criterion: &mut Criterion) {
    let runtime = Builder::new_current_thread().build().expect("a runtime");
    let message = send(criterion, &runtime);
    codec(criterion, &message);
}

criterion_group!(benches, message_path);
criterion_main!(benches);
