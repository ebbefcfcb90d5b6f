//! Large machines, and machines inside machines.

use super::*;
use serde_json::json;

#[test]
fn a_machine_of_two_hundred_states_is_drawn_whole() {
    let mut states = json!({});
    for n in 0..200 {
        let inner = json!({"StartAt": format!("I{n}"), "States": {format!("I{n}"): {"Type": "Succeed"}}});
        let way = json!({"Variable": "$.x", "IsPresent": true, "Next": format!("S{}", (n * 7) % 200)});
        states[format!("S{n}")] = match n % 4 {
            0 => json!({"Type": "Choice", "Choices": [way], "Default": format!("S{}", n + 1)}),
            1 => json!({"Type": "Map", "Next": format!("S{}", n + 1), "ItemProcessor": inner}),
            2 => {
                json!({"Type": "Task", "Next": format!("S{}", n + 1), "Catch": [{"ErrorEquals": ["E"], "Next": "S199"}]})
            }
            _ if n == 199 => json!({"Type": "Succeed"}),
            _ => json!({"Type": "Pass", "Next": format!("S{}", n + 1)}),
        };
    }
    let outline = Outline::read(&json!({"StartAt": "S0", "States": states}).to_string()).expect("an outline");
    let drawing = Drawing::of(&outline);
    assert_eq!((drawing.nodes.len(), drawing.dots.len()), (250, 2));
    let inside = |place: &Rectangle| {
        place.x > -0.1
            && place.y > -0.1
            && place.x + place.width < drawing.size.0 + 0.1
            && place.y + place.height < drawing.size.1 + 0.1
    };
    assert!(drawing.nodes.iter().all(|node| inside(&node.place)));
    // Each way out is there: 50 rules, 50 defaults, 50 catches, 149 others, the begin and the end.
    assert_eq!(drawing.edges.len(), 301, "{:?}", drawing.size);
    let graph = coloured(&drawing, "large".to_owned(), &[], &HashMap::new())
        .render()
        .expect("SVG");
    assert_eq!(graph.matches("not reached").count(), 500);
}

#[test]
fn names_in_branches_fall_under_their_container() {
    let branch = |name: &str| json!({"StartAt": name, "States": {name: {"Type": "Pass", "End": true}}});
    let definition = json!({"StartAt": "All", "States": {"All": {"Type": "Parallel", "End": true,
        "Branches": [branch("One"), branch("A name that is much too long for any box to hold it in one line"), branch("Three")]}}});
    let drawing = Drawing::of(&Outline::read(&definition.to_string()).expect("an outline"));
    let place = |name: &str| {
        drawing
            .nodes
            .iter()
            .find(|node| node.name.starts_with(name))
            .expect("a node")
            .place
    };
    let (all, one, long, three) = (place("All"), place("One"), place("A name"), place("Three"));
    assert!(
        one.x + one.width < long.x && long.x + long.width < three.x,
        "{one:?} {long:?} {three:?}"
    );
    for inner in [one, long, three] {
        assert!(
            inner.x > all.x && inner.x + inner.width < all.x + all.width,
            "{inner:?} in {all:?}"
        );
        assert!(
            inner.y > all.y + 40.0 && inner.y + inner.height < all.y + all.height,
            "{inner:?} in {all:?}"
        );
    }
    assert_eq!(drawing.frames.len(), 3);
}
