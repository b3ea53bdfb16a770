use super::{ByteSize, Limit, Millis, Scalar, Secret};
use crate::channel::{DataFormat, DeltaType};
use crate::tree::{Leaf, Rejected};
use crate::value::Value;

fn text(text: &str) -> Value {
    Value::Text(text.to_owned())
}

fn read<T: Scalar>(given: &Value) -> Result<Option<T>, Rejected> {
    T::read(given, None)
}

#[test]
fn truth_values_are_those_of_go() {
    for yes in ["1", "t", "T", "TRUE", "true", "True"] {
        assert_eq!(read::<bool>(&text(yes)), Ok(Some(true)), "{yes}");
    }
    for no in ["", "0", "f", "F", "FALSE", "false", "False"] {
        assert_eq!(read::<bool>(&text(no)), Ok(None), "{no}");
    }
    for neither in ["yes", "on", "tRUE", "2", " true"] {
        assert_eq!(read::<bool>(&text(neither)), Err(Rejected), "{neither}");
    }
    assert_eq!(read::<bool>(&Value::Bool(true)), Ok(Some(true)));
    assert_eq!(read::<bool>(&Value::Integer(1)), Ok(Some(true)));
    assert_eq!(read::<bool>(&Value::Integer(2)), Err(Rejected));
}

#[test]
fn durations_are_those_of_go() {
    let cases = [
        ("25s", 25_000),
        ("1h30m", 5_400_000),
        ("250ms", 250),
        ("1.5s", 1500),
        (".5m", 30_000),
        ("0.1h", 360_000),
        ("2m0.5s", 120_500),
        ("1000us", 1),
        ("1000\u{b5}s", 1),
        ("1000000ns", 1),
        ("1500us", 1),
        ("-1s", -1000),
        ("+1s", 1000),
        ("720h", 2_592_000_000),
    ];
    for (written, millis) in cases {
        assert_eq!(
            read::<Millis>(&text(written)),
            Ok(Some(Millis(millis))),
            "{written}"
        );
    }
    for zero in ["", "0", "0s", "-0", "0h0m"] {
        assert_eq!(read::<Millis>(&text(zero)), Ok(None), "{zero:?}");
    }
    for wrong in [
        "25", "s", "-", "1 s", "1s ", "1S", "1d", ".s", "1s5", "--1s", "1e3s", "999us",
    ] {
        assert_eq!(read::<Millis>(&text(wrong)), Err(Rejected), "{wrong}");
    }
}

#[test]
fn a_bare_duration_counts_nanoseconds() {
    assert_eq!(
        read::<Millis>(&Value::Integer(25_000_000_000)),
        Ok(Some(Millis(25_000)))
    );
    assert_eq!(
        read::<Millis>(&Value::Integer(1_000_000)),
        Ok(Some(Millis(1)))
    );
    assert_eq!(read::<Millis>(&Value::Integer(25)), Err(Rejected));
    assert_eq!(read::<Millis>(&Value::Float(2.5)), Err(Rejected));
}

#[test]
fn durations_end_where_those_of_go_end() {
    assert!(read::<Millis>(&text("2562047h47m16s")).is_ok());
    assert_eq!(read::<Millis>(&text("2562047h47m17s")), Err(Rejected));
    let digits = "9".repeat(60);
    assert_eq!(read::<Millis>(&text(&format!("{digits}h"))), Err(Rejected));
    assert_eq!(
        read::<Millis>(&text(&format!("0.{digits}s"))),
        Ok(Some(Millis(999)))
    );
    assert_eq!(read::<Millis>(&Value::Integer(i128::MAX)), Err(Rejected));
}

#[test]
fn a_duration_is_shown_in_its_largest_whole_unit() {
    let shown = [
        (0, "0s"),
        (1, "1ms"),
        (1500, "1500ms"),
        (90_000, "90s"),
        (60_000, "1m"),
    ];
    for (millis, text) in shown {
        assert_eq!(Millis(millis).to_string(), text);
    }
    assert_eq!(Millis::from_secs(720 * 3600).to_string(), "720h");
    assert_eq!(Millis(-1000).to_string(), "-1s");
}

#[test]
fn only_a_positive_duration_is_one() {
    assert_eq!(Millis(0).duration(), None);
    assert_eq!(Millis(-1).duration(), None);
    assert_eq!(
        Millis(1).duration(),
        Some(std::time::Duration::from_millis(1))
    );
}

#[test]
fn numbers_may_be_texts_and_keep_their_bounds() {
    assert_eq!(read::<i64>(&text("-7")), Ok(Some(-7)));
    assert_eq!(read::<i64>(&Value::Float(3.0)), Ok(Some(3)));
    assert_eq!(read::<i64>(&Value::Float(3.5)), Err(Rejected));
    assert_eq!(read::<i64>(&Value::Float(f64::NAN)), Err(Rejected));
    assert_eq!(read::<i64>(&text("seven")), Err(Rejected));
    assert_eq!(
        read::<i64>(&Value::Integer(i128::from(i64::MAX) + 1)),
        Err(Rejected)
    );
    assert_eq!(read::<usize>(&Value::Integer(-1)), Err(Rejected));
    assert_eq!(read::<u16>(&text("8000")), Ok(Some(8000)));
    assert_eq!(read::<u16>(&Value::Integer(65_535)), Ok(Some(65_535)));
    assert_eq!(read::<u16>(&Value::Integer(65_536)), Err(Rejected));
    assert_eq!(read::<Option<u16>>(&text("9000")), Ok(Some(Some(9000))));
    assert_eq!(read::<Option<u16>>(&text("")), Ok(None));
    assert_eq!(u32::read(&Value::Integer(9), Some((1, 9))), Ok(Some(9)));
    assert_eq!(u32::read(&Value::Integer(10), Some((1, 9))), Err(Rejected));
}

#[test]
fn zero_leaves_the_default_and_negative_passes() {
    let mut limit = Limit(128);
    assert_eq!(limit.set(&Value::Integer(0), None), Ok(()));
    assert_eq!(limit.get(), Some(128));
    assert_eq!(limit.set(&Value::Integer(-1), None), Ok(()));
    assert_eq!(limit, Limit(-1));
    assert_eq!(limit.get(), None);

    let mut size = ByteSize(65_536);
    assert_eq!(size.set(&text("0"), None), Ok(()));
    assert_eq!(size.get(), Some(65_536));
    let mut prefix = "/health".to_owned();
    assert_eq!(prefix.set(&text(""), None), Ok(()));
    assert_eq!(prefix, "/health");
}

#[test]
fn lists_are_lists_or_have_spaces() {
    let both = vec!["a".to_owned(), "b".to_owned()];
    assert_eq!(read(&text(" a  b ")), Ok(Some(both.clone())));
    assert_eq!(
        read(&Value::List(vec![text("a"), text("b")])),
        Ok(Some(both))
    );
    assert_eq!(
        read::<Vec<String>>(&Value::List(vec![Value::Bool(true)])),
        Err(Rejected)
    );
    assert_eq!(read(&text("fossil")), Ok(Some(vec![DeltaType::Fossil])));
    assert_eq!(read::<Vec<DeltaType>>(&text("fossil gzip")), Err(Rejected));
    assert_eq!(read::<Vec<DeltaType>>(&Value::List(Vec::new())), Ok(None));
}

#[test]
fn keywords_are_exact() {
    assert_eq!(read(&text("json_object")), Ok(Some(DataFormat::JsonObject)));
    assert_eq!(read::<DataFormat>(&text("JSON")), Err(Rejected));
    assert_eq!(read::<DataFormat>(&text("")), Ok(None));
    assert_eq!(
        <DataFormat as Scalar>::expected(None),
        r#""" or "json" or "json_object" or "binary""#
    );
}

#[test]
fn numbers_may_stand_for_texts() {
    assert_eq!(
        read::<String>(&Value::Integer(42)),
        Ok(Some("42".to_owned()))
    );
    assert_eq!(read::<String>(&Value::Bool(true)), Err(Rejected));
}

#[test]
fn a_secret_is_never_printed() {
    let secret = Secret::new("letmein");
    assert_eq!(
        format!("{secret} {secret:?} {}", Scalar::shown(&secret)),
        "*** *** ***"
    );
    assert_eq!(secret.expose(), "letmein");
    assert_eq!(Scalar::shown(&Secret::default()), "\"\"");
    let mut config = crate::Config::default();
    config.client.token.hmac_secret_key = secret;
    assert!(!format!("{config:?}").contains("letmein"));
}
