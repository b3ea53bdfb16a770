use crate::Config;
use crate::load::Report;
use crate::problem::Warning;
use crate::tls::Tls;

/// A listener that speaks TLS has something to show, and what shares an address speaks alike.
pub(super) fn check(config: &Config, report: &mut Report) {
    let http = &config.http_server;
    listener("http_server.tls", &http.tls, report);
    listener("http_server.internal_tls", &http.internal_tls, report);
    listener("grpc_api.tls", &config.grpc_api.tls, report);
    listener("uni_grpc.tls", &config.uni_grpc.tls, report);
    listener("client_grpc.tls", &config.client_grpc.tls, report);
    http3(config, report);
    autocert(config, report);
    let has_internal = http.internal_port.is_some_and(|port| port != http.port)
        || (!http.internal_address.is_empty() && http.internal_address != http.address);
    if http.internal_tls.enabled && !has_internal {
        report.conflict(
            "http_server.internal_tls.enabled",
            "true".to_owned(),
            "an internal address or port of its own, since one address has one TLS",
            &["http_server.internal_port", "http_server.internal_address"],
        );
    }
}

/// HTTP/3 is nothing without TLS, and WebTransport nothing without HTTP/3.
fn http3(config: &Config, report: &mut Report) {
    let is_on = config.http_server.http3.enabled;
    let http = &config.http_server;
    if is_on && !http.tls.enabled && !http.tls_autocert.enabled {
        report.conflict(
            "http_server.http3.enabled",
            "true".to_owned(),
            "false without TLS",
            &["http_server.tls.enabled"],
        );
    }
    if is_on {
        report.warnings.push(Warning::Http3);
    }
    if config.webtransport.enabled && !is_on {
        report.conflict(
            "webtransport.enabled",
            "true".to_owned(),
            "false without HTTP/3",
            &["http_server.http3.enabled"],
        );
    }
}

/// An authority is asked for something, and answers somewhere.
fn autocert(config: &Config, report: &mut Report) {
    let autocert = &config.http_server.tls_autocert;
    if !autocert.enabled {
        return;
    }
    if autocert.host_whitelist.is_empty() {
        report.conflict(
            "http_server.tls_autocert.host_whitelist",
            "[]".to_owned(),
            "at least one name, because certificates are asked for",
            &["http_server.tls_autocert.enabled"],
        );
    }
    if config.http_server.tls.enabled {
        report.conflict(
            "http_server.tls_autocert.enabled",
            "true".to_owned(),
            "false, because one listener has one certificate",
            &["http_server.tls.enabled"],
        );
    }
}

fn listener(top: &str, tls: &Tls, report: &mut Report) {
    if !tls.enabled {
        return;
    }
    let expected = "a PEM, base64 of a PEM, or the path of a file, because TLS is enabled";
    if tls.cert_pem.is_empty() {
        let path = format!("{top}.cert_pem");
        report.conflict(&path, "\"\"".to_owned(), expected, &[]);
    }
    if tls.key_pem.is_empty() {
        let path = format!("{top}.key_pem");
        report.conflict(&path, "\"\"".to_owned(), expected, &[]);
    }
}
