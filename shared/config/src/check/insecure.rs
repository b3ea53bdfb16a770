use crate::Config;
use crate::load::Report;
use crate::problem::Warning;

/// Options that take protection away warn at each start, and are refused in production; an API that
/// can only refuse is named.
pub(super) fn check(config: &Config, report: &mut Report) {
    let client = &config.client;
    let options = [
        ("client.insecure", client.insecure),
        (
            "client.insecure_skip_token_signature_verify",
            client.insecure_skip_token_signature_verify,
        ),
        (
            "client.token.insecure_skip_jwks_endpoint_safety_check",
            client.token.insecure_skip_jwks_endpoint_safety_check,
        ),
        (
            "client.subscription_token.insecure_skip_jwks_endpoint_safety_check",
            client
                .subscription_token
                .token
                .insecure_skip_jwks_endpoint_safety_check,
        ),
        ("http_api.insecure", config.http_api.insecure),
        ("grpc_api.insecure", config.grpc_api.insecure),
    ];
    for (path, is_on) in options {
        if is_on && config.production {
            let expected = "false, because production is true";
            report.conflict(path, "true".to_owned(), expected, &["production"]);
        } else if is_on {
            report.warnings.push(Warning::Insecure(path));
        }
    }
    let (http, grpc) = (&config.http_api, &config.grpc_api);
    if !http.disabled && !http.insecure && http.key.is_empty() && !http.jwks.enabled {
        report.warnings.push(Warning::NoKey("http_api.key"));
    }
    if grpc.enabled && !grpc.insecure && grpc.key.is_empty() && !grpc.jwks.enabled {
        report.warnings.push(Warning::NoKey("grpc_api.key"));
    }
}
