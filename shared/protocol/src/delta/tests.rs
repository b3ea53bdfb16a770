use std::fmt::Write as _;

use proptest::collection::vec;
use proptest::prelude::{Strategy, any, prop_assert, prop_assert_eq, proptest};

use super::*;

fn publication(offset: u64, payload: &str) -> Publication {
    Publication {
        data: Bytes::copy_from_slice(payload.as_bytes()),
        offset,
        ..Publication::default()
    }
}

/// What a client of the format reads: the payload, or the patch.
fn content(format: Format, publication: &Publication) -> Vec<u8> {
    match format {
        Format::Protobuf => publication.data.to_vec(),
        Format::Json => json::string_content(&publication.data)
            .expect("delta subscriptions get strings")
            .into_bytes(),
    }
}

/// A document of a few hundred bytes, some of them in characters of several bytes.
fn document(words: &[&str]) -> String {
    let mut text = String::from("{\"text\":\"");
    for word in words {
        write!(text, "{word} ").expect("a string takes everything");
    }
    text + "\"}"
}

fn words() -> impl Strategy<Value = Vec<&'static str>> {
    let vocabulary = vec![
        "goal",
        "мяч",
        "гол",
        "😀😁",
        "минута",
        "a",
        "élan",
        "0",
        "日本語",
    ];
    vec(proptest::sample::select(vocabulary), 0..80)
}

#[test]
fn a_patch_of_a_random_edit_applies_and_is_text() {
    let config = proptest::test_runner::Config::with_cases(500);
    proptest!(config, |(before in words(), edits in vec((any::<usize>(), words()), 0..4))| {
        let mut after = before.clone();
        for (at, replacement) in edits {
            let at = at % (after.len() + 1);
            let end = (at + replacement.len() % 3).min(after.len());
            after.splice(at..end, replacement.into_iter().take(5));
        }
        let (base, target) = (document(&before), document(&after));
        if let Some(patch) = create(base.as_bytes(), target.as_bytes()) {
            prop_assert!(patch.len() < target.len());
            prop_assert!(std::str::from_utf8(&patch).is_ok());
            prop_assert_eq!(apply(base.as_bytes(), &patch), Ok(target.into_bytes()));
        }
    });
}

#[test]
fn a_patch_of_any_bytes_applies() {
    let bytes = || {
        vec(
            proptest::sample::select(vec![b'a', b'b', 0x80, 0xd0, 0xff]),
            0..300,
        )
    };
    proptest!(|(head in bytes(), old in bytes(), new in bytes(), tail in bytes())| {
        let base = [head.clone(), old, tail.clone()].concat();
        let target = [tail, new, head].concat();
        if let Some(patch) = create(&base, &target) {
            prop_assert!(patch.len() < target.len());
            prop_assert_eq!(apply(&base, &patch), Ok(target));
        }
    });
}

#[test]
fn a_patch_is_small_where_little_changed() {
    let base = "0123456789".repeat(140);
    let swapped = format!("{}{}", &base[700..], "x".repeat(20)) + &base[..700];
    let patches = [
        (base.clone(), 20, "nothing changed"),
        (base.replacen('5', "five", 1), 40, "at the beginning"),
        (base.clone() + "!", 20, "at the end"),
        (swapped, 60, "moved"),
    ];
    for (target, len_max, what) in patches {
        let patch = create(base.as_bytes(), target.as_bytes()).expect(what);
        assert!(patch.len() <= len_max, "{what}: {} bytes", patch.len());
        assert_eq!(apply(base.as_bytes(), &patch), Ok(target.into_bytes()));
    }
}

#[test]
fn there_is_no_patch_that_is_not_shorter() {
    let pairs = [
        ("", ""),
        ("", "abc"),
        ("abc", ""),
        ("{\"a\":1}", "{\"a\":1}"),
        ("abc", "xyz"),
        ("0123456789abcdefghij", "ABCDEFGHIJKLMNOPQRST"),
    ];
    for (base, target) in pairs {
        assert_eq!(
            create(base.as_bytes(), target.as_bytes()),
            None,
            "{base} {target}"
        );
    }
}

#[test]
fn boundaries_lie_between_characters() {
    // The changed letters differ in their second byte only: «ю» is d1 8e, «я» is d1 8f.
    let base = "Съешь ещё этих мягких французских булок, да выпей чаю, ю, и ещё чаю";
    let target = base.replace('ю', "я");
    let patch = create(base.as_bytes(), target.as_bytes()).expect("little changed");
    assert!(std::str::from_utf8(&patch).is_ok());
    assert_eq!(apply(base.as_bytes(), &patch), Ok(target.into_bytes()));
}

#[test]
fn known_patches_apply() {
    let base = b"the quick brown fox";
    // «quick» from place 4, then «er»: 0x71756963 + 0x6b657200 = 0xdcdadb63.
    assert_eq!(apply(base, b"7\n5@4,2:er3SriiZ;"), Ok(b"quicker".to_vec()));
    assert_eq!(
        apply(base, b"7\n5@4,2:er3Srii_;"),
        Err(PatchError::Checksum)
    );
    let cases: [(&[u8], PatchError); 12] = [
        (b"", PatchError::Malformed),
        (b"C", PatchError::Malformed),
        (b"C;", PatchError::Malformed),
        (b"\n0;", PatchError::Malformed),
        (b"1\n1@0", PatchError::Malformed),
        (b"1\n1@0;", PatchError::Malformed),
        (b"1\n1@~~~,", PatchError::Length),
        (b"1\n2@0,", PatchError::Length),
        (b"1\n9:a", PatchError::Malformed),
        (b"1\n0;", PatchError::Length),
        (b"0\n0;x", PatchError::Malformed),
        (b"1\n~~~~~~~~~~~~@0,", PatchError::Malformed),
    ];
    for (patch, error) in cases {
        let text = String::from_utf8_lossy(patch);
        assert_eq!(apply(base, patch), Err(error), "{text}");
    }
    assert_eq!(apply(base, b"0\n0;"), Ok(vec![]));
}

#[test]
fn another_implementation_agrees() {
    proptest!(|(before in words(), after in words())| {
        let (base, target) = (document(&before), document(&after));
        let patch = fossil_delta::delta(&target, &base);
        prop_assert_eq!(apply(base.as_bytes(), &patch), Ok(target.clone().into_bytes()));
        if let Some(patch) = create(base.as_bytes(), target.as_bytes()) {
            let applied = fossil_delta::apply(&base, &patch).expect("the patch fits the base");
            prop_assert_eq!(applied, target.into_bytes());
        }
    });
}

#[test]
fn no_patch_is_a_reason_to_panic() {
    let alphabet = proptest::sample::select(b"0123Z~@:,;\nab".to_vec());
    proptest!(|(base in vec(any::<u8>(), 0..20), patch in vec(alphabet, 0..20))| {
        if let Ok(target) = apply(&base, &patch) {
            prop_assert!(target.len() <= base.len() * patch.len() + patch.len());
        }
    });
}

#[test]
fn recovered_publications_are_a_chain() {
    let payloads: Vec<String> = (0..4)
        .map(|n| format!("{{\"text\":\"длинный текст, который едва меняется\",\"n\":{n}}}"))
        .collect();
    for format in Format::ALL {
        let mut list: Vec<_> = (1..)
            .zip(&payloads)
            .map(|(n, text)| publication(n, text))
            .collect();
        recovered(format, &mut list);

        let mut last = Vec::new();
        for (index, (publication, payload)) in list.iter().zip(&payloads).enumerate() {
            let content = content(format, publication);
            assert_eq!(publication.delta, index > 0);
            last = if publication.delta {
                apply(&last, &content).unwrap()
            } else {
                content
            };
            assert_eq!(last, payload.as_bytes());
            assert_eq!(publication.offset, index as u64 + 1);
        }
    }
}

#[test]
fn a_publication_without_a_shorter_patch_is_full_and_the_next_base() {
    let long = "{\"text\":\"a payload that is long enough for a patch\"}";
    let mut list = vec![
        publication(1, long),
        publication(2, "{\"a\":1}"),
        publication(3, long),
        publication(4, long),
    ];
    recovered(Format::Json, &mut list);
    let deltas: Vec<bool> = list.iter().map(|publication| publication.delta).collect();
    assert_eq!(deltas, [false, false, false, true]);
    assert_eq!(content(Format::Json, &list[1]), b"{\"a\":1}");
}

#[test]
fn each_key_has_a_chain_that_a_removal_ends() {
    let text = "{\"text\":\"a payload that is long enough for a patch\"}";
    let entry = |key: &str| Publication {
        key: key.into(),
        ..publication(1, text)
    };
    let removal = Publication {
        key: "a".into(),
        removed: true,
        ..Publication::default()
    };
    let mut list = vec![
        entry("a"),
        entry("b"),
        entry("a"),
        removal,
        entry("a"),
        entry("b"),
    ];
    recovered(Format::Json, &mut list);
    let deltas: Vec<bool> = list.iter().map(|publication| publication.delta).collect();
    assert_eq!(deltas, [false, false, true, false, false, true]);
    assert_eq!(list[3].data, "\"null\"");
}

#[test]
fn the_delta_forms_lose_epoch_and_version_but_for_the_full_one_in_protobuf() {
    let first = Publication {
        epoch: "e".into(),
        version: 3,
        ..publication(1, "[\"0123456789\",\"0123456789\"]")
    };
    for (format, epoch, version) in [(Format::Json, "", 0), (Format::Protobuf, "e", 3)] {
        let mut list = vec![first.clone(), first.clone()];
        recovered(format, &mut list);
        assert_eq!((&*list[0].epoch, list[0].version), (epoch, version));
        assert!(list[1].delta);
        assert_eq!((&*list[1].epoch, list[1].version), ("", 0));
    }
}

#[test]
fn a_payload_that_is_not_json_stays_and_is_no_base() {
    let long = "\"a payload that is long enough for a patch\"";
    let mut list = vec![
        publication(1, long),
        publication(2, &long[1..]),
        publication(3, long),
    ];
    recovered(Format::Json, &mut list);
    assert_eq!(list[1].data, &long[1..]);
    assert!(list.iter().all(|publication| !publication.delta));
    assert!(list[1].encode(Format::Json).is_err());
    assert!(list[2].encode(Format::Json).is_ok());

    let mut list = vec![publication(1, long), publication(2, &long[1..])];
    recovered(Format::Protobuf, &mut list);
    assert!(list[1].delta, "Protobuf has no such rule");
}

#[test]
fn an_empty_payload_is_null_in_json() {
    for (format, data) in [(Format::Json, "\"null\""), (Format::Protobuf, "")] {
        let mut publication = publication(1, "");
        full(format, &mut publication);
        assert_eq!(publication.data, data);
    }
}
