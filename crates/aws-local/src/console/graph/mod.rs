//! A state machine drawn as SVG: first where everything stands, which is the same for all its executions
//! ([`Drawing`]), then what became of each state in one of them ([`coloured`]).

mod layout;
mod text;

use std::collections::{HashMap, HashSet};
use std::sync::{Arc, Mutex, PoisonError};

use askama::Template;
use asl::{Outline, OutlinedState, StateType};

use super::values::visible;
use super::visits::{Standing, Tally, Visit, tallies};
use layout::{Link, Placed, Point, lay_out};

/// Sizes of fonts, in pixels: names, what stands below them, labels of lines.
const NAME: f64 = 14.0;
const SMALL: f64 = 12.0;

/// Boxes are at least and at most so wide, and so high.
const NARROW: f64 = 172.0;
const WIDE: f64 = 280.0;
const HIGH: f64 = 52.0;
/// A container's head, and what is left free in it.
const HEAD: f64 = 56.0;
const PADDING: f64 = 14.0;
/// The dots that an execution begins and ends with.
const DOT: f64 = 16.0;
/// There is so much room beside the steps on a large screen.
const BESIDE_STEPS: f64 = 640.0;
/// A label is at most so wide.
const LABEL: f64 = 190.0;

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

/// A state machine with its places.
#[derive(Clone, Debug, Default)]
pub(super) struct Drawing {
    size: Point,
    nodes: Vec<Node>,
    frames: Vec<Rectangle>,
    dots: Vec<Point>,
    edges: Vec<Edge>,
}

#[derive(Clone, Debug)]
struct Node {
    name: String,
    kind: StateType,
    /// Shown in full where the box is too narrow for the name.
    short: String,
    distributed: bool,
    place: Rectangle,
}

#[derive(Clone, Copy, Debug)]
struct Rectangle {
    x: f64,
    y: f64,
    width: f64,
    height: f64,
}

#[derive(Clone, Debug)]
struct Edge {
    /// The states' names; empty for a dot.
    from: String,
    to: String,
    way: Way,
    points: Vec<Point>,
    label: Option<Label>,
}

#[derive(Clone, Debug)]
struct Label {
    full: String,
    short: String,
    place: Rectangle,
}

/// How one state leads to another.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Way {
    Next,
    Choice,
    Catch,
}

impl Drawing {
    /// Draws a machine with all that is inside it.
    pub(super) fn of(outline: &Outline) -> Drawing {
        machine(outline, true)
    }

    /// Whether it has no room beside the steps.
    pub(super) fn is_wide(&self) -> bool {
        self.size.0 > BESIDE_STEPS
    }

    /// Moves everything.
    fn moved(mut self, by: Point) -> Drawing {
        for place in self
            .nodes
            .iter_mut()
            .map(|node| &mut node.place)
            .chain(&mut self.frames)
        {
            place.x += by.0;
            place.y += by.1;
        }
        let points = self
            .edges
            .iter_mut()
            .flat_map(|edge| &mut edge.points)
            .chain(&mut self.dots);
        for point in points {
            point.0 += by.0;
            point.1 += by.1;
        }
        for label in self.edges.iter_mut().filter_map(|edge| edge.label.as_mut()) {
            label.place.x += by.0;
            label.place.y += by.1;
        }
        self
    }

    fn take_in(&mut self, other: Drawing) {
        self.nodes.extend(other.nodes);
        self.frames.extend(other.frames);
        self.dots.extend(other.dots);
        self.edges.extend(other.edges);
    }
}

/// A box that is laid out: a state with what is inside it, or a dot.
struct Block {
    size: Point,
    inside: Vec<Drawing>,
}

fn machine(outline: &Outline, whole: bool) -> Drawing {
    let states = &outline.states;
    let places: HashMap<&str, usize> = states
        .iter()
        .enumerate()
        .map(|(n, state)| (state.name.as_str(), n))
        .collect();
    let mut blocks: Vec<Block> = states.iter().map(block).collect();
    let mut ways = ways(outline, &places);
    if whole && let Some(first) = places.get(outline.start_at.as_str()) {
        let dot = || Block {
            size: (DOT, DOT),
            inside: Vec::new(),
        };
        let (begin, end) = (states.len(), states.len() + 1);
        blocks.extend([dot(), dot()]);
        ways.insert(0, (begin, *first, Way::Next, String::new()));
        let ends = states.iter().enumerate().filter(|(_, state)| ends(state));
        ways.extend(ends.map(|(n, _)| (n, end, Way::Next, String::new())));
    }
    let labels: Vec<Option<(String, Point)>> = ways.iter().map(|(.., label)| label_size(label)).collect();
    let links: Vec<Link> = ways
        .iter()
        .zip(&labels)
        .map(|((from, to, ..), label)| Link {
            from: *from,
            to: *to,
            label: label.as_ref().map_or((0.0, 0.0), |(_, size)| *size),
        })
        .collect();
    let sizes: Vec<Point> = blocks.iter().map(|block| block.size).collect();
    let Placed { size, boxes, lines } = lay_out(&sizes, &links);

    let mut drawing = Drawing {
        size,
        ..Drawing::default()
    };
    for (n, (block, place)) in blocks.into_iter().zip(boxes).enumerate() {
        let Some(state) = states.get(n) else {
            drawing.dots.push((place.0 + DOT / 2.0, place.1 + DOT / 2.0));
            continue;
        };
        drawing.nodes.push(Node {
            name: state.name.clone(),
            kind: state.kind,
            short: text::fitted(&visible(&state.name), NAME, block.size.0 - 24.0),
            distributed: state.distributed,
            place: rectangle(place, block.size),
        });
        for inside in block.inside {
            drawing.take_in(inside.moved(place));
        }
    }
    let name = |n: usize| states.get(n).map(|state| state.name.clone()).unwrap_or_default();
    for (((from, to, way, full), line), label) in ways.into_iter().zip(lines).zip(labels) {
        drawing.edges.push(Edge {
            from: name(from),
            to: name(to),
            way,
            points: line.points,
            label: label.map(|(short, (width, height))| Label {
                full: visible(&full),
                short,
                place: rectangle(
                    (line.label.0 - width / 2.0, line.label.1 - height / 2.0),
                    (width, height),
                ),
            }),
        });
    }
    drawing
}

/// Whether the execution ends with it, all being well.
fn ends(state: &OutlinedState) -> bool {
    match state.kind {
        StateType::Succeed => true,
        StateType::Fail | StateType::Choice => false,
        _ => state.next.is_none(),
    }
}

/// A state's box, with the branches side by side in it.
fn block(state: &OutlinedState) -> Block {
    let name = text::width(&visible(&state.name), NAME) + 24.0;
    let own = name.clamp(NARROW, WIDE);
    let several = state.branches.len() > 1;
    let mut inside = Vec::new();
    let (mut across, mut deepest) = (PADDING, 0.0_f64);
    for branch in &state.branches {
        let mut drawn = machine(branch, false);
        let (width, height) = drawn.size;
        let room = if several { PADDING } else { 0.0 };
        drawn = drawn.moved((across + room, HEAD + room));
        if several {
            drawn.frames.push(rectangle(
                (across, HEAD),
                (width + 2.0 * room, height + 2.0 * room),
            ));
        }
        inside.push(drawn);
        across += width + 2.0 * room + PADDING;
        deepest = deepest.max(height + 2.0 * room);
    }
    if inside.is_empty() {
        return Block {
            size: (own, HIGH),
            inside,
        };
    }
    // What is inside stands in the middle where the name needs more room.
    let width = across.max(own);
    let aside = (width - across) / 2.0;
    Block {
        size: (width, HEAD + deepest + PADDING),
        inside: inside
            .into_iter()
            .map(|drawn| drawn.moved((aside, 0.0)))
            .collect(),
    }
}

/// The lines out of all states; those of one kind between the same two are one.
fn ways(outline: &Outline, places: &HashMap<&str, usize>) -> Vec<(usize, usize, Way, String)> {
    let mut ways: Vec<(usize, usize, Way, String)> = Vec::new();
    for (from, state) in outline.states.iter().enumerate() {
        let next = state.next.iter().map(|next| (Way::Next, next, ""));
        let choices = state
            .choices
            .iter()
            .map(|rule| (Way::Choice, &rule.next, rule.when.as_str()));
        let default = state.default.iter().map(|next| (Way::Choice, next, "otherwise"));
        let catches = state
            .catches
            .iter()
            .map(|rule| (Way::Catch, &rule.next, rule.when.as_str()));
        for (way, next, label) in next.chain(choices).chain(default).chain(catches) {
            let Some(&to) = places.get(next.as_str()) else {
                continue;
            };
            let known = ways
                .iter_mut()
                .find(|known| (known.0, known.1, known.2) == (from, to, way));
            match known {
                Some((.., known)) => {
                    known.push_str(" / ");
                    known.push_str(label);
                }
                None => ways.push((from, to, way, label.to_owned())),
            }
        }
    }
    ways
}

fn label_size(label: &str) -> Option<(String, Point)> {
    let short = text::fitted(&visible(label), SMALL, LABEL);
    let width = text::width(&short, SMALL) + 8.0;
    (!label.is_empty()).then_some((short, (width, SMALL + 6.0)))
}

fn rectangle((x, y): Point, (width, height): Point) -> Rectangle {
    Rectangle { x, y, width, height }
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
