//! Mail that the mail service doesn't take at once, or at all.

use super::harness::{Fault, Harness, ask_bob};
use countersign::domain::signer::SignerState;
use jiff::SignedDuration;

#[tokio::test(start_paused = true)]
async fn a_mail_that_is_not_taken_is_tried_again() {
    for fault in [
        Fault::Lost,
        Fault::Refused(429, "TooManyRequestsException"),
        Fault::Refused(400, "SendingPausedException"),
        Fault::Refused(500, "InternalServiceError"),
    ] {
        let harness = Harness::start().await;
        harness.faults.next("SendEmail", 4, fault);
        harness.start_workflow(&ask_bob()).await;
        harness.pass(SignedDuration::from_mins(1)).await;
        assert!(harness.aws.mails().is_empty(), "{fault:?}");
        harness.pass(SignedDuration::from_mins(20)).await;
        assert_eq!(harness.aws.mails().len(), 1, "{fault:?}");
        harness
            .answer(&harness.link("bob@example.com").await, "approve", "", "Bob")
            .await;
        harness.finish().await;
    }
}

#[tokio::test(start_paused = true)]
async fn a_mail_whose_answer_is_lost_is_sent_again_and_leads_to_the_same_page() {
    let harness = Harness::start().await;
    harness.faults.next("SendEmail", 1, Fault::AnswerLost);
    harness.start_workflow(&ask_bob()).await;
    harness.pass(SignedDuration::from_mins(1)).await;
    let mails = harness.aws.mails();
    let links: std::collections::BTreeSet<String> = mails.iter().map(super::harness::path_of_link).collect();
    assert_eq!((mails.len(), links.len()), (2, 1));
    harness.answer(links.first().unwrap(), "approve", "", "Bob").await;
    harness.finish().await;
}

#[tokio::test(start_paused = true)]
async fn a_mail_that_is_refused_for_good_is_written_down_with_the_reason() {
    let harness = Harness::start().await;
    harness
        .faults
        .next("SendEmail", 1, Fault::Refused(400, "MessageRejected"));
    let execution = harness.start_workflow(&ask_bob()).await;
    harness.pass(SignedDuration::from_hours(1)).await;
    assert!(harness.aws.mails().is_empty());
    let approval = harness.only_approval().await;
    let SignerState::Bounced { reason, .. } = &approval.signers[0].state else {
        panic!("{:?}", approval.signers[0])
    };
    assert!(reason.contains("MessageRejected"), "{reason}");
    assert_eq!(harness.result(&execution).await.0, "RUNNING");
    harness.finish().await;
}

#[tokio::test(start_paused = true)]
async fn a_process_that_died_between_sending_and_marking_leaves_a_claim_that_another_takes_over() {
    let harness = Harness::start().await;
    // Body, signer, state, the claim; then the note and the mark are lost with the process.
    harness.start_workflow(&ask_bob()).await;
    harness.first_mail("bob@example.com").await;
    harness.faults.next("PutItem", 6, Fault::Lost);
    harness.pass(SignedDuration::from_secs(1)).await;
    harness.faults.clear();
    harness.pass(SignedDuration::from_mins(3)).await;
    let sent = harness.aws.mails().len();
    assert!((1..=2).contains(&sent), "{sent} mails");
    assert!(matches!(
        harness.only_approval().await.signers[0].state,
        SignerState::Sent { .. }
    ));
    harness
        .answer(&harness.link("bob@example.com").await, "approve", "", "Bob")
        .await;
    harness.finish().await;
}
