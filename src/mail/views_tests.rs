//! Samples of every mail, rendered; what holds for all of them; and the text of each as a snapshot.
//! `COUNTERSIGN_SAMPLES=DIR cargo test --lib every_mail` also writes the HTML parts to DIR, to be looked at.

use super::*;

const LINK: &str = "https://sign.example.com/s/AQECAwQFBgcICQoLDA0ODxAAAaGio6SlpqeoqaqrrK2ur7A";

fn about() -> About {
    About {
        lang: "en",
        dir: "ltr",
        organisation: Some("Example Ltd".into()),
        ask: AskWords::from_title("Sign document 3"),
        signer: "Bob Miller".into(),
        requester: Some("Legal".into()),
        reference: "req_k3v7q2m5x4n6p8r9t2w3y4z5ab".to_owned(),
    }
}

fn bare() -> About {
    About {
        organisation: None,
        requester: None,
        signer: "Bob".into(),
        ..about()
    }
}

fn long() -> About {
    About {
        ask: AskWords::from_title(&format!(
            "Approve {}",
            "the revised framework agreement and its annexes ".repeat(5)
        )),
        signer: "Maria-Magdalena Konstantinopolitanski-Oberhuber von und zu Hohenzollern-Sigmaringen".into(),
        requester: Some("محمد بن سلمان".into()),
        ..about()
    }
}

fn moment(at: &str) -> Moment {
    let now = "2026-11-21T09:02:00Z".parse().expect("a timestamp");
    Moment::new(at.parse().expect("a timestamp"), now, "Europe/Berlin")
}

fn answer(kind: AnswerKind, label: &str) -> AnswerWords {
    AnswerWords {
        kind,
        label: label.into(),
    }
}

impl Invitation {
    fn samples() -> Vec<(&'static str, Message)> {
        let deadline = Some(moment("2026-11-27T16:00:00Z"));
        let alice = Others::One {
            name: "Alice".into(),
            answer: Some(answer(AnswerKind::Sign, "Sign")),
        };
        let mail = Self {
            about: about(),
            deadline,
            others: alice,
            link: LINK.to_owned(),
        };
        let waiting = Others::One {
            name: "Alice".into(),
            answer: None,
        };
        vec![
            ("invitation", mail.clone()),
            (
                "invitation-bare",
                Self {
                    about: bare(),
                    deadline: None,
                    others: Others::Nobody,
                    ..mail.clone()
                },
            ),
            (
                "invitation-soon",
                Self {
                    deadline: Some(moment("2026-11-21T09:03:00Z")),
                    others: waiting,
                    ..mail.clone()
                },
            ),
            (
                "invitation-long",
                Self {
                    about: long(),
                    others: Others::Several {
                        asked: 99,
                        answered: 12,
                    },
                    ..mail
                },
            ),
        ]
        .into_iter()
        .map(|(name, mail)| (name, mail.message()))
        .collect()
    }
}

impl Reminder {
    fn samples() -> Vec<(&'static str, Message)> {
        let asked = moment("2026-11-18T09:00:00Z");
        let mail = Self {
            about: about(),
            asked,
            deadline: Some(moment("2026-11-27T16:00:00Z")),
            link: LINK.to_owned(),
        };
        vec![
            ("reminder", mail.message()),
            (
                "reminder-bare",
                Self {
                    about: bare(),
                    deadline: None,
                    ..mail
                }
                .message(),
            ),
        ]
    }
}

impl Receipt {
    fn samples() -> Vec<(&'static str, Message)> {
        let mail = Self {
            about: about(),
            answer: answer(AnswerKind::Sign, "Sign"),
            at: moment("2026-11-21T09:02:00Z"),
            comment: DisplayLines::default(),
            on_behalf: false,
            evidence_head: "sha256:9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08"
                .to_owned(),
        };
        let comment = DisplayLines::new("The price is not what we agreed.\n\n<b>Please</b> correct it.");
        let rejected = Self {
            answer: answer(AnswerKind::Reject, "Reject"),
            comment,
            ..mail.clone()
        };
        let other = Self {
            about: long(),
            answer: answer(AnswerKind::Other, "Ask for changes"),
            ..mail.clone()
        };
        vec![
            ("receipt-signed", mail.message()),
            ("receipt-rejected", rejected.message()),
            ("receipt-other", other.message()),
            (
                "receipt-on-behalf",
                Self {
                    on_behalf: true,
                    ..mail
                }
                .message(),
            ),
        ]
    }
}

impl Notice {
    fn samples() -> Vec<(&'static str, Message)> {
        let at = moment("2026-11-21T08:58:00Z");
        let why = DisplayLines::new("The contract is being drawn up anew.");
        let signed = answer(AnswerKind::Sign, "Sign");
        [
            (
                "notice-decided",
                about(),
                Because::Decided {
                    by: "Alice".into(),
                    answer: signed,
                    at: at.clone(),
                },
            ),
            (
                "notice-withdrawn",
                about(),
                Because::Withdrawn {
                    by: Some("Carol Chen".into()),
                    why,
                    at: at.clone(),
                },
            ),
            (
                "notice-withdrawn-bare",
                bare(),
                Because::Withdrawn {
                    by: None,
                    why: DisplayLines::default(),
                    at: at.clone(),
                },
            ),
            ("notice-replaced", about(), Because::Replaced { at: at.clone() }),
            ("notice-expired", about(), Because::Expired { at: at.clone() }),
            ("notice-ended", bare(), Because::Ended { at: at.clone() }),
            ("notice-came-too-late", about(), Because::CameTooLate { at }),
        ]
        .into_iter()
        .map(|(name, about, because)| (name, Self { about, because }.message()))
        .collect()
    }
}

fn all_mails() -> Vec<(&'static str, Message)> {
    [
        Invitation::samples(),
        Reminder::samples(),
        Receipt::samples(),
        Notice::samples(),
    ]
    .concat()
}

#[test]
fn every_mail_renders_and_keeps_the_rules_of_the_house() {
    let directory = std::env::var_os("COUNTERSIGN_SAMPLES").map(std::path::PathBuf::from);
    for (name, mail) in all_mails() {
        assert!(!mail.subject.contains(char::is_control), "{name}");
        assert!(mail.subject.chars().count() <= 160, "{name}: {}", mail.subject);
        for part in [&mail.text, &mail.html] {
            assert!(
                part.contains("req_k3v7q2m5x4n6p8r9t2w3y4z5ab"),
                "{name}: the request's id"
            );
            assert!(
                part.lines().all(|line| line.len() < 998),
                "{name}: no line that a gateway would break"
            );
            assert!(
                !part.contains('!') || part.starts_with("<!doctype"),
                "{name}: nobody shouts"
            );
        }
        assert!(
            !mail.text.contains("\n\n\n") && !mail.text.contains(" \n"),
            "{name}: tidy\n{}",
            mail.text
        );
        assert!(mail.html.contains("<html lang=\"en\" dir=\"ltr\">"), "{name}");
        assert!(
            !mail.html.contains("<img") && !mail.html.contains("<script") && !mail.html.contains("url("),
            "{name}"
        );
        let preheader = mail
            .html
            .split_once("<body")
            .and_then(|(_, body)| body.split_once("<div"))
            .expect(name)
            .1;
        assert!(
            preheader.contains(&mail.text.lines().next().expect(name)[..12]),
            "{name}: the preheader is the first line"
        );
        if let Some(directory) = &directory {
            std::fs::write(directory.join(format!("mail-{name}.html")), &mail.html)
                .expect("writing a sample");
        }
    }
}

#[test]
fn the_link_stands_alone_on_a_short_line() {
    for (name, mail) in [Invitation::samples(), Reminder::samples()].concat() {
        assert!(
            LINK.len() < 120 && mail.text.lines().any(|line| line == LINK),
            "{name}\n{}",
            mail.text
        );
        assert_eq!(
            mail.html.matches(&format!("href=\"{LINK}\"")).count(),
            2,
            "{name}: a button and the bare address"
        );
        assert!(
            mail.html.contains(&format!(">{LINK}</a>")),
            "{name}: the bare address"
        );
    }
    for (name, mail) in [Receipt::samples(), Notice::samples()].concat() {
        assert!(
            !mail.text.contains("/s/") && !mail.html.contains("/s/"),
            "{name}: opens nothing if it is passed on"
        );
    }
}

#[test]
fn what_people_write_is_text_everywhere() {
    let nasty = "\"><script>alert(1)</script>\r\nBcc: eve@evil.example\u{202E}";
    let mut about = about();
    about.ask = AskWords::from_title(nasty);
    about.signer = nasty.into();
    about.requester = Some(nasty.into());
    about.organisation = Some(nasty.into());
    let others = Others::One {
        name: nasty.into(),
        answer: Some(answer(AnswerKind::Other, nasty)),
    };
    let mail = Invitation {
        about,
        deadline: None,
        others,
        link: LINK.to_owned(),
    }
    .message();
    assert!(!mail.html.contains("<script") && !mail.html.contains("\">&#60;script&#62;\""));
    assert!(!mail.subject.contains(['\r', '\n', '\u{202E}']));
    assert!(!mail.text.contains("\nBcc:") && !mail.text.contains('\u{202E}'));
}

#[test]
fn the_text_parts() {
    let all: Vec<String> = all_mails()
        .into_iter()
        .map(|(name, mail)| format!("=== {name}\nSubject: {}\n\n{}", mail.subject, mail.text))
        .collect();
    insta::assert_snapshot!(all.join("\n"));
}
