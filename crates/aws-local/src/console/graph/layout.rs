//! Where boxes and lines stand: layers from top to bottom, by the `dagre` crate, which is given the sizes of boxes and
//! of the lines' labels.

use std::panic::{AssertUnwindSafe, catch_unwind};

use dagre::graph::{Graph, GraphOptions};
use dagre::layout::types::LabelPos;
use dagre::{EdgeLabel, LayoutOptions, NodeLabel, layout};

/// Up to so many boxes are laid out in layers; beyond that its time grows too long, and they stand below one another.
const MOST: usize = 300;

/// Between neighbours in a layer, between lines there, and between layers.
const BESIDE: f64 = 24.0;
const LINES: f64 = 16.0;
const BELOW: f64 = 44.0;

/// Across and down, in pixels.
pub(super) type Point = (f64, f64);

/// A line from one box to another, by their places in the list, and the size of its label.
#[derive(Clone, Copy, Debug)]
pub(super) struct Link {
    pub(super) from: usize,
    pub(super) to: usize,
    pub(super) label: Point,
}

/// What came of it; nothing is left of or above zero.
#[derive(Clone, Debug, Default)]
pub(super) struct Placed {
    pub(super) size: Point,
    /// Each box's upper left corner.
    pub(super) boxes: Vec<Point>,
    pub(super) lines: Vec<Line>,
}

/// A line's corners, at least two, and its label's middle.
#[derive(Clone, Debug, Default)]
pub(super) struct Line {
    pub(super) points: Vec<Point>,
    pub(super) label: Point,
}

/// Lays out boxes of these sizes.
pub(super) fn lay_out(sizes: &[Point], links: &[Link]) -> Placed {
    let mut placed = None;
    if sizes.len() <= MOST {
        // A bug over there must not take the page along.
        placed = catch_unwind(AssertUnwindSafe(|| in_layers(sizes, links)))
            .ok()
            .flatten();
    }
    to_zero(placed.unwrap_or_else(|| in_a_column(sizes, links)), sizes, links)
}

fn in_layers(sizes: &[Point], links: &[Link]) -> Option<Placed> {
    let mut graph: Graph<NodeLabel, EdgeLabel> = Graph::with_options(GraphOptions {
        directed: true,
        multigraph: true,
        compound: false,
    });
    for (n, &(width, height)) in sizes.iter().enumerate() {
        let node = NodeLabel {
            width,
            height,
            ..NodeLabel::default()
        };
        graph.set_node(n.to_string(), Some(node));
    }
    for (n, link) in links.iter().enumerate() {
        let (width, height) = link.label;
        let edge = EdgeLabel {
            width,
            height,
            labelpos: LabelPos::Center,
            ..EdgeLabel::default()
        };
        graph.set_edge(
            link.from.to_string(),
            link.to.to_string(),
            Some(edge),
            Some(&n.to_string()),
        );
    }
    let options = LayoutOptions {
        nodesep: BESIDE,
        edgesep: LINES,
        ranksep: BELOW,
        ..LayoutOptions::default()
    };
    layout(&mut graph, Some(options));

    let boxes = sizes.iter().enumerate().map(|(n, (width, height))| {
        let node = graph.node(&n.to_string())?;
        Some((node.x? - width / 2.0, node.y? - height / 2.0))
    });
    let lines = links.iter().enumerate().map(|(n, link)| {
        let name = n.to_string();
        let edge = graph.edge(&link.from.to_string(), &link.to.to_string(), Some(&name))?;
        let points: Vec<Point> = edge.points.iter().map(|point| (point.x, point.y)).collect();
        let middle = points.get(points.len() / 2).copied()?;
        let label = (edge.x.unwrap_or(middle.0), edge.y.unwrap_or(middle.1));
        (points.len() > 1).then_some(Line { points, label })
    });
    let placed = Placed {
        size: (0.0, 0.0),
        boxes: boxes.collect::<Option<_>>()?,
        lines: lines.collect::<Option<_>>()?,
    };
    let numbers = placed
        .boxes
        .iter()
        .chain(placed.lines.iter().flat_map(|line| &line.points));
    numbers
        .copied()
        .all(|(x, y)| x.is_finite() && y.is_finite())
        .then_some(placed)
}

/// One below the other, in order; lines that go further run at the side.
fn in_a_column(sizes: &[Point], links: &[Link]) -> Placed {
    let widest = sizes.iter().map(|size| size.0).fold(0.0, f64::max);
    let mut down = 0.0;
    let mut placed = Placed::default();
    for (width, height) in sizes {
        placed.boxes.push(((widest - width) / 2.0, down));
        down += height + BELOW;
    }
    for (n, link) in links.iter().enumerate() {
        let (from, to) = (link.from, link.to);
        let (start, end) = (placed.boxes[from], placed.boxes[to]);
        let points = if to == from + 1 {
            vec![(widest / 2.0, start.1 + sizes[from].1), (widest / 2.0, end.1)]
        } else {
            #[expect(clippy::cast_precision_loss, reason = "a number below eight")]
            let side = widest + BESIDE + LINES * (n % 8) as f64;
            let (out, into) = (start.1 + sizes[from].1 / 2.0, end.1 + sizes[to].1 / 2.0);
            vec![
                (start.0 + sizes[from].0, out),
                (side, out),
                (side, into),
                (end.0 + sizes[to].0, into),
            ]
        };
        let middle = points.len() / 2;
        let (one, other) = (points[middle - 1], points[middle]);
        let label = (f64::midpoint(one.0, other.0), f64::midpoint(one.1, other.1));
        placed.lines.push(Line { points, label });
    }
    placed
}

/// Moves everything so that it begins at zero, and measures it.
fn to_zero(mut placed: Placed, sizes: &[Point], links: &[Link]) -> Placed {
    let mut corners: Vec<Point> = Vec::new();
    for ((x, y), (width, height)) in placed.boxes.iter().zip(sizes) {
        corners.extend([(*x, *y), (x + width, y + height)]);
    }
    for (line, link) in placed.lines.iter().zip(links) {
        corners.extend(&line.points);
        let ((x, y), (width, height)) = (line.label, link.label);
        corners.extend([
            (x - width / 2.0, y - height / 2.0),
            (x + width / 2.0, y + height / 2.0),
        ]);
    }
    let least = |of: fn(&Point) -> f64| corners.iter().map(of).fold(f64::INFINITY, f64::min);
    let most = |of: fn(&Point) -> f64| corners.iter().map(of).fold(f64::NEG_INFINITY, f64::max);
    if corners.is_empty() {
        return placed;
    }
    let (left, top) = (least(|point| point.0), least(|point| point.1));
    placed.size = (most(|point| point.0) - left, most(|point| point.1) - top);
    let lines = placed
        .lines
        .iter_mut()
        .flat_map(|line| line.points.iter_mut().chain([&mut line.label]));
    for (x, y) in placed.boxes.iter_mut().chain(lines) {
        *x -= left;
        *y -= top;
    }
    placed
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn apart(one: Point, of: Point, other: Point, and: Point) -> bool {
        one.0 + of.0 <= other.0 + 0.01
            || other.0 + and.0 <= one.0 + 0.01
            || one.1 + of.1 <= other.1 + 0.01
            || other.1 + and.1 <= one.1 + 0.01
    }

    fn check(sizes: &[Point], links: &[Link], placed: &Placed) {
        assert_eq!(
            (placed.boxes.len(), placed.lines.len()),
            (sizes.len(), links.len())
        );
        for (n, (x, y)) in placed.boxes.iter().enumerate() {
            assert!(
                *x >= -0.01 && x + sizes[n].0 <= placed.size.0 + 0.01,
                "{placed:?}"
            );
            assert!(
                *y >= -0.01 && y + sizes[n].1 <= placed.size.1 + 0.01,
                "{placed:?}"
            );
            for m in 0..n {
                assert!(
                    apart((*x, *y), sizes[n], placed.boxes[m], sizes[m]),
                    "{n} and {m} overlap: {placed:?}"
                );
            }
        }
        assert!(placed.lines.iter().all(|line| line.points.len() > 1));
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(64))]
        #[test]
        fn boxes_never_overlap(
            sizes in proptest::collection::vec((20.0..300.0_f64, 20.0..200.0_f64), 1..20),
            links in proptest::collection::vec((0..20_usize, 0..20_usize, 0.0..80.0_f64), 0..40),
        ) {
            let links: Vec<Link> = links
                .into_iter()
                .map(|(from, to, label)| Link { from: from % sizes.len(), to: to % sizes.len(), label: (label, 14.0) })
                .collect();
            let layered = in_layers(&sizes, &links).map(|placed| to_zero(placed, &sizes, &links));
            check(&sizes, &links, &layered.expect("it is laid out"));
            check(&sizes, &links, &to_zero(in_a_column(&sizes, &links), &sizes, &links));
        }
    }

    #[test]
    fn nothing_at_all_has_no_size() {
        assert_eq!(lay_out(&[], &[]).size, (0.0, 0.0));
    }
}
