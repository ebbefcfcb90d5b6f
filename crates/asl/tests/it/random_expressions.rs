//! Paths, intrinsic functions and JSONata made at random: most of them by the grammar, some not.

use crate::random_cases::Dice;

/// Text that has brought programs down.
pub(crate) fn text(dice: &mut Dice) -> String {
    let odd = [
        "",
        "\u{0}",
        "\u{feff}",
        "\u{202e}gnp",
        "👩‍👩‍👧",
        "e\u{301}",
        "ß",
        "𝒳",
        "\u{ffff}",
        "'",
        "\\",
        "\"",
        "$$",
        "{%",
        "%}",
        "{%%}",
        "null",
        "1e400",
        "-0",
        "2026-11-21T09:00:00Z",
        "+999999999-01-01T00:00:00Z",
        "a.b",
        "$.",
        "*",
        "\\*",
        "*a*a*a*b",
        "{}",
        "\\{",
        "İ",
        "9223372036854775808",
        "=",
        "aGk=",
        "SHA-256",
        "\r\n",
        "\u{7f}",
        "ﬁ",
        "a\u{0}b",
        "constructor",
        "__proto__",
    ];
    match dice.below(12) {
        0 => dice.pick(&odd).repeat(1 + dice.below(300)),
        1 => odd.iter().map(|_| *dice.pick(&odd)).collect(),
        _ => format!("{}{}", dice.pick(&odd), dice.pick(&odd)),
    }
}

fn integer(dice: &mut Dice) -> String {
    let odd = [
        "0",
        "1",
        "-1",
        "2",
        "7",
        "9223372036854775807",
        "-9223372036854775808",
        "18446744073709551616",
        "99999999",
        "-0",
        "1000",
    ];
    (*dice.pick(&odd)).to_owned()
}

fn float(dice: &mut Dice) -> String {
    let odd = [
        "0.5",
        "1e308",
        "-1e308",
        "1e400",
        "1e-400",
        "123456789012345678901234567890",
        "0.1",
        "-1.5",
        "3",
    ];
    (*dice.pick(&odd)).to_owned()
}

fn quoted(dice: &mut Dice) -> String {
    if dice.once_in(8) {
        return format!("'{}'", text(dice));
    }
    format!(
        "'{}'",
        dice.pick(&[
            "a",
            "b",
            "x y",
            "{}",
            "{} {}",
            "\\'",
            "\\\\",
            "\\{",
            "ä",
            ",",
            "SHA-1",
            "[1, {\"a\": 2}]"
        ])
    )
}

/// What may stand in a template.
pub(crate) fn expression(dice: &mut Dice) -> String {
    match dice.below(10) {
        0..4 => path(dice, 3),
        4..8 => call(dice, 4),
        8 => format!("{{% {} %}}", jsonata(dice, 3)),
        _ => soup(
            dice,
            &[
                "$", "$$", ".", "..", "[", "]", "*", "?", "(", ")", "@", "'", "\\", ",", ":", "-", "1", "a",
                "==", "&&", "!", "States.", "Format",
            ],
        ),
    }
}

/// Pieces without a grammar.
fn soup(dice: &mut Dice, pieces: &[&str]) -> String {
    (0..dice.below(14)).map(|_| *dice.pick(pieces)).collect()
}

/// A JSONPath.
pub(crate) fn path(dice: &mut Dice, levels: usize) -> String {
    let mut path = (*dice.pick(&["$", "$", "$", "$", "$$", "$$.Execution.Input", "$v"])).to_owned();
    if dice.once_in(2000) {
        return format!(
            "{path}{}",
            dice.pick(&["..*", "[0]", ".a", "[*]", "..a", "[0:]"])
                .repeat(dice.below(300))
        );
    }
    if dice.once_in(2000) {
        return format!("$.items[{}0]", "0,".repeat(dice.below(50_000)));
    }
    for _ in 0..dice.below(4) {
        let segment = match dice.below(10) {
            0..3 => format!(
                ".{}",
                dice.pick(&["a", "b", "n", "items", "c", "ä", "x y", "Map"])
            ),
            3 => format!("[{}]", integer(dice)),
            4 => format!("[{}:{}:{}]", integer(dice), integer(dice), integer(dice)),
            5 => format!("[{},{}]", integer(dice), integer(dice)),
            6 => (*dice.pick(&["[*]", ".*", "..*", "..a", "..[0]", "..['a']"])).to_owned(),
            7 => format!("[{}, {}]", quoted(dice), quoted(dice)),
            8 if levels > 0 => format!("[?({})]", filter(dice, levels - 1)),
            _ => format!("[{}]", quoted(dice)),
        };
        path.push_str(&segment);
    }
    path
}

fn filter(dice: &mut Dice, levels: usize) -> String {
    let side = |dice: &mut Dice| match dice.below(4) {
        0 => path(dice, levels).replacen('$', "@", 1),
        1 => path(dice, levels),
        2 => quoted(dice),
        _ => float(dice),
    };
    match dice.below(6) {
        0 => side(dice),
        1 => format!("!{}", side(dice)),
        2 if levels > 0 => format!("({}) && {}", filter(dice, levels - 1), filter(dice, levels - 1)),
        3 if levels > 0 => format!("{} || !({})", filter(dice, levels - 1), filter(dice, levels - 1)),
        4 if dice.once_in(200) => format!("{}@.a", "!".repeat(dice.below(5000))),
        _ => format!(
            "{} {} {}",
            side(dice),
            dice.pick(&["==", "!=", "<", "<=", ">", ">=", "=~"]),
            side(dice)
        ),
    }
}

/// An intrinsic function.
fn call(dice: &mut Dice, levels: usize) -> String {
    let functions = [
        "Array",
        "ArrayContains",
        "ArrayGetItem",
        "ArrayLength",
        "ArrayPartition",
        "ArrayRange",
        "ArrayUnique",
        "Base64Decode",
        "Base64Encode",
        "Format",
        "Hash",
        "JsonMerge",
        "JsonToString",
        "MathAdd",
        "MathRandom",
        "StringSplit",
        "StringToJson",
        "UUID",
        "None",
    ];
    let takes = [2, 2, 2, 1, 2, 3, 1, 1, 1, 2, 2, 3, 1, 2, 3, 2, 1, 0, 1];
    let at = dice.below(functions.len());
    let count = if dice.once_in(12) {
        dice.below(5)
    } else {
        takes[at]
    };
    let arguments: Vec<String> = (0..count)
        .map(|_| match dice.below(8) {
            0 => quoted(dice),
            1 => integer(dice),
            2 => float(dice),
            3 => (*dice.pick(&["true", "false", "null"])).to_owned(),
            4 | 5 if levels > 0 => call(dice, levels - 1),
            _ => path(dice, 2),
        })
        .collect();
    if dice.once_in(2000) {
        return format!("{}1{}", "States.Array(".repeat(5000), ")".repeat(5000));
    }
    format!(
        "States.{}({})",
        functions[at],
        arguments.join(*dice.pick(&[",", ", "]))
    )
}

/// A JSONata expression.
pub(crate) fn jsonata(dice: &mut Dice, levels: usize) -> String {
    if dice.once_in(25) {
        return soup(
            dice,
            &[
                "$", "(", ")", "[", "]", "{", "}", "function", "$x", ":=", "~>", "^", "%", "**", "?", ":",
                "'", "\"", "/a/", ".", "..", "@", "#", "and", "in", "λ", "|", "&", "1", "-", "`a`", ";", ",",
            ],
        );
    }
    if dice.once_in(1500) {
        let (one, other) = *dice.pick(&[
            ("(", ")"),
            ("[", "]"),
            ("-", ""),
            ("$f(", ")"),
            ("{'a':", "}"),
            ("a.", "a"),
            ("1+", "1"),
            ("not ", ""),
        ]);
        let count = dice.below(20_000);
        return format!("{}1{}", one.repeat(count), other.repeat(count));
    }
    if levels == 0 {
        return match dice.below(7) {
            0 => integer(dice),
            1 => float(dice),
            2 => format!("{:?}", text(dice)),
            3 => (*dice.pick(&[
                "true",
                "null",
                "$",
                "$$",
                "a",
                "*",
                "**",
                "%",
                "$states",
                "$v",
                "$undefined",
            ]))
            .to_owned(),
            4 => quoted(dice),
            _ => (*dice.pick(&[
                "$states.input",
                "$states.input.a",
                "$states.input.items",
                "$states.result",
                "$states.context",
                "$states.errorOutput",
            ]))
            .to_owned(),
        };
    }
    let inner = |dice: &mut Dice| jsonata(dice, levels - 1);
    match dice.below(16) {
        0 => format!(
            "{} {} {}",
            inner(dice),
            dice.pick(&[
                "+", "-", "*", "/", "%", "&", "=", "!=", "<", ">=", "and", "or", "in", "~>", "..", ":=", "^("
            ]),
            inner(dice)
        ),
        1 => format!("({}).{}", inner(dice), inner(dice)),
        2 => format!("({})[{}]", inner(dice), inner(dice)),
        3 => format!("[{}, {}]", inner(dice), inner(dice)),
        4 => format!("{{'a': {}, {}: {}}}", inner(dice), inner(dice), inner(dice)),
        5 => format!("({} ? {} : {})", inner(dice), inner(dice), inner(dice)),
        6 => format!("($x := {}; $x + {})", inner(dice), inner(dice)),
        7 => format!("$map({}, function($v, $i) {{ {} }})", inner(dice), inner(dice)),
        8 => format!(
            "$reduce([1..{}], function($a, $b) {{ {} }})",
            integer(dice),
            inner(dice)
        ),
        9 => format!("({})^(<{})", inner(dice), inner(dice)),
        10 => format!("({}){{{}: {}}}", inner(dice), inner(dice), inner(dice)),
        11 => format!("[{}..{}]", inner(dice), inner(dice)),
        12 => (*dice.pick(&[
            "($f := function() { $f() }; $f())",
            "($f := function($n) { $f($n & $n) }; $f('ab'))",
            "$range(0, 1e9, 1)",
            "$partition([1..1000], 0)",
            "[1..10000000]",
            "$pad('', 1e9)",
            "$replace('aaaa', /a*/, 'b')",
            "$match('aaaaaaaaaaaaaaaaaaaaaaaaa!', /(a+)+$/)",
            "$random()",
            "$uuid()",
            "$hash('x', 'MD5')",
            "$parse('[1')",
            "$eval('1')",
            "$toMillis('x')",
            "$formatInteger(1e30, 'w')",
            "$formatNumber(1, '0e0')",
            "$fromMillis(1e300)",
            "$power(10, 1000)",
            "$sqrt(-1)",
            "$join(['a'], 1)",
            "$zip()",
            "$sift({'a': 1}, $boolean)",
            "$split('a', '')",
        ]))
        .to_owned(),
        _ => {
            let functions = [
                "string",
                "number",
                "count",
                "sum",
                "max",
                "sort",
                "reverse",
                "distinct",
                "keys",
                "merge",
                "spread",
                "type",
                "exists",
                "not",
                "boolean",
                "length",
                "trim",
                "uppercase",
                "substring",
                "split",
                "join",
                "contains",
                "base64encode",
                "base64decode",
                "round",
                "floor",
                "abs",
                "power",
                "formatNumber",
                "formatBase",
                "formatInteger",
                "parseInteger",
                "fromMillis",
                "toMillis",
                "now",
                "append",
                "lookup",
                "each",
                "pad",
                "replace",
                "match",
                "error",
                "assert",
                "partition",
                "range",
                "hash",
                "parse",
                "encodeUrl",
                "decodeUrlComponent",
                "zip",
                "single",
                "filter",
            ];
            let arguments: Vec<String> = (0..dice.below(4)).map(|_| inner(dice)).collect();
            format!("${}({})", dice.pick(&functions), arguments.join(", "))
        }
    }
}
