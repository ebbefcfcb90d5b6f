//! JSONata, the second query language: expressions between `{%` and `%}`, anywhere in a state's fields.
//!
//! The language itself is the crate `jlens-core`, which can be held to a clock, a seed and limits from outside. Here is
//! what Step Functions makes of it: `$states`, its own functions, its limits, its words for what goes wrong.
//!
//! <https://docs.aws.amazon.com/step-functions/latest/dg/transforming-data.html>

mod evaluate;
mod functions;
mod numbers;
mod references;
mod template;

use jlens_core::NodeKind;

pub(crate) use evaluate::{Failed, Kind, Scope, States};
pub(crate) use references::{Available, References};
pub(crate) use template::Template;

/// An expression, read once and evaluated many times.
#[derive(Clone, Debug)]
pub(crate) struct Expression {
    /// As written, without its braces and the spaces next to them.
    text: String,
    program: jlens_core::Expression,
    references: References,
    /// Levels that the program nests deeper than the text does.
    wrapped: usize,
}

impl PartialEq for Expression {
    fn eq(&self, other: &Self) -> bool {
        self.text == other.text
    }
}

/// Why a text is refused when a state machine is created.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Problem {
    /// `{%` without `%}`, or the other way round.
    Unbalanced,
    /// It is no JSONata; the text says why.
    Invalid(String),
    /// JSONata that Step Functions does not take; the text says why.
    Unsupported(String),
}

/// What stands between the braces, if `text` is an expression and not just text.
pub(crate) fn enclosed(text: &str) -> Result<Option<&str>, Problem> {
    match (text.strip_prefix("{%"), text.strip_suffix("%}")) {
        (None, None) => Ok(None),
        (Some(rest), Some(_)) => match rest.strip_suffix("%}") {
            Some(expression) => Ok(Some(expression.trim())),
            None => Err(Problem::Unbalanced),
        },
        _ => Err(Problem::Unbalanced),
    }
}

impl Expression {
    /// Reads an expression. What is wrong goes to `problems`, and may be several things.
    pub(crate) fn parse(text: &str, available: Available, problems: &mut Vec<Problem>) -> Option<Self> {
        let parsed = match jlens_core::Expression::compile(text) {
            Ok(parsed) => parsed,
            Err(why) => {
                problems.push(Problem::Invalid(why.message()));
                return None;
            }
        };
        let references = References::of(&parsed.ast().root, available, problems);
        // A list's duplicates are found by comparing each with each; above a thousand items that is left to a set.
        let (program, wrapped) = if references.names.contains("distinct") {
            let around = format!(
                "($asl_few := $distinct; $distinct := function($array) {{ $count($array) > 1000 ? $asl_many($array) : $asl_few($array) }}; {text}\n)"
            );
            match jlens_core::Expression::compile(&around) {
                Ok(program) => (program, 2),
                Err(_) => (parsed, 0),
            }
        } else {
            (parsed, 0)
        };
        Some(Self {
            text: text.to_owned(),
            program,
            references,
            wrapped,
        })
    }

    /// The variables it reads that it does not bind itself, without functions and `$states`.
    pub(crate) fn variables(&self) -> impl Iterator<Item = &str> {
        let function = |name: &str| {
            functions::OURS.contains(&name)
                || jlens_core::function_catalog()
                    .iter()
                    .any(|known| known.name == name)
        };
        self.references
            .names
            .iter()
            .map(String::as_str)
            .filter(move |name| *name != "states" && !function(name))
    }
}

/// Operators that came after JSONata 2.0.6, the version that Step Functions runs.
fn is_newer(kind: &NodeKind) -> Option<&'static str> {
    match kind {
        NodeKind::Fallback { op, .. } => Some(match op.symbol() {
            "?:" => ":",
            _ => "?",
        }),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn problems(text: &str) -> Vec<Problem> {
        let mut problems = Vec::new();
        Expression::parse(text, Available::default(), &mut problems);
        problems
    }

    #[test]
    fn braces_close_what_they_open() {
        assert_eq!(enclosed("text"), Ok(None));
        assert_eq!(enclosed("{%  $x %}"), Ok(Some("$x")));
        assert_eq!(enclosed("{%%}"), Ok(Some("")));
        for bad in ["{% $x", "$x %}", " {% $x %}", "{% $x %} ", "{%}"] {
            assert_eq!(enclosed(bad), Err(Problem::Unbalanced), "{bad}");
        }
        assert_eq!(enclosed(" {% $x %} "), Ok(None));
    }

    #[test]
    fn what_cannot_be_read_is_refused_in_the_words_of_jsonata() {
        for (text, why) in [
            ("a[1,2)", "Expected \"]\", got \",\""),
            ("1 +", "Unexpected end of expression"),
            ("", "Unexpected end of expression"),
            ("{\"a\":}", "The symbol \"}\" cannot be used as a unary operator"),
            ("\"x", "String literal must be terminated by a matching quote"),
            ("$x ?? 1", "The symbol \"?\" cannot be used as a unary operator"),
            ("$x ?: 1", "The symbol \":\" cannot be used as a unary operator"),
        ] {
            assert_eq!(problems(text), [Problem::Invalid(why.into())], "{text}");
        }
    }

    #[test]
    fn there_is_nothing_at_the_top_but_variables() {
        let top = |name: &str| {
            Problem::Unsupported(format!(
                "Reference to '{name}' at the top level is not supported."
            ))
        };
        assert_eq!(problems("phone"), [top("phone")]);
        assert_eq!(
            problems("phone.number & name & phone"),
            [top("phone"), top("name")]
        );
        assert_eq!(problems("$"), [top("$")]);
        assert_eq!(problems("$map($states.input.a, function($x) { b })"), [top("b")]);
        assert_eq!(
            problems("$$"),
            [Problem::Unsupported("Reference to '$$' is not supported.".into())]
        );
        for good in [
            "$states.input.items[value > 3 and $ != 0].price",
            "$states.input.items^(>price).{'name': name}",
            "$states.input{kind: $sum(price)}",
            "$states.input ~> |items|{'a': b}, 'c'|",
            "($x := $states.input; $x.a.(b + c))",
            "$sum($states.input.items.(price * quantity))",
            "$filter($items, function($item) { $item.x })",
        ] {
            assert_eq!(problems(good), [], "{good}");
        }
    }

    #[test]
    fn states_has_only_what_there_is() {
        let missing = |field: &str| Problem::Unsupported(format!("Field '$states.{field}' does not exist."));
        assert_eq!(problems("$states.result.x"), [missing("result")]);
        assert_eq!(problems("$states.errorOutput"), [missing("errorOutput")]);
        assert_eq!(problems("$states.inptu"), [missing("inptu")]);
        assert_eq!(problems("$states.context.State.Name"), []);
        let mut problems = Vec::new();
        let available = Available {
            result: true,
            error_output: false,
        };
        Expression::parse("$states.result.x", available, &mut problems);
        assert_eq!(problems, []);
    }

    #[test]
    fn the_variables_are_those_it_does_not_bind_itself() {
        let mut problems = Vec::new();
        let text = "($a := $x; $map($y, function($i) { $i + $a + $sum($z) + $states.input.q#$p.($p) + $parse('1') }))";
        let expression = Expression::parse(text, Available::default(), &mut problems).unwrap();
        assert_eq!(expression.variables().collect::<Vec<_>>(), ["x", "y", "z"]);
    }
}
