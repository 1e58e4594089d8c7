//! Every option of the command.

use std::path::PathBuf;

use clap::{Args, Parser, Subcommand, ValueEnum};

/// Copies a Postgres database with its personal data masked on the way. A column that the policy does not decide stops
/// the copy before a row moves.
///
/// SOURCE, TARGET and NAME name an environment variable, a file, or an entry of the Postgres service file that holds the
/// database's URL (or the key): secrets never stand in arguments, where every process list shows them.
///
/// Exit codes: 0 done; 2 wrong usage; 3 refused by the policy's checks before a row moved; 4 gave way (somebody waited
/// for our lock, the snapshot grew too old, a lock could not be had, the database is in use); 5 a database error;
/// 6 the copy or a verification is not good; 7 a local failure; 130 cancelled.
#[derive(Parser)]
#[command(name = "keelway-pgcopy", version)]
pub(super) struct Cli {
    #[command(subcommand)]
    pub(super) command: Command,
}

#[derive(Subcommand)]
pub(super) enum Command {
    /// Make a masked copy.
    Copy(Box<Copy>),
    /// Write, check and explain policies.
    #[command(subcommand)]
    Policy(Policy),
    /// Check a finished copy against its source, its policy and its report.
    Verify(Verify),
    /// Make a database from a finished copy on the same server.
    Clone(Clone),
    /// Drop a copy or a clone. A database that does not bear our mark is refused.
    Drop(Drop),
}

#[derive(Args)]
pub(super) struct Copy {
    /// Where rows come from.
    #[arg(long, value_name = "SOURCE")]
    pub(super) from: String,
    /// The database to make; it must not exist, be empty, or be a copy of ours.
    #[arg(long, value_name = "TARGET")]
    pub(super) to: String,
    /// The masking policy: a spec or a whole MaskingPolicy manifest.
    #[arg(long, value_name = "FILE")]
    pub(super) policy: PathBuf,
    /// Tables and indexes at once; the number of processors by default.
    #[arg(long)]
    pub(super) jobs: Option<usize>,
    /// The variable or file that holds the master key.
    #[arg(long, value_name = "NAME")]
    pub(super) key: Option<String>,
    /// Copy a part: rules as in the policy's `subset`, as YAML (`[{name: orders, percent: 5}]`). Replaces the policy's.
    #[arg(long, value_name = "YAML")]
    pub(super) subset: Option<String>,
    /// Where the signed report goes.
    #[arg(long, value_name = "FILE")]
    pub(super) report: Option<PathBuf>,
    /// Bytes per second to read from the source at most, such as 20M.
    #[arg(long, value_name = "BYTES", value_parser = bytes)]
    pub(super) max_rate: Option<u64>,
    /// End the copy when its snapshot is older, such as 30m.
    #[arg(long, value_name = "DURATION", value_parser = duration)]
    pub(super) max_snapshot_age: Option<std::time::Duration>,
    /// End the copy when another session has waited this long for our locks.
    #[arg(long, value_name = "DURATION", value_parser = duration, default_value = "2s")]
    pub(super) max_blocking: std::time::Duration,
    /// How long to wait for a table's lock.
    #[arg(long, value_name = "DURATION", value_parser = duration, default_value = "30s")]
    pub(super) lock_timeout: std::time::Duration,
    /// A role that may see the whole schema, where the source's may not.
    #[arg(long, value_name = "SOURCE")]
    pub(super) schema_from: Option<String>,
    /// A `pg_dump -s` made elsewhere.
    #[arg(long, value_name = "FILE", conflicts_with = "schema_from")]
    pub(super) schema_file: Option<PathBuf>,
    /// The folder of pg_dump, if it is not in the search path.
    #[arg(long, value_name = "FOLDER")]
    pub(super) pg_bin: Option<PathBuf>,
    /// Let the target's role be a superuser, with whose rights functions of the copied schema then run.
    #[arg(long)]
    pub(super) allow_superuser: bool,
    /// Print the plan and change nothing.
    #[arg(long)]
    pub(super) dry_run: bool,
    /// Say nothing but errors.
    #[arg(long, short)]
    pub(super) quiet: bool,
}

#[derive(Subcommand)]
pub(super) enum Policy {
    /// Write a full, commented policy for a live database.
    Init {
        /// The database.
        #[arg(long, value_name = "SOURCE")]
        from: String,
        /// Where to write; standard output by default.
        #[arg(long, value_name = "FILE")]
        out: Option<PathBuf>,
        /// Language of made-up names and addresses.
        #[arg(long, value_enum, default_value = "en-us")]
        locale: Language,
        /// Look at names and types alone, not at values.
        #[arg(long)]
        no_samples: bool,
    },
    /// Check a policy against a live database, for CI.
    Check {
        /// The database.
        #[arg(long, value_name = "SOURCE")]
        from: String,
        /// The policy.
        #[arg(long, value_name = "FILE")]
        policy: PathBuf,
        /// How to print problems.
        #[arg(long, value_enum, default_value = "plain")]
        format: Format,
    },
    /// Print a rule for every column that the policy leaves undecided.
    Suggest {
        /// The database.
        #[arg(long, value_name = "SOURCE")]
        from: String,
        /// The policy.
        #[arg(long, value_name = "FILE")]
        policy: PathBuf,
        /// Look at names and types alone, not at values.
        #[arg(long)]
        no_samples: bool,
    },
    /// Print the GRANT statements of a role that may read what the policy allows, and nothing else.
    Grants {
        /// The database.
        #[arg(long, value_name = "SOURCE")]
        from: String,
        /// The policy.
        #[arg(long, value_name = "FILE")]
        policy: PathBuf,
        /// The role that will copy.
        #[arg(long)]
        role: String,
        /// Also print BYPASSRLS, which tables with row level security need.
        #[arg(long)]
        bypass_rls: bool,
    },
}

#[derive(Clone, Copy, ValueEnum)]
pub(super) enum Language {
    EnUs,
    JaJp,
}

#[derive(Clone, Copy, ValueEnum)]
pub(super) enum Format {
    Plain,
    Sarif,
}

#[derive(Args)]
pub(super) struct Verify {
    /// The source.
    #[arg(long, value_name = "SOURCE")]
    pub(super) from: String,
    /// The copy.
    #[arg(long, value_name = "TARGET")]
    pub(super) to: String,
    /// The policy of the copy.
    #[arg(long, value_name = "FILE")]
    pub(super) policy: PathBuf,
    /// The copy's `--subset`, if it had one.
    #[arg(long, value_name = "YAML")]
    pub(super) subset: Option<String>,
    /// The copy's report; its signature is checked with the key.
    #[arg(long, value_name = "FILE", requires = "key")]
    pub(super) report: Option<PathBuf>,
    /// The variable or file that holds the master key.
    #[arg(long, value_name = "NAME")]
    pub(super) key: Option<String>,
}

#[derive(Args)]
pub(super) struct Clone {
    /// A URL of the server (of any of its databases).
    #[arg(long, value_name = "TARGET")]
    pub(super) server: String,
    /// The finished copy.
    #[arg(long, value_name = "DATABASE")]
    pub(super) template: String,
    /// The database to make.
    #[arg(long, value_name = "DATABASE")]
    pub(super) name: String,
    /// Its owner.
    #[arg(long, value_name = "ROLE")]
    pub(super) owner: Option<String>,
    /// Settings of the new database, as `name=value`.
    #[arg(long = "set", value_name = "NAME=VALUE")]
    pub(super) settings: Vec<String>,
    /// End sessions on the template instead of waiting for them.
    #[arg(long)]
    pub(super) end_sessions: bool,
    /// How long to wait for sessions on the template.
    #[arg(long, value_name = "DURATION", value_parser = duration, default_value = "60s")]
    pub(super) wait: std::time::Duration,
    /// The way, where the choice by server and size is not wanted.
    #[arg(long, value_enum)]
    pub(super) method: Option<Method>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(super) enum Method {
    WalLog,
    FileCopy,
}

#[derive(Args)]
pub(super) struct Drop {
    /// A URL of the server (of any of its databases).
    #[arg(long, value_name = "TARGET")]
    pub(super) server: String,
    /// The database to drop.
    #[arg(long, value_name = "DATABASE")]
    pub(super) name: String,
    /// End its sessions.
    #[arg(long)]
    pub(super) end_sessions: bool,
}

/// `20M`, `1G`, `512k` or a number of bytes; the units are powers of 1024.
fn bytes(text: &str) -> Result<u64, String> {
    let digits = text.trim_end_matches(|c: char| c.is_ascii_alphabetic());
    let shift = match text[digits.len()..].to_ascii_lowercase().as_str() {
        "" | "b" => 0,
        "k" | "kib" => 10,
        "m" | "mib" => 20,
        "g" | "gib" => 30,
        _ => return Err("write bytes as 512k, 20M or 1G".to_owned()),
    };
    let number: u64 = digits.parse().map_err(|_| "write bytes as 512k, 20M or 1G".to_owned())?;
    number
        .checked_shl(shift)
        .filter(|n| *n > 0 && n >> shift == number)
        .ok_or_else(|| "out of range".to_owned())
}

/// `500ms`, `30s`, `5m` or `2h`.
fn duration(text: &str) -> Result<std::time::Duration, String> {
    let digits = text.trim_end_matches(|c: char| c.is_ascii_alphabetic());
    let number: u64 = digits.parse().map_err(|_| "write a duration as 500ms, 30s, 5m or 2h".to_owned())?;
    let unit = match &text[digits.len()..] {
        "ms" => 1,
        "s" => 1000,
        "m" => 60_000,
        "h" => 3_600_000,
        _ => return Err("write a duration as 500ms, 30s, 5m or 2h".to_owned()),
    };
    number.checked_mul(unit).map(std::time::Duration::from_millis).ok_or_else(|| "out of range".to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_table_of_options_is_consistent() {
        use clap::CommandFactory as _;
        Cli::command().debug_assert();
    }

    #[test]
    fn sizes_and_durations_parse_or_say_how_to_write_them() {
        assert_eq!(bytes("20M"), Ok(20 << 20));
        assert!(bytes("0").is_err() && bytes("20X").is_err() && bytes("99999999999G").is_err());
        assert_eq!(duration("30m"), Ok(std::time::Duration::from_mins(30)));
        assert!(duration("30").is_err());
    }
}
