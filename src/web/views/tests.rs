//! Every page is rendered from its samples and checked for what holds on all of them.
//! `COUNTERSIGN_SAMPLES=DIR cargo test --lib every_page` also writes them to DIR, to be looked at in a browser.

use askama::Template;

use super::*;
use crate::web::assets;

fn all_pages() -> Vec<(&'static str, String)> {
    fn rendered<T: Template>(samples: Vec<(&'static str, T)>) -> Vec<(&'static str, String)> {
        samples
            .into_iter()
            .map(|(name, page)| (name, page.render().expect(name)))
            .collect()
    }
    [
        rendered(ReviewPage::samples()),
        rendered(RecordedPage::samples()),
        rendered(DecidedPage::samples()),
        rendered(TooLatePage::samples()),
        rendered(WithdrawnPage::samples()),
        rendered(ReplacedPage::samples()),
        rendered(NotValidPage::samples()),
        rendered(OurFaultPage::samples()),
        rendered(TooManyRequestsPage::samples()),
        rendered(ProblemPage::samples()),
    ]
    .concat()
}

fn page(name: &str) -> String {
    all_pages()
        .into_iter()
        .find(|(n, _)| *n == name)
        .map(|(_, html)| html)
        .expect(name)
}

/// What a reader sees of a page, without tags and with single spaces.
fn words(html: &str) -> String {
    let body = html.split_once("<main>").map_or(html, |(_, main)| main);
    let mut text = String::new();
    let mut inside = false;
    for c in body.chars() {
        match c {
            '<' => inside = true,
            '>' => inside = false,
            _ if !inside => text.push(c),
            _ => {}
        }
    }
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}

#[test]
fn every_page_renders_and_keeps_the_rules_of_the_house() {
    let directory = std::env::var_os("COUNTERSIGN_SAMPLES").map(std::path::PathBuf::from);
    for (name, html) in all_pages() {
        assert_eq!(html.matches("<h1").count(), 1, "{name}: one h1");
        assert_eq!(html.matches("<title>").count(), 1, "{name}: one title");
        assert!(
            html.starts_with("<!doctype html>\n<html lang=\"en\" dir=\"ltr\">"),
            "{name}"
        );
        for banned in [
            "<script",
            "style=\"",
            " onclick",
            "<img",
            "<iframe",
            "javascript:",
        ] {
            assert!(!html.contains(banned), "{name}: {banned}");
        }
        let opened = html.matches("<bdi>").count();
        assert_eq!(
            opened,
            html.matches("</bdi>").count(),
            "{name}: every bdi is closed"
        );
        assert!(!html.contains('\u{202E}'), "{name}: nothing turns the text");
        for word in ["token", "callback", "execution", "Please note", "!</", "an a "] {
            assert!(!words(&html).contains(word), "{name}: {word}");
        }
        for id in html
            .split(" id=\"")
            .skip(1)
            .filter_map(|rest| rest.split('"').next())
        {
            assert_eq!(
                html.matches(&format!(" id=\"{id}\"")).count(),
                1,
                "{name}: the id {id} is there once"
            );
        }
        for to in html
            .split("href=\"#")
            .skip(1)
            .filter_map(|rest| rest.split('"').next())
        {
            assert!(
                html.contains(&format!(" id=\"{to}\"")),
                "{name}: the link to #{to} leads somewhere"
            );
        }
        for to in html
            .split("aria-describedby=\"")
            .skip(1)
            .filter_map(|rest| rest.split('"').next())
        {
            for id in to.split(' ') {
                assert!(
                    html.contains(&format!(" id=\"{id}\"")),
                    "{name}: {id} describes something"
                );
            }
        }
        if let Some(directory) = &directory {
            let beside = html
                .replace("/approvals/assets/", "assets/")
                .replace("\"/assets/", "\"assets/");
            std::fs::write(directory.join(format!("{name}.html")), beside).expect("writing a sample");
        }
    }
    if let Some(directory) = directory {
        std::fs::create_dir_all(directory.join("assets")).expect("a directory");
        for asset in [assets::stylesheet(), assets::icon()] {
            std::fs::write(directory.join("assets").join(&asset.name), asset.body).expect("writing an asset");
        }
    }
}

#[test]
fn the_review_page_says_everything_before_it_asks() {
    let html = page("review");
    let order = [
        "Legal</bdi> at <bdi>Example Ltd",
        "Friday 27 November 2026, 17:00, Berlin time",
        "Alice</bdi> has signed",
        "Release payment",
        "<strong>contract</strong>",
        "CONTRACT No. 3",
        "<form",
        "type=\"radio\"",
        "<textarea",
        "Type your name",
        "<button",
    ];
    let found: Vec<usize> = order.iter().map(|part| html.find(part).expect(part)).collect();
    assert!(found.is_sorted(), "{found:?}");
    assert!(!html.contains(" checked"), "nothing is chosen beforehand");
    assert!(html.contains("<title>Sign: document 3 – Example Ltd</title>"));
    assert!(words(&html).contains("Legal at Example Ltd asks you, Bob Miller, to sign document 3"));
    assert!(words(&html).contains("you are the last."));
}

#[test]
fn without_anything_optional_the_page_still_reads_well() {
    let html = page("review-bare");
    assert!(
        words(&html).starts_with("Bob, you are asked to sign document 3 Details"),
        "{}",
        words(&html)
    );
    assert!(html.contains("href=\"/approvals/assets/style-"));
    assert!(!html.contains("<dl class=\"facts\">"), "no empty list");
}

#[test]
fn what_was_typed_comes_back_with_what_to_do() {
    let html = page("review-errors");
    assert!(html.contains("role=\"alert\"") && html.contains("tabindex=\"-1\" autofocus"));
    assert!(html.contains("<a href=\"#comment\">Say why you reject, in a few words.</a>"));
    assert!(html.contains("value=\"Bod Miler\""));
    assert!(html.contains("aria-describedby=\"name-hint name-problem\" aria-invalid=\"true\""));
    assert!(html.contains("<title>Error: "));
    let expired = page("review-form-expired");
    assert!(expired.contains(
        ">\nFine by me. One question:\n&#60;b&#62;when&#60;/b&#62; does &#34;it&#34; start?</textarea>"
    ));
    assert!(expired.contains("href=\"#decision\""));
}

#[test]
fn what_people_write_is_text_everywhere() {
    let nasty = "</bdi></title><script>alert(1)</script>\"' onfocus=x";
    let mut review = ReviewPage::samples().remove(0).1;
    review.frame.organisation = Some(nasty.into());
    review.about = About {
        ask: AskWords::from_title(nasty),
        signer: nasty.into(),
        requester: Some(nasty.into()),
        questions_to: Some(nasty.into()),
        reference: nasty.to_owned(),
    };
    for person in &mut review.people.list {
        person.name = nasty.into();
        person.role = Some(nasty.into());
    }
    review.leads_to = Some(nasty.into());
    review.message = Some(crate::web::markdown::SafeHtml::from_markdown(
        "</div><script>alert(1)</script>",
    ));
    review.documents[0].name = nasty.into();
    review.documents[0].body = DocumentBody::Text(DisplayLines::new(nasty));
    review.form.comment = nasty.to_owned();
    review.form.name = nasty.to_owned();
    review.form.choices[0].label = nasty.into();
    review.form.choices[0].id = nasty.to_owned();
    let html = review.render().expect("renders");
    assert!(
        !html.contains("<script") && !html.contains("\"' onfocus"),
        "{html}"
    );
    let fault = page("our-fault-after-sending");
    assert!(fault.contains("value=\"Bob &#34;Bobby&#34; Miller\"") && !fault.contains("<b>x"));
}

#[test]
fn a_link_that_is_not_valid_says_nothing_about_requests() {
    let html = page("not-valid");
    assert!(!html.contains("req_"));
}

#[test]
fn the_heading_of_each_page() {
    let headings: Vec<String> = all_pages()
        .into_iter()
        .map(|(name, html)| {
            let heading = html
                .split_once("<h1")
                .and_then(|(_, rest)| rest.split_once('>')?.1.split_once("</h1>"))
                .map(|(h, _)| h.to_owned());
            format!("{name}: {}", words(&heading.expect(name)))
        })
        .collect();
    insta::assert_snapshot!(headings.join("\n"));
}
