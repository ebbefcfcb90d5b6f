//! Where everything stands in the drawing of a state machine: boxes, those inside others, and the lines between them.

use std::collections::HashMap;

use asl::{Outline, OutlinedState, StateType};

use super::super::values::visible;
use super::layout::{Link, Placed, Point, lay_out};
use super::text;

/// Sizes of fonts, in pixels: names, what stands below them, labels of lines.
const NAME: f64 = 14.0;
pub(super) const SMALL: f64 = 12.0;

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

/// A state machine with its places.
#[derive(Clone, Debug, Default)]
pub(crate) struct Drawing {
    pub(super) size: Point,
    pub(super) nodes: Vec<Node>,
    pub(super) frames: Vec<Rectangle>,
    pub(super) dots: Vec<Point>,
    pub(super) edges: Vec<Edge>,
}

#[derive(Clone, Debug)]
pub(super) struct Node {
    pub(super) name: String,
    pub(super) kind: StateType,
    /// Shown in full where the box is too narrow for the name.
    pub(super) short: String,
    pub(super) distributed: bool,
    pub(super) place: Rectangle,
}

#[derive(Clone, Copy, Debug)]
pub(super) struct Rectangle {
    pub(super) x: f64,
    pub(super) y: f64,
    pub(super) width: f64,
    pub(super) height: f64,
}

#[derive(Clone, Debug)]
pub(super) struct Edge {
    /// The states' names; empty for a dot.
    pub(super) from: String,
    pub(super) to: String,
    pub(super) way: Way,
    pub(super) points: Vec<Point>,
    pub(super) label: Option<Label>,
}

#[derive(Clone, Debug)]
pub(super) struct Label {
    pub(super) full: String,
    pub(super) short: String,
    pub(super) place: Rectangle,
}

/// How one state leads to another.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Way {
    Next,
    Choice,
    Catch,
}

impl Drawing {
    /// Draws a machine with all that is inside it.
    pub(crate) fn of(outline: &Outline) -> Drawing {
        machine(outline, true)
    }

    /// Whether it has no room beside the steps.
    pub(crate) fn is_wide(&self) -> bool {
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

pub(super) fn rectangle((x, y): Point, (width, height): Point) -> Rectangle {
    Rectangle { x, y, width, height }
}
