//! Where boxes and lines stand: layers from top to bottom, by the `dagre` crate, which is given the sizes of boxes and
//! of the lines' labels.

use std::panic::{AssertUnwindSafe, catch_unwind};

use dagre::graph::{Graph, GraphOptions};
use dagre::layout::types::LabelPos;
use dagre::{EdgeLabel, LayoutOptions, NodeLabel, layout};

/// Up to so many boxes are laid out in layers; beyond that its time grows too long, and they stand below one another.
const MOST: usize = 300;

/// So many layers may be passed by all lines together, each of which stands for a box that is laid out too; the longest
/// lines run at the side instead.
const LAYERS: usize = 800;

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
    if sizes.len() > MOST {
        return to_zero(in_a_column(sizes, links), sizes, links);
    }
    let short = short(sizes.len(), links);
    let layered: Vec<Link> = links
        .iter()
        .zip(&short)
        .filter(|(_, short)| **short)
        .map(|(link, _)| *link)
        .collect();
    // A bug over there must not take the page along.
    let placed = catch_unwind(AssertUnwindSafe(|| in_layers(sizes, &layered)));
    let Some(mut placed) = placed.ok().flatten() else {
        return to_zero(in_a_column(sizes, links), sizes, links);
    };
    let right = placed
        .boxes
        .iter()
        .zip(sizes)
        .map(|(place, size)| place.0 + size.0)
        .fold(0.0, f64::max);
    let mut lines = std::mem::take(&mut placed.lines).into_iter();
    for (n, (link, short)) in links.iter().zip(short).enumerate() {
        let line = if short { lines.next() } else { None };
        placed
            .lines
            .push(line.unwrap_or_else(|| aside(&placed.boxes, sizes, right, n, *link)));
    }
    to_zero(placed, sizes, links)
}

/// Which links are laid out with the boxes: the shortest, as far as all of them together pass [`LAYERS`].
fn short(boxes: usize, links: &[Link]) -> Vec<bool> {
    let layers = layers(boxes, links);
    let length = |link: &Link| layers[link.from].abs_diff(layers[link.to]);
    let mut order: Vec<usize> = (0..links.len()).collect();
    order.sort_by_key(|n| length(&links[*n]));
    let (mut short, mut passed) = (vec![false; links.len()], 0);
    for n in order {
        passed += length(&links[n]);
        short[n] = passed <= LAYERS;
    }
    short
}

/// The layer that each box will about be in: as far from the top as the longest way to it, not counting those that lead
/// back.
fn layers(boxes: usize, links: &[Link]) -> Vec<usize> {
    let mut next = vec![Vec::new(); boxes];
    let mut entered = vec![false; boxes];
    for link in links.iter().filter(|link| link.from != link.to) {
        next[link.from].push(link.to);
        entered[link.to] = true;
    }
    // In the order in which a walk in depth leaves them, from behind, every link but those back leads on.
    let (mut seen, mut left) = (vec![false; boxes], Vec::with_capacity(boxes));
    let begin = (0..boxes).filter(|n| !entered[*n]).chain(0..boxes);
    for first in begin {
        let mut way = vec![(first, 0)];
        while let Some((at, tried)) = way.pop() {
            if tried == 0 && std::mem::replace(&mut seen[at], true) {
                continue;
            }
            match next[at].get(tried) {
                Some(to) => way.extend([(at, tried + 1), (*to, 0)]),
                None => left.push(at),
            }
        }
    }
    left.reverse();
    let mut place = vec![0; boxes];
    for (n, at) in left.iter().enumerate() {
        place[*at] = n;
    }
    let mut layers = vec![0; boxes];
    for at in left {
        for to in next[at].iter().filter(|to| place[**to] > place[at]) {
            layers[*to] = layers[*to].max(layers[at] + 1);
        }
    }
    layers
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
        if link.to != link.from + 1 {
            let line = aside(&placed.boxes, sizes, widest, n, *link);
            placed.lines.push(line);
            continue;
        }
        let begin = placed.boxes[link.from].1 + sizes[link.from].1;
        let end = placed.boxes[link.to].1;
        let label = (widest / 2.0, f64::midpoint(begin, end));
        placed.lines.push(Line {
            points: vec![(widest / 2.0, begin), (widest / 2.0, end)],
            label,
        });
    }
    placed
}

/// A line from box to box that runs at the right of everything.
fn aside(boxes: &[Point], sizes: &[Point], right: f64, n: usize, link: Link) -> Line {
    #[expect(clippy::cast_precision_loss, reason = "a number below eight")]
    let side = right + BESIDE + LINES * (n % 8) as f64;
    let end = |of: usize| (boxes[of].0 + sizes[of].0, boxes[of].1 + sizes[of].1 / 2.0);
    let (from, to) = (end(link.from), end(link.to));
    Line {
        points: vec![from, (side, from.1), (side, to.1), to],
        label: (side + link.label.0 / 2.0, from.1),
    }
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
            check(&sizes, &links, &lay_out(&sizes, &links));
            check(&sizes, &links, &to_zero(in_a_column(&sizes, &links), &sizes, &links));
        }
    }

    #[test]
    fn layers_follow_the_longest_way_and_not_the_ways_back() {
        let link = |from, to| Link {
            from,
            to,
            label: (0.0, 0.0),
        };
        let links = [
            link(0, 1),
            link(1, 2),
            link(0, 3),
            link(2, 3),
            link(3, 1),
            link(3, 3),
            link(4, 2),
        ];
        assert_eq!(layers(5, &links), [0, 1, 2, 3, 0]);
    }

    #[test]
    fn many_long_lines_run_at_the_side() {
        let sizes = vec![(100.0, 50.0); 200];
        let link = |from, to| Link {
            from,
            to,
            label: (40.0, 14.0),
        };
        let mut links: Vec<Link> = (0..199).map(|n| link(n, n + 1)).collect();
        links.extend((0..198).map(|n| link(n, 199)));
        let placed = lay_out(&sizes, &links);
        check(&sizes, &links, &placed);
        let side = placed
            .lines
            .iter()
            .filter(|line| line.points.len() == 4 && line.points[1].0 > 150.0);
        assert!(side.count() > 100);
        // The chain stays a chain.
        assert!(placed.boxes.windows(2).all(|pair| pair[0].1 + 50.0 < pair[1].1));
    }

    #[test]
    fn nothing_at_all_has_no_size() {
        assert_eq!(lay_out(&[], &[]).size, (0.0, 0.0));
    }
}
