use proptest::prelude::*;

use super::*;

#[test]
fn every_comparison() {
    let tags = tags(&[("t", "abc"), ("n", "10.5"), ("e", ""), ("", "empty key")]);
    for (key, cmp, val, expected) in [
        ("t", "eq", "abc", true),
        ("t", "eq", "ab", false),
        ("absent", "eq", "abc", false),
        ("t", "neq", "abc", false),
        ("t", "neq", "ab", true),
        ("absent", "neq", "abc", true),
        ("t", "ex", "", true),
        ("e", "ex", "", true),
        ("absent", "ex", "", false),
        ("", "ex", "", true),
        ("t", "nex", "", false),
        ("absent", "nex", "", true),
        ("t", "sw", "ab", true),
        ("t", "sw", "bc", false),
        ("absent", "sw", "a", false),
        ("t", "ew", "bc", true),
        ("t", "ew", "ab", false),
        ("absent", "ew", "a", false),
        ("t", "ct", "b", true),
        ("t", "ct", "x", false),
        ("absent", "ct", "a", false),
        ("n", "gt", "10.49", true),
        ("n", "gt", "10.50", false),
        ("n", "gte", "10.50", true),
        ("n", "gte", "10.51", false),
        ("n", "lt", "10.51", true),
        ("n", "lt", "10.50", false),
        ("n", "lte", "10.50", true),
        ("n", "lte", "10.49", false),
        ("n", "gt", "-11", true),
        ("n", "lt", "9", false),
        ("absent", "gt", "0", false),
        ("absent", "lte", "0", false),
        ("t", "gt", "0", false),
        ("t", "lt", "0", false),
        ("n", "gt", "abc", false),
        ("n", "lte", "abc", false),
        ("n", "gt", "1e1", false),
    ] {
        let filter = Filter::compile(&leaf(key, cmp, val, &[])).unwrap();
        assert_eq!(filter.matches(&tags), expected, "{key} {cmp} {val}");
    }
    for (key, cmp, vals, expected) in [
        ("t", "in", &["x", "abc", "a"][..], true),
        ("t", "in", &["x", "a"], false),
        ("absent", "in", &["x"], false),
        ("absent", "in", &["x", ""], true),
        ("t", "nin", &["x", "abc"], false),
        ("t", "nin", &["x"], true),
        ("absent", "nin", &["x"], true),
        ("absent", "nin", &["", "x"], false),
    ] {
        let filter = Filter::compile(&leaf(key, cmp, "", vals)).unwrap();
        assert_eq!(filter.matches(&tags), expected, "{key} {cmp} {vals:?}");
    }
}

#[test]
fn and_or_not() {
    let yes = || leaf("t", "ex", "", &[]);
    let no = || leaf("t", "nex", "", &[]);
    let tags = tags(&[("t", "x")]);
    for (filter, expected) in [
        (branch("and", [yes()]), true),
        (branch("and", [yes(), yes()]), true),
        (branch("and", [yes(), no()]), false),
        (branch("or", [no(), yes()]), true),
        (branch("or", [no(), no()]), false),
        (branch("not", [no()]), true),
        (branch("not", [yes()]), false),
        (
            branch("not", [branch("or", [no(), branch("and", [yes(), no()])])]),
            true,
        ),
        (branch("not", [leaf("t", "gt", "1", &[])]), true),
    ] {
        let compiled = Filter::compile(&filter).unwrap();
        assert_eq!(compiled.matches(&tags), expected, "{filter:?}");
    }
}

#[test]
fn malformed_filters_are_bad_requests() {
    let fine = || leaf("t", "ex", "", &[]);
    let mut malformed = vec![
        FilterNode::default(),
        leaf("t", "", "x", &[]),
        leaf("t", "zzz", "x", &[]),
        leaf("t", "EQ", "x", &[]),
        branch("xor", [fine()]),
        branch("AND", [fine()]),
        branch("and", []),
        branch("or", []),
        branch("not", []),
        branch("not", [fine(), fine()]),
        branch("and", [fine(), leaf("t", "zzz", "", &[])]),
        branch("not", [FilterNode::default()]),
    ];
    for cmp in ["eq", "neq", "sw", "ew", "ct", "gt", "gte", "lt", "lte"] {
        malformed.push(leaf("t", cmp, "", &[]));
        malformed.push(leaf("", cmp, "x", &[]));
        malformed.push(leaf("t", cmp, "x", &["x"]));
    }
    for cmp in ["in", "nin"] {
        malformed.push(leaf("t", cmp, "", &[]));
        malformed.push(leaf("", cmp, "", &["x"]));
        malformed.push(leaf("t", cmp, "x", &["x"]));
    }
    for cmp in ["ex", "nex"] {
        malformed.push(leaf("t", cmp, "x", &[]));
        malformed.push(leaf("t", cmp, "", &["x"]));
    }
    for filter in malformed {
        assert_eq!(
            Filter::compile(&filter).err(),
            Some(Error::BAD_REQUEST),
            "{filter:?}"
        );
    }
}

#[test]
fn depth_has_a_limit() {
    let nested = |levels: usize| {
        (1..levels).fold(leaf("t", "ex", "", &[]), |inner, _| branch("not", [inner]))
    };
    for (levels, is_fine) in [
        (1, true),
        (FILTER_DEPTH_MAX - 1, true),
        (FILTER_DEPTH_MAX, true),
        (FILTER_DEPTH_MAX + 1, false),
        (1000, false),
    ] {
        let compiled = Filter::compile(&nested(levels));
        assert_eq!(compiled.is_ok(), is_fine, "{levels}");
        assert!(
            compiled
                .err()
                .is_none_or(|error| error == Error::BAD_REQUEST)
        );
    }
}

proptest! {
    #[test]
    fn any_filter_is_refused_or_means_what_it_says(node in node(), tags in any_tags()) {
        match Filter::compile(&node) {
            Ok(filter) => prop_assert_eq!(Some(filter.matches(&tags)), meaning(&node, &tags)),
            Err(error) => {
                prop_assert_eq!(error, Error::BAD_REQUEST);
                prop_assert_eq!(meaning(&node, &tags), None);
            }
        }
    }

    #[test]
    fn any_text_anywhere_is_survived(
        texts in proptest::array::uniform4(any::<String>()),
        vals in any::<Vec<String>>(),
        cmp in cmp(),
    ) {
        let [key, val, tag, op] = texts;
        let node = FilterNode { op: String::new(), key: key.clone(), cmp, val, vals, ..FilterNode::default() };
        if let Ok(filter) = Filter::compile(&node) {
            let tags = BTreeMap::from([(key, tag)]);
            prop_assert_eq!(Some(filter.matches(&tags)), meaning(&node, &tags));
        }
        prop_assert_eq!(Filter::compile(&FilterNode { op, ..FilterNode::default() }).is_err(), true);
    }
}

/// The specification read aloud: slow, with whole numbers for decimals; `None`: malformed.
fn meaning(node: &FilterNode, tags: &BTreeMap<String, String>) -> Option<bool> {
    let children: Option<Vec<bool>> = node.nodes.iter().map(|node| meaning(node, tags)).collect();
    match node.op.as_str() {
        "" => {}
        "and" => {
            return children
                .filter(|all| !all.is_empty())
                .map(|all| !all.contains(&false));
        }
        "or" => {
            return children
                .filter(|all| !all.is_empty())
                .map(|all| all.contains(&true));
        }
        "not" => return children.filter(|all| all.len() == 1).map(|all| !all[0]),
        _ => return None,
    }
    let (has_key, has_val, has_vals) = (
        !node.key.is_empty(),
        !node.val.is_empty(),
        !node.vals.is_empty(),
    );
    let is_well_formed = match node.cmp.as_str() {
        "in" | "nin" => has_key && !has_val && has_vals,
        "ex" | "nex" => !has_val && !has_vals,
        _ => has_key && has_val && !has_vals,
    };
    if !is_well_formed {
        return None;
    }
    let tag = tags.get(&node.key);
    let has = |test: &dyn Fn(&str) -> bool| tag.is_some_and(|tag| test(tag));
    let is_listed = node.vals.contains(&tag.cloned().unwrap_or_default());
    let number = |test: &dyn Fn(i128, i128) -> bool| {
        has(&|tag| {
            Some((scaled(tag), scaled(&node.val)))
                .is_some_and(|pair| matches!(pair, (Some(tag), Some(val)) if test(tag, val)))
        })
    };
    Some(match node.cmp.as_str() {
        "eq" => has(&|tag| tag == node.val),
        "neq" => !has(&|tag| tag == node.val),
        "in" => is_listed,
        "nin" => !is_listed,
        "ex" => tag.is_some(),
        "nex" => tag.is_none(),
        "sw" => has(&|tag| tag.starts_with(&node.val)),
        "ew" => has(&|tag| tag.ends_with(&node.val)),
        "ct" => has(&|tag| tag.contains(&node.val)),
        "gt" => number(&|tag, val| tag > val),
        "gte" => number(&|tag, val| tag >= val),
        "lt" => number(&|tag, val| tag < val),
        "lte" => number(&|tag, val| tag <= val),
        _ => return None,
    })
}

/// A short decimal number as multiples of 10⁻¹⁹.
fn scaled(text: &str) -> Option<i128> {
    let (sign, unsigned) = match text.split_at_checked(1) {
        Some(("-", rest)) => (-1, rest),
        Some(("+", rest)) => (1, rest),
        _ => (1, text),
    };
    let (whole, fraction) = unsigned.split_once('.').unwrap_or((unsigned, "0"));
    let are_digits =
        |text: &str| !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    if !are_digits(whole) || !are_digits(fraction) || fraction.len() > 19 {
        return None;
    }
    let digits = format!("{whole}{fraction:0<19}");
    digits.parse::<i128>().ok().map(|size| sign * size)
}

fn cmp() -> impl Strategy<Value = String> {
    let all = [
        "eq", "neq", "in", "nin", "ex", "nex", "sw", "ew", "ct", "gt", "gte", "lt", "lte", "", "zz",
    ];
    prop::sample::select(all.to_vec()).prop_map(str::to_owned)
}

fn text() -> impl Strategy<Value = String> {
    let few = [
        "", "a", "ab", "b", "1", "1.0", "-1", "0.9", "10", "1e1", ".",
    ];
    prop::sample::select(few.to_vec()).prop_map(str::to_owned)
}

fn any_tags() -> impl Strategy<Value = BTreeMap<String, String>> {
    prop::collection::btree_map(
        prop::sample::select(vec!["", "k", "l"]).prop_map(str::to_owned),
        text(),
        0..3,
    )
}

/// Mostly well formed, so that both outcomes come up.
fn node() -> impl Strategy<Value = FilterNode> {
    let key = prop::sample::select(vec!["k", "k", "l", "l", ""]).prop_map(str::to_owned);
    let vals = prop_oneof![3 => Just(Vec::new()), 1 => prop::collection::vec(text(), 1..3)];
    let leaf = (key, cmp(), text(), vals).prop_map(|(key, cmp, val, vals)| {
        let is_list = cmp == "in" || cmp == "nin";
        FilterNode {
            val: if is_list { String::new() } else { val },
            vals,
            key,
            cmp,
            ..FilterNode::default()
        }
    });
    leaf.prop_recursive(4, 12, 3, |inner| {
        let op = prop::sample::select(vec!["and", "or", "not", "not", "nand"]);
        (op, prop::collection::vec(inner, 0..3)).prop_map(|(op, nodes)| FilterNode {
            op: op.to_owned(),
            nodes,
            ..FilterNode::default()
        })
    })
}

fn leaf(key: &str, cmp: &str, val: &str, vals: &[&str]) -> FilterNode {
    FilterNode {
        key: key.to_owned(),
        cmp: cmp.to_owned(),
        val: val.to_owned(),
        vals: vals.iter().map(|&val| val.to_owned()).collect(),
        ..FilterNode::default()
    }
}

fn branch<const N: usize>(op: &str, nodes: [FilterNode; N]) -> FilterNode {
    FilterNode {
        op: op.to_owned(),
        nodes: nodes.into(),
        ..FilterNode::default()
    }
}

fn tags(pairs: &[(&str, &str)]) -> BTreeMap<String, String> {
    let owned = |&(key, value): &(&str, &str)| (key.to_owned(), value.to_owned());
    pairs.iter().map(owned).collect()
}
