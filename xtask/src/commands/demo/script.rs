//! Who chats in the demonstration, and what they say.

use super::photo::Color;

/// Everybody's password.
pub(super) const PASSWORD: &str = "mango-demo";

/// Somebody to sign up.
pub(super) struct Person {
    pub name: &'static str,
    /// From the range that the North American plan keeps for fiction.
    pub phone: &'static str,
    pub description: &'static str,
    pub colors: [Color; 2],
}

/// A chat and what is said in it. The first member creates it.
pub(super) struct Chat {
    pub name: &'static str,
    pub is_group: bool,
    pub members: &'static [&'static str],
    pub pinned_by: &'static [&'static str],
    pub lines: &'static [Line],
}

/// One message.
pub(super) struct Line {
    pub speaker: &'static str,
    pub content: Content,
    pub liked_by: &'static [&'static str],
}

/// What a message holds.
#[derive(Clone, Copy)]
pub(super) enum Content {
    /// A message type and text.
    Written(&'static str, &'static str),
    /// The speaker's photo, as the server made it.
    OwnPhoto,
}

/// They are fruits, so that nobody is meant.
pub(super) const PEOPLE: [Person; 6] = [
    person("Alphonso", "+12015550101", "Ripe since April.", [[255, 183, 3], [251, 86, 7]]),
    person("Papaya", "+12015550102", "Better with lime.", [[255, 140, 66], [214, 40, 90]]),
    person("Guava", "+12015550103", "Pink inside.", [[144, 190, 109], [249, 132, 174]]),
    person("Lychee", "+12015550104", "Small but sweet.", [[230, 57, 70], [120, 20, 60]]),
    person("Durian", "+12015550105", "An acquired taste.", [[188, 184, 66], [72, 92, 40]]),
    person("Tamarind", "+12015550106", "Sour, and proud of it.", [[150, 90, 50], [60, 36, 24]]),
];

/// The conversations. A name must not be used twice, since a group is found again by it.
pub(super) const CHATS: [Chat; 4] = [
    Chat {
        name: "Fruit salad",
        is_group: true,
        members: &["Alphonso", "Papaya", "Guava", "Lychee", "Durian", "Tamarind"],
        pinned_by: &["Alphonso", "Lychee"],
        lines: &[
            said("Alphonso", "Who is in for Saturday?"),
            liked(said("Papaya", "Me! I bring the lime."), &["Alphonso", "Guava"]),
            said("Lychee", "Me too, and a sunny photo:"),
            liked(line("Lychee", Content::OwnPhoto), &["Alphonso", "Papaya", "Guava"]),
            said("Durian", "I would come, but last time everybody left the room."),
            liked(said("Guava", "We open the windows 🪟"), &["Durian"]),
            line(
                "Tamarind",
                Content::Written(
                    "markdown",
                    "## Saturday\n\n1. **Wash** everybody\n2. Cut\n3. Add *lime* and a pinch of salt\n\n> Serve cold.\n",
                ),
            ),
            line("Papaya", Content::Written("csv", "what,how much\nlime,3\nmint,1 bunch\nsalt,a pinch\n")),
        ],
    },
    Chat {
        name: "Kitchen engineering",
        is_group: true,
        members: &["Guava", "Alphonso", "Tamarind"],
        pinned_by: &[],
        lines: &[
            said("Guava", "The fridge talks to us now:"),
            liked(
                line(
                    "Guava",
                    Content::Written("json", r#"{"fridge": {"celsius": 4.5, "door": "closed", "mangoes": 12}}"#),
                ),
                &["Tamarind"],
            ),
            line("Tamarind", Content::Written("yaml", "alerts:\n  - when: celsius > 8\n    tell: [Alphonso, Guava]\n")),
            line(
                "Alphonso",
                Content::Written(
                    "svg",
                    r##"<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 10 10"><circle cx="5" cy="5" r="4" fill="#ffb703"/></svg>"##,
                ),
            ),
            said("Alphonso", "That is me, seen from above."),
        ],
    },
    Chat {
        name: "Alphonso and Papaya",
        is_group: false,
        members: &["Alphonso", "Papaya"],
        pinned_by: &["Papaya"],
        lines: &[
            said("Papaya", "Did you see what Durian wrote?"),
            said("Alphonso", "I did. Let us put a chair by the window for them."),
            liked(said("Papaya", "You are ripe beyond your years."), &["Alphonso"]),
        ],
    },
    Chat {
        name: "Durian and Lychee",
        is_group: false,
        members: &["Durian", "Lychee"],
        pinned_by: &[],
        lines: &[said("Durian", "¿Vienes el sábado? 来ますか？"), liked(said("Lychee", "Of course!"), &["Durian"])],
    },
];

const fn person(name: &'static str, phone: &'static str, description: &'static str, colors: [Color; 2]) -> Person {
    Person { name, phone, description, colors }
}

const fn line(speaker: &'static str, content: Content) -> Line {
    Line { speaker, content, liked_by: &[] }
}

const fn said(speaker: &'static str, text: &'static str) -> Line {
    line(speaker, Content::Written("text", text))
}

const fn liked(line: Line, liked_by: &'static [&'static str]) -> Line {
    Line { liked_by, ..line }
}
