//! Which page an approval gets, state by state, and what it says.

use super::*;
use crate::domain::body::{Body, People, SaltSeed};
use crate::domain::callback::Parked;
use crate::domain::decision::{Pending, PrivateAnswer, RequestRecord};
use crate::domain::digest::Sha256;
use crate::domain::evidence::{Event, EvidenceKey, What};
use crate::domain::ids::ApprovalId;
use crate::domain::keys::{KeyRing, MasterKey};
use crate::domain::policy::Policy;
use crate::domain::request;
use crate::domain::signer::Directory;
use serde_json::{Value, json};

fn at(text: &str) -> Timestamp {
    text.parse().expect("a timestamp")
}

fn approval(request: &Value) -> Approval {
    let request = request::parse(request, &Directory::default()).expect("a good request");
    let (created, id) = (at("2026-11-21T08:00:00Z"), ApprovalId::of(&request.target));
    let body = Body::of(&request, created, &SaltSeed::from_random([1; 32]));
    let digest = body.digest();
    let keys = KeyRing::new(MasterKey::new(1, [1; 32]), vec![]);
    let event = Event::next(
        id,
        None,
        created,
        What::Requested { body: digest },
        (Vec::new(), Vec::new()),
    );
    let signers = (0..).zip(&body.signers).map(|(number, _)| SignerRecord {
        number,
        revision: 1,
        generation: 0,
        state: SignerState::Waiting,
        mail: None,
        told: false,
        posted: Vec::new(),
    });
    Approval {
        id,
        digest,
        target: keys.seal(id, &digest, &request.target, &|bytes| bytes.fill(0)),
        people: People {
            signers: request
                .signers
                .iter()
                .map(|signer| Some(signer.person.clone()))
                .collect(),
            requester: request.requester.clone(),
        },
        signers: signers.collect(),
        record: RequestRecord {
            version: 1,
            evidence: EvidenceKey::from_seed(&[1; 32]).sign(&event),
            state: RequestState::Pending(Pending {
                deadline: body.deadline(),
                heartbeat: None,
                check: created,
            }),
        },
        body,
        events: vec![event],
        observations: Vec::new(),
        mail_notes: Vec::new(),
    }
}

fn two() -> Approval {
    approval(&json!({
        "taskToken": "AQCEAAAAKgAAAAMAAAAA", "title": "Sign document 3", "message": "Please *read* it.",
        "signers": [{"name": "Alice", "email": "alice@example.com"},
                    {"name": "Bob", "email": "bob@example.com", "role": "Counsel"}],
        "requester": {"name": "Legal", "email": "legal@example.com"},
        "documents": [{"name": "contract.txt", "text": "CONTRACT No. 3"}],
        "timeoutSeconds": 86400, "timeZone": "Europe/Berlin", "metadata": {"cost centre": 4711},
    }))
}

fn answer(outcome: &str, comment: Option<&str>) -> Answer {
    Answer {
        outcome: outcome.to_owned(),
        kind: if outcome == "approve" {
            OutcomeKind::Approve
        } else {
            OutcomeKind::Reject
        },
        at: at("2026-11-21T08:58:00Z"),
        by: AnsweredBy::Link,
        private: PrivateAnswer {
            salt: Sha256::of(b""),
            comment: comment.map(str::to_owned),
            typed_name: None,
            address: None,
            browser: None,
        },
    }
}

fn answered(mut approval: Approval, signer: usize, answer: Answer) -> Approval {
    approval.signers[signer].state = SignerState::Answered(answer);
    approval
}

fn ended(mut approval: Approval, ending: Ending, callback: Callback) -> Approval {
    approval.record.state = RequestState::Ended(Ended {
        ending,
        callback,
        notices: None,
    });
    approval
}

fn decision(outcome: &str, by: u8) -> Decision {
    let Answer {
        outcome, kind, at, ..
    } = answer(outcome, None);
    Decision {
        outcome,
        kind,
        at,
        by,
    }
}

fn delivered() -> Callback {
    Callback::Delivered {
        at: at("2026-11-21T08:58:01Z"),
    }
}

fn moot() -> Callback {
    Callback::Moot {
        at: at("2026-11-21T08:58:01Z"),
        because: "the execution is TIMED_OUT".to_owned(),
    }
}

/// What Bob (signer 1) sees, tags taken out.
fn bob_sees(approval: &Approval, kind: &PageKind) -> String {
    shown(approval, |presenter| presenter.opened(kind))
}

fn shown(approval: &Approval, page: impl Fn(&Presenter<'_>) -> String) -> String {
    let html = html_of(approval, page);
    let main = html.split_once("<main>").expect("a page").1;
    let text = main
        .split('<')
        .map(|part| part.split_once('>').map_or(part, |(_, text)| text))
        .collect::<String>();
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}

fn html_of(approval: &Approval, page: impl Fn(&Presenter<'_>) -> String) -> String {
    let frame = Frame {
        lang: "en",
        dir: "ltr",
        base_path: String::new(),
        organisation: Some("Example Ltd".into()),
        host: "sign.example.com".to_owned(),
    };
    let now = at("2026-11-21T09:02:00Z");
    page(&Presenter {
        frame: &frame,
        now,
        time_zone: "UTC",
        approval,
        signer: 1,
    })
}

fn contains(page: &str, parts: &[&str]) {
    for part in parts {
        assert!(page.contains(part), "{part:?} is missing in: {page}");
    }
}

const REVIEW: fn() -> PageKind = || PageKind::Review {
    form_token: "a-form-token".to_owned(),
};

#[test]
fn a_pending_request_is_shown_in_full() {
    let page = bob_sees(&answered(two(), 0, answer("approve", None)), &REVIEW());
    contains(
        &page,
        &[
            "Legal at Example Ltd asks you, Bob, to sign document 3",
            "Sunday 22 November 2026, 09:00, Berlin time (in 22 hours)",
            "Alice has signed (21 November, 09:58); you are the last. Everyone has to agree",
            "Please read it.",
            "contract.txt 14 bytes CONTRACT No. 3",
            "cost centre4711",
            "Type your name as your signature As it stands in the mail: Bob",
            "By signing you confirm that you have read document 3.",
            "Write to Legal if you have a question.",
        ],
    );
}

#[test]
fn in_a_sequence_those_behind_are_asked_later() {
    let mut sequence = two();
    sequence.body.terms.policy = Policy::Sequence;
    contains(
        &bob_sees(&sequence, &REVIEW()),
        &["You and Alice, who has not answered yet."],
    );
    sequence.signers.reverse();
    sequence.signers[0].number = 0;
    sequence.signers[1].number = 1;
    let first = shown(&sequence, |presenter| {
        Presenter {
            signer: 0,
            ..*presenter
        }
        .opened(&REVIEW())
    });
    contains(&first, &["You first, then Bob."]);
}

#[test]
fn mistakes_come_back_with_what_was_typed() {
    let sent = Submission {
        outcome: "reject".to_owned(),
        comment: " ".to_owned(),
        typed_name: "Rob <b>".to_owned(),
        ..Submission::default()
    };
    let mistakes = [Mistake::ReasonMissing, Mistake::NameDiffers];
    let page = shown(&two(), |presenter| {
        presenter.mistaken(&REVIEW(), &sent, &mistakes)
    });
    contains(
        &page,
        &[
            "2 things are still needed",
            "Say why, in a few words.",
            "Enter your name as it stands in the mail: Bob",
        ],
    );
    let html = html_of(&two(), |presenter| presenter.form_expired(&REVIEW(), &sent));
    contains(
        &html,
        &[
            "value=\"Rob &#60;b&#62;\"",
            "value=\"reject\" class=\"rejects\" checked",
            "open for too long",
        ],
    );
}

#[test]
fn an_answer_is_confirmed_and_says_what_follows() {
    let signed = answered(two(), 1, answer("approve", None));
    let recorded = |approval: &Approval| shown(approval, |presenter| presenter.recorded(&PageKind::Answered));
    contains(
        &recorded(&signed),
        &[
            "Thank you, Bob Your signature was recorded on Saturday 21 November 2026, 09:58, Berlin time. One more person",
            "A receipt is on its way to b***@example.com.",
        ],
    );
    let last = |callback| ended(signed.clone(), Ending::Approved(decision("approve", 1)), callback);
    contains(
        &recorded(&last(delivered())),
        &["That decided it, and it has been passed on."],
    );
    contains(
        &recorded(&last(Callback::first_attempt(at("2026-11-21T08:58:00Z")))),
        &["It is being passed on now"],
    );
    let parked = Parked {
        at: at("2026-11-21T08:58:00Z"),
        reason: "AccessDenied".to_owned(),
        attempts: 1,
        unanswered: 0,
    };
    let stuck = recorded(&last(Callback::Parked(parked)));
    contains(&stuck, &["It is being passed on now"]);
    assert!(!stuck.contains("AccessDenied"));
    contains(
        &recorded(&last(moot())),
        &[
            "Bob, your signature came too late Your signature was recorded",
            "It has no effect",
        ],
    );
}

#[test]
fn the_same_answer_sent_twice_is_confirmed_and_another_one_is_not() {
    let signed = answered(two(), 1, answer("approve", None));
    let sent = |outcome: &str| Submission {
        outcome: outcome.to_owned(),
        comment: "On second thoughts, no.".to_owned(),
        ..Submission::default()
    };
    let overtaken = |sent: Submission| {
        shown(&signed, |presenter| {
            presenter.overtaken(&PageKind::Answered, &sent)
        })
    };
    let again = overtaken(sent("approve"));
    contains(&again, &["Thank you, Bob"]);
    assert!(!again.contains("not recorded"));
    contains(
        &overtaken(sent("reject")),
        &[
            "Bob, you have already signed",
            "What you just sent was not recorded",
            "On second thoughts, no.",
        ],
    );
}

#[test]
fn a_later_visit_says_how_it_went_on() {
    let signed = answered(two(), 1, answer("approve", None));
    let since = ended(
        signed.clone(),
        Ending::Rejected(decision("reject", 0)),
        delivered(),
    );
    contains(
        &bob_sees(&since, &PageKind::Answered),
        &["Since then the request has been rejected."],
    );
    let cancelled = Ending::Cancelled {
        at: at("2026-11-21T09:00:00Z"),
        by: "Carol".to_owned(),
        reason: None,
        stop: false,
    };
    contains(
        &bob_sees(
            &ended(signed.clone(), cancelled, delivered()),
            &PageKind::Answered,
        ),
        &["in another way"],
    );
    let by_others = Answer {
        by: AnsweredBy::Operations,
        ..answer("approve", None)
    };
    contains(
        &bob_sees(&answered(two(), 1, by_others), &PageKind::Answered),
        &["this was answered on your behalf"],
    );
}

#[test]
fn what_ended_without_the_reader_says_how() {
    let decided = |by, callback| {
        ended(
            answered(two(), 0, answer("reject", None)),
            Ending::Rejected(decision("reject", by)),
            callback,
        )
    };
    contains(
        &bob_sees(&decided(0, delivered()), &PageKind::Ended),
        &["This has been decided Alice rejected on Saturday"],
    );
    contains(
        &bob_sees(&decided(0, moot()), &PageKind::TooLate),
        &["It is too late to answer"],
    );
    let expired = Ending::Expired {
        at: at("2026-11-21T09:00:00Z"),
        outcome: None,
    };
    contains(
        &bob_sees(&ended(two(), expired, moot()), &PageKind::TooLate),
        &["The time for an answer ended on"],
    );
    let cancelled = Ending::Cancelled {
        at: at("2026-11-21T09:00:00Z"),
        by: "Carol".to_owned(),
        reason: Some("Wrong\nfile".to_owned()),
        stop: false,
    };
    contains(
        &bob_sees(&ended(two(), cancelled, delivered()), &PageKind::Ended),
        &["Carol withdrew it on", "and wrote: Wrong file"],
    );
}

#[test]
fn a_workflow_that_ended_is_too_late_since_it_ended() {
    let mut orphaned = two();
    let because = WorkflowEnd::Execution {
        status: "TIMED_OUT".to_owned(),
        at: Some(at("2026-11-21T08:30:00Z")),
    };
    orphaned.record.state = RequestState::Orphaned {
        at: at("2026-11-21T09:02:00Z"),
        because,
        notices: None,
    };
    let page = bob_sees(&orphaned, &PageKind::TooLate);
    contains(
        &page,
        &[
            "It is too late to answer",
            "had ended by Saturday 21 November 2026, 09:30, Berlin time (32 minutes ago)",
            "ask Legal to send a new one",
        ],
    );
    assert!(!page.contains("TIMED_OUT"));
}

#[test]
fn somebody_else_is_asked_instead() {
    contains(
        &bob_sees(&two(), &PageKind::Replaced),
        &["Somebody else is asked instead of you Bob is asked in your place."],
    );
    let mut replaced = two();
    replaced.signers[1].state = SignerState::Replaced {
        at: at("2026-11-21T08:30:00Z"),
    };
    contains(
        &bob_sees(&replaced, &PageKind::Replaced),
        &["Another person is asked in your place since Saturday"],
    );
}

#[test]
fn sizes_are_rounded_up() {
    assert_eq!(
        [1, 1023, 1024, 1025].map(review::size),
        ["1 byte", "1023 bytes", "1 KB", "2 KB"]
    );
}
