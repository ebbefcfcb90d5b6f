//! A state machine drawn as SVG: first where everything stands, which is the same for all its executions
//! ([`Drawing`]), then what became of each state in one of them ([`coloured`]).

mod drawing;
mod layout;
#[cfg(test)]
mod tests;
mod text;

use std::collections::{HashMap, HashSet};
use std::sync::{Arc, Mutex, PoisonError};

use askama::Template;
use asl::Outline;

use super::values::visible;
use super::visits::{Standing, Tally, Visit, tallies};
pub(crate) use drawing::Drawing;
use drawing::{Edge, Label, Node, Rectangle, SMALL, Way, rectangle};
use layout::Point;

/// Drawings that were asked for, so that a page that is shown again and again lays nothing out.
#[derive(Default)]
pub(crate) struct Drawings {
    kept: Mutex<HashMap<Drawn, Arc<Drawing>>>,
}

/// A revision of a machine, and where it is that of a Map Run's children the Map state.
pub(crate) type Drawn = (i64, Option<String>);

/// How many are kept.
const KEPT: usize = 64;

impl Drawings {
    /// The drawing of `outline`, which is known by `drawn`.
    pub(super) async fn of(&self, drawn: &Drawn, outline: &Outline) -> Arc<Drawing> {
        let lock = || self.kept.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(kept) = lock().get(drawn) {
            return Arc::clone(kept);
        }
        let outline = outline.clone();
        let drawing = tokio::task::spawn_blocking(move || Drawing::of(&outline)).await;
        let drawing = Arc::new(drawing.unwrap_or_default());
        let mut kept = lock();
        if kept.len() >= KEPT {
            kept.clear();
        }
        kept.insert(drawn.clone(), Arc::clone(&drawing));
        drawing
    }
}

#[derive(Template)]
#[template(path = "console/graph.html")]
pub(super) struct Graph {
    machine: String,
    width: f64,
    height: f64,
    nodes: Vec<ShownNode>,
    frames: Vec<Rectangle>,
    dots: Vec<Point>,
    edges: Vec<ShownEdge>,
}

struct ShownNode {
    place: Rectangle,
    title: String,
    short: String,
    class: &'static str,
    /// What stands below the name.
    line: String,
    badge: Option<(String, Rectangle)>,
    /// The step that tells more.
    step: Option<u64>,
}

struct ShownEdge {
    path: String,
    head: String,
    class: &'static str,
    taken: bool,
    label: Option<Label>,
}

/// The drawing with what became of each state. `runs` says how far a distributed Map is, by its name.
pub(super) fn coloured(
    drawing: &Drawing,
    machine: String,
    visits: &[Visit<'_>],
    runs: &HashMap<&str, (usize, usize)>,
) -> Graph {
    let tallies = tallies(visits);
    let taken = taken(visits);
    let node = |node: &Node| {
        let tally = tallies.get(node.name.as_str());
        let items = runs.get(node.name.as_str()).copied().or_else(|| tally?.items);
        shown(node, tally, items)
    };
    let edge = |edge: &Edge| {
        let (path, head) = path(&edge.points);
        let ended = edge.to.is_empty() && tallies.get(edge.from.as_str()).is_some_and(|it| it.succeeded > 0);
        let begun = edge.from.is_empty() && !visits.is_empty();
        let (from, to) = (edge.from.as_str(), edge.to.as_str());
        ShownEdge {
            path,
            head,
            class: if edge.way == Way::Catch { "catch" } else { "next" },
            taken: ended || begun || taken.contains(&(from, to, edge.way == Way::Catch)),
            label: edge.label.clone(),
        }
    };
    Graph {
        machine,
        width: drawing.size.0 + 8.0,
        height: drawing.size.1 + 24.0,
        nodes: drawing.nodes.iter().map(node).collect(),
        frames: drawing.frames.clone(),
        dots: drawing.dots.clone(),
        edges: drawing.edges.iter().map(edge).collect(),
    }
}

/// The ways that were gone: from, to, and whether by a Catch.
fn taken<'a>(visits: &[Visit<'a>]) -> HashSet<(&'a str, &'a str, bool)> {
    let gone = |visit: &Visit<'a>| Some((visit.name, visit.next?, visit.standing == Standing::Caught));
    visits.iter().filter_map(gone).collect()
}

fn shown(node: &Node, tally: Option<&Tally>, items: Option<(usize, usize)>) -> ShownNode {
    let kind = if node.distributed {
        "Distributed Map"
    } else {
        node.kind.name()
    };
    let (class, mark, word) =
        tally.map_or(("unreached", "", "not reached"), |tally| standing(tally.standing));
    let mut notes = Vec::new();
    if let Some((done, all)) = items {
        notes.push(format!("{done} of {all}"));
    }
    if let Some(tally) = tally {
        if tally.visits > 1 {
            let passed = (tally.succeeded < tally.visits).then(|| format!("{} of ", tally.succeeded));
            notes.push(format!("{}{} times", passed.unwrap_or_default(), tally.visits));
        }
        match tally.retries {
            0 => {}
            1 => notes.push("1 retry".to_owned()),
            more => notes.push(format!("{more} retries")),
        }
    }
    let notes = notes.join(", ");
    let badge = (!notes.is_empty()).then(|| {
        let width = text::width(&notes, SMALL) + 12.0;
        let x = node.place.x + node.place.width - width - 8.0;
        (notes.clone(), rectangle((x, node.place.y - 9.0), (width, 18.0)))
    });
    let mut title = format!("{}, {kind}: {word}", visible(&node.name));
    if !notes.is_empty() {
        title.push_str(", ");
        title.push_str(&notes);
    }
    ShownNode {
        place: node.place,
        title,
        short: node.short.clone(),
        class,
        line: if mark.is_empty() {
            kind.to_owned()
        } else {
            format!("{kind} · {mark} {word}")
        },
        badge,
        step: tally.map(|tally| tally.entered),
    }
}

/// A standing's class, mark and words.
pub(super) fn standing(standing: Standing) -> (&'static str, &'static str, &'static str) {
    match standing {
        Standing::Running => ("running", "●", "running"),
        Standing::ForAnswer => ("waiting", "◔", "awaits answer"),
        Standing::ForWorker => ("waiting", "◔", "awaits worker"),
        Standing::Until(_) => ("waiting", "◔", "waiting"),
        Standing::ForRetry(_) => ("waiting", "↻", "tries again"),
        Standing::Succeeded => ("succeeded", "✓", "succeeded"),
        Standing::Caught => ("caught", "↷", "caught"),
        Standing::Failed => ("failed", "✕", "failed"),
        Standing::Stopped => ("aborted", "■", "stopped"),
    }
}

/// A line with rounded corners, and its head.
fn path(points: &[Point]) -> (String, String) {
    use std::fmt::Write;

    let mut path = String::new();
    let [first, .., end] = points else {
        return (path, String::new());
    };
    let before = points[points.len() - 2];
    let length = distance(before, *end).max(0.01);
    let (along, across) = (((end.0 - before.0) / length), ((end.1 - before.1) / length));
    let (back, half) = (9.0, 4.5);
    let base = (end.0 - along * back, end.1 - across * back);
    // Writing to a String doesn't fail.
    let _ = write!(path, "M{:.1} {:.1}", first.0, first.1);
    for n in 1..points.len() - 1 {
        let corner = points[n];
        let from = towards(corner, points[n - 1]);
        let to = towards(corner, points[n + 1]);
        let _ = write!(
            path,
            "L{:.1} {:.1}Q{:.1} {:.1} {:.1} {:.1}",
            from.0, from.1, corner.0, corner.1, to.0, to.1
        );
    }
    let _ = write!(path, "L{:.1} {:.1}", base.0, base.1);
    let head = format!(
        "M{:.1} {:.1}L{:.1} {:.1}L{:.1} {:.1}Z",
        end.0,
        end.1,
        base.0 - across * half,
        base.1 + along * half,
        base.0 + across * half,
        base.1 - along * half
    );
    (path, head)
}

/// A little from `point` to `other`, at most half of the way.
fn towards(point: Point, other: Point) -> Point {
    let length = distance(point, other).max(0.01);
    let share = (14.0_f64.min(length / 2.0)) / length;
    (
        point.0 + (other.0 - point.0) * share,
        point.1 + (other.1 - point.1) * share,
    )
}

fn distance(one: Point, other: Point) -> f64 {
    (one.0 - other.0).hypot(one.1 - other.1)
}
