use std::path::PathBuf;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;

use super::*;

/// A certificate for `localhost` that vouches for itself, and its key.
fn made() -> (String, String) {
    let made = rcgen::generate_simple_self_signed(["localhost".to_owned()]).unwrap();
    (made.cert.pem(), made.signing_key.serialize_pem())
}

fn directory(test: &str) -> PathBuf {
    let path = std::env::temp_dir().join(format!("gyre-tls-{test}-{}", std::process::id()));
    std::fs::create_dir_all(&path).unwrap();
    path
}

fn source(cert_pem: &str, key_pem: &str) -> Source {
    Source {
        cert_pem: cert_pem.to_owned(),
        key_pem: key_pem.to_owned(),
        client_ca_pem: String::new(),
    }
}

#[test]
fn a_pem_may_be_text_base64_or_a_file() {
    let (cert, key) = made();
    let directory = directory("forms");
    let path = directory.join("cert.pem");
    std::fs::write(&path, &cert).unwrap();
    for cert in [
        cert.clone(),
        cert.replace('\n', "\\n"),
        STANDARD.encode(&cert),
        path.display().to_string(),
    ] {
        Tls::new(source(&cert, &key)).unwrap();
    }
    std::fs::remove_dir_all(directory).unwrap();
}

#[test]
fn what_is_wrong_is_named_and_no_key_is_told() {
    let (cert, key) = made();
    let (_, other) = made();
    let told = |cert: &str, key: &str| {
        let error = Tls::new(source(cert, key)).unwrap_err().to_string();
        assert!(!error.contains("PRIVATE"), "{error}");
        error
    };
    assert_eq!(told("", &key), "cert_pem: is empty");
    assert!(told(&cert, "/nonexistent/key.pem").starts_with("key_pem: file /nonexistent/key.pem"));
    assert!(told(&key, &key).starts_with("cert_pem: holds no certificate"));
    assert!(told(&cert, &cert).starts_with("key_pem: holds no"));
    assert!(told(&cert, &other).starts_with("certificate and key cannot be used"));
    let mut demanding = source(&cert, &key);
    demanding.client_ca_pem = key.clone();
    assert!(
        Tls::new(demanding)
            .unwrap_err()
            .to_string()
            .starts_with("client_ca_pem: ")
    );
    assert!(!format!("{:?}", source(&cert, &key)).contains("PRIVATE"));
}

#[test]
fn changed_files_hold_from_the_next_look_on() {
    let directory = directory("change");
    let (cert, key) = (directory.join("cert.pem"), directory.join("key.pem"));
    let write = |(c, k): &(String, String)| {
        std::fs::write(&cert, c).unwrap();
        std::fs::write(&key, k).unwrap();
    };
    let (first, second) = (made(), made());
    write(&first);
    let tls = Tls::new(source(
        &cert.display().to_string(),
        &key.display().to_string(),
    ))
    .unwrap();
    let before = tls.current();
    tls.look();
    assert!(Arc::ptr_eq(&before, &tls.current()), "nothing changed");

    // A key of another certificate: what was in use stays.
    write(&(second.0.clone(), first.1));
    tls.look();
    assert!(Arc::ptr_eq(&before, &tls.current()));
    assert!(tls.prepare().is_err());

    write(&second);
    tls.look();
    assert!(!Arc::ptr_eq(&before, &tls.current()));
    std::fs::remove_dir_all(directory).unwrap();
}
