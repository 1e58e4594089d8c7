use super::*;

#[test]
fn a_url_in_the_arguments_is_refused_and_not_repeated() {
    let error = Endpoint::resolve("postgres://u:hunter2@h/db").unwrap_err();
    assert_eq!(error.exit_code(), 2);
    assert!(!error.to_string().contains("hunter2"));
}

#[test]
fn verify_full_is_understood_in_both_notations() {
    let url = Endpoint::parse("x", "postgres://u@h/db?sslmode=verify-full&sslrootcert=/ca.pem").unwrap();
    assert_eq!((url.trust, url.root_cert), (Trust::Verified, Some("/ca.pem".into())));
    let pairs = Endpoint::parse("x", "host=h user=u dbname=db sslmode=verify-full").unwrap();
    assert_eq!((pairs.trust.clone(), pairs.database()), (Trust::Verified, "db"));
}

#[test]
fn the_urls_time_to_connect_holds() {
    let seconds = |url| Endpoint::parse("x", url).unwrap().config.get_connect_timeout().unwrap().as_secs();
    assert_eq!(seconds("postgres://u@h/db?connect_timeout=60"), 60);
    assert_eq!(seconds("postgres://u@h/db"), 15);
}

#[test]
fn neither_a_wrong_url_nor_debug_output_shows_a_password() {
    let error = Endpoint::parse("X", "postgres://u:hunter2@h:port/db").unwrap_err();
    assert!(!error.to_string().contains("hunter2"));
    let good = Endpoint::parse("X", "postgres://u:hunter2@h/db").unwrap();
    assert!(!format!("{good:?}").contains("hunter2"));
}
