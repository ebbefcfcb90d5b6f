//! What notes come to, in whatever order they came.

use super::*;
use crate::domain::body::{Body, People, SaltSeed};
use crate::domain::decision::{Carried, Pending, RequestRecord};
use crate::domain::evidence::{Event, EvidenceKey, Observation, Seen, What};
use crate::domain::ids::ApprovalId;
use crate::domain::keys::{KeyRing, MasterKey};
use crate::domain::request;
use crate::domain::signer::{Directory, Posted};
use serde_json::json;
use std::collections::BTreeMap as Map;

fn at(second: i64) -> Timestamp {
    Timestamp::from_second(1_795_000_000 + second).expect("a time")
}

/// A pending approval whose one signer was mailed at these seconds; the last mail is a receipt if `receipt`.
fn approval(mailed: &[i64]) -> Approval {
    let asked =
        json!({"taskToken": "t", "title": "T", "signers": [{"name": "Bob", "email": "bob@example.com"}]});
    let request = request::parse(&asked, &Directory::default()).expect("a good request");
    let id = ApprovalId::of(&request.target);
    let body = Body::of(&request, at(0), &SaltSeed::from_random([1; 32]));
    let digest = body.digest();
    let keys = KeyRing::new(MasterKey::new(1, [1; 32]), vec![]);
    let event = Event::next(
        id,
        None,
        at(0),
        What::Requested { body: digest },
        Default::default(),
    );
    let posted = mailed.iter().map(|second| Posted {
        message: format!("message-{second}"),
        kind: MailKind::Invitation,
        at: at(*second),
    });
    Approval {
        id,
        digest,
        target: keys.seal(id, &digest, &request.target, &|bytes| bytes.fill(0)),
        people: People {
            signers: vec![Some(request.signers[0].person.clone())],
            requester: None,
        },
        signers: vec![SignerRecord {
            number: 0,
            revision: 1,
            generation: 0,
            state: SignerState::Sent { at: at(mailed[0]) },
            mail: None,
            told: false,
            posted: posted.collect(),
            carried: Carried::default(),
        }],
        record: RequestRecord {
            version: 1,
            evidence: EvidenceKey::from_seed(&[1; 32]).sign(&event),
            state: RequestState::Pending(Pending {
                deadline: None,
                heartbeat: None,
                check: at(0),
            }),
            carried: Carried::default(),
        },
        body,
        events: vec![event],
        observations: Vec::new(),
        mail_notes: Vec::new(),
    }
}

fn note(mailed: i64, happened: i64, fate: Fate) -> MailNote {
    MailNote {
        at: at(happened),
        signer: 0,
        mail: MailRef::new(&format!("message-{mailed}"), MailKind::Invitation, at(mailed)),
        happened: at(happened),
        fate,
        said: None,
        listed: false,
    }
}

fn bounced(kind: BounceKind) -> Fate {
    Fate::Bounced {
        kind,
        why: "General".to_owned(),
        status: None,
    }
}

fn delayed() -> Fate {
    Fate::Delayed {
        why: "MailboxFull".to_owned(),
    }
}

fn complained(why: &str) -> Fate {
    Fate::Complained {
        why: Some(why.to_owned()),
    }
}

fn standing_word(approval: &Approval) -> String {
    match standing(approval, &approval.signers[0]) {
        Standing::Unknown => "unknown".to_owned(),
        Standing::Delivered(_) => "delivered".to_owned(),
        Standing::Delayed(_) => "delayed".to_owned(),
        Standing::Trouble(note) => format!("trouble: {}", note.fate.word()),
    }
}

/// Every order of a few things.
fn orders<T: Clone>(things: &[T]) -> Vec<Vec<T>> {
    if things.is_empty() {
        return vec![Vec::new()];
    }
    let mut all = Vec::new();
    for first in 0..things.len() {
        let mut rest = things.to_vec();
        let one = rest.remove(first);
        all.extend(
            orders(&rest)
                .into_iter()
                .map(|rest| [vec![one.clone()], rest].concat()),
        );
    }
    all
}

#[test]
fn what_notes_come_to() {
    use BounceKind::{Permanent, Transient, Undetermined};
    let refused = || Fate::Refused {
        code: "MessageRejected".to_owned(),
    };
    let held = || Fate::HeldUp {
        code: "SendingPausedException".to_owned(),
    };
    for (notes, expected) in [
        (vec![], "unknown"),
        (vec![note(1, 2, Fate::Delivered)], "delivered"),
        (vec![note(1, 2, delayed())], "delayed"),
        (
            vec![note(1, 2, delayed()), note(1, 3, Fate::Delivered)],
            "delivered",
        ),
        (vec![note(1, 2, bounced(Permanent))], "trouble: bounced"),
        // A mail server may take a mail and find out later that nobody has that mailbox.
        (
            vec![note(1, 2, Fate::Delivered), note(1, 3, bounced(Permanent))],
            "trouble: bounced",
        ),
        // An absence note counts as a bounce for now.
        (
            vec![note(1, 2, Fate::Delivered), note(1, 3, bounced(Transient))],
            "delivered",
        ),
        (
            vec![note(1, 2, Fate::Delivered), note(1, 3, bounced(Undetermined))],
            "delivered",
        ),
        (
            vec![note(1, 2, delayed()), note(1, 3, bounced(Transient))],
            "trouble: bounced_for_now",
        ),
        (
            vec![note(1, 2, Fate::Delivered), note(1, 3, complained("abuse"))],
            "trouble: complained",
        ),
        (
            vec![note(1, 2, Fate::Delivered), note(1, 3, complained("not-spam"))],
            "delivered",
        ),
        // Mailed again at second 10: what becomes of the newer mail counts, once anything certain is known of it.
        (
            vec![note(1, 2, bounced(Permanent)), note(10, 11, Fate::Delivered)],
            "delivered",
        ),
        (
            vec![note(1, 2, bounced(Permanent)), note(10, 11, delayed())],
            "trouble: bounced",
        ),
        (
            vec![note(1, 20, bounced(Permanent)), note(10, 11, Fate::Delivered)],
            "delivered",
        ),
        (
            vec![note(1, 2, Fate::Delivered), note(10, 11, bounced(Permanent))],
            "trouble: bounced",
        ),
        (
            vec![note(1, 2, Fate::Delivered), note(10, 11, delayed())],
            "delayed",
        ),
        (vec![note(1, 2, Fate::Rejected)], "trouble: rejected"),
        // What SES didn't take is mended by the next one that it takes, even if nothing is told of that.
        (vec![note(5, 5, refused())], "unknown"),
        (vec![note(5, 5, held())], "unknown"),
        (vec![note(20, 20, refused())], "trouble: refused"),
        (
            vec![note(10, 11, Fate::Delivered), note(20, 20, held())],
            "trouble: held_up",
        ),
    ] {
        for order in orders(&notes) {
            let mut approval = approval(&[1, 10]);
            approval.mail_notes = order;
            assert_eq!(standing_word(&approval), expected, "{:?}", approval.mail_notes);
            assert_eq!(any_trouble(&approval), expected.starts_with("trouble"));
            let told = words(&bounced(Permanent));
            assert!(told.starts_with("bounced: "), "{told}");
        }
    }
}

#[test]
fn nobody_is_troubled_with_mails_that_ask_nothing_any_more() {
    let mut approval = approval(&[1]);
    approval.mail_notes = vec![note(1, 2, bounced(BounceKind::Permanent))];
    assert!(any_trouble(&approval));
    let mut receipt = approval.clone();
    receipt.mail_notes[0].mail = MailRef::new("message-1", MailKind::Receipt, at(1));
    assert!(!any_trouble(&receipt), "a receipt");
    let mut replaced = approval.clone();
    replaced.signers[0].state = SignerState::Replaced { at: at(3) };
    assert!(!any_trouble(&replaced), "somebody else is asked");
    approval.record.state = RequestState::Orphaned {
        at: at(3),
        because: crate::domain::decision::WorkflowEnd::TokenClosed,
        notices: None,
    };
    assert!(!any_trouble(&approval), "it has ended");
}

#[test]
fn ten_thousand_events_come_to_the_same_in_any_order() {
    let fates = [
        Fate::Delivered,
        delayed(),
        bounced(BounceKind::Permanent),
        bounced(BounceKind::Transient),
        bounced(BounceKind::Undetermined),
        complained("abuse"),
        complained("not-spam"),
        Fate::Rejected,
    ];
    // A generator of Knuth's (MMIX): the same numbers in each run.
    let mut state = 7_u64;
    let mut next = move |below: usize| {
        state = state
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        usize::try_from(state >> 33).expect("31 bits") % below
    };
    for round in 0..50 {
        let mut events: Vec<MailNote> = (0..200)
            .map(|second| {
                let mail = [1, 10, 20, 30][next(4)];
                let fate = fates[next(if round % 2 == 0 { 2 } else { fates.len() })].clone();
                note(mail, 40 + second, fate)
            })
            .collect();
        let mut ends = Vec::new();
        for _ in 0..3 {
            // As the store keeps them: one of each fate of each mail, the earliest.
            let mut kept: Map<(String, &str), MailNote> = Map::new();
            for event in &events {
                let key = (event.mail.id.clone(), event.fate.word());
                let earlier = kept.get(&key).is_none_or(|known| event.happened < known.happened);
                if earlier {
                    kept.insert(key, event.clone());
                }
            }
            let mut approval = approval(&[1, 10, 20, 30]);
            approval.mail_notes = kept.into_values().collect();
            ends.push((standing_word(&approval), approval.mail_notes));
            for last in (1..events.len()).rev() {
                events.swap(last, next(last + 1));
            }
        }
        assert!(ends.windows(2).all(|two| two[0] == two[1]), "round {round}");
    }
}

#[test]
fn every_fate_is_said_and_kept_as_it_was() {
    let all = [
        Fate::Delivered,
        delayed(),
        bounced(BounceKind::Permanent),
        Fate::Bounced {
            kind: BounceKind::Permanent,
            why: "OnAccountSuppressionList".to_owned(),
            status: Some("5.1.1".to_owned()),
        },
        complained("abuse"),
        Fate::Complained { why: None },
        Fate::Rejected,
        Fate::NotRendered,
        Fate::Refused { code: "X".to_owned() },
        Fate::HeldUp {
            code: "Sandbox".to_owned(),
        },
    ];
    for fate in all {
        let note = note(1, 2, fate);
        let json = serde_json::to_value(&note).expect("JSON");
        assert_eq!(serde_json::from_value::<MailNote>(json).expect("readable"), note);
        assert!(!words(&note.fate).ends_with('.') && words(&note.fate).len() > 8);
        assert_eq!(
            remedy(&note.fate).is_empty(),
            !note.fate.is_bad(),
            "{:?}",
            note.fate
        );
    }
    let suppressed = remedy(&Fate::Bounced {
        kind: BounceKind::Permanent,
        why: "OnAccountSuppressionList".to_owned(),
        status: None,
    });
    assert!(suppressed.contains("suppression list"), "{suppressed}");
}

#[test]
fn whatever_is_told_about_a_hundred_signers_the_next_event_fits_into_an_item() {
    let mut approval = approval(&[0]);
    for signer in 0..100 {
        let seen = Observation {
            at: at(1),
            signer,
            seen: Seen::OpenedByMachine,
        };
        approval.observations.extend(vec![seen; 25]);
        for _ in 0..MAX_NOTES {
            approval.mail_notes.push(MailNote {
                signer,
                ..note(0, 1, bounced(BounceKind::Undetermined))
            });
        }
    }
    let head = &approval.record.evidence;
    let event = Event::next(approval.id, Some(head), at(2), What::Expired, approval.unfolded());
    assert!(event.mails.len() >= 400 && event.observed.len() == 2_500);
    let bytes = serde_json::to_string(&event).expect("JSON").len();
    assert!(bytes < 360_000, "{bytes}");
}
