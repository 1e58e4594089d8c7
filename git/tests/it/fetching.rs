//! Branches, tags and commits: what is fetched, and how little.

use git::{Git, GitError, GitRef};

use crate::support::{Repo, Server, Setup, request, texts};

#[test]
fn a_branch_is_fetched_and_its_files_are_read() {
    let server = Server::start();
    let repo = Repo::new(server.root(), "a.git");
    let sha = repo.commit("main", &[("apps/web.yaml", "kind: App\n"), ("README", "hi")], "Add web\n\nbody");
    let setup = Setup::new();
    let fetched = setup.client.fetch(&request(&server, "a.git", "main")).unwrap();
    assert!(fetched.downloaded);
    assert_eq!(fetched.commit.sha.to_string(), sha);
    assert_eq!(fetched.commit.subject, "Add web");
    assert_eq!((fetched.commit.author.as_str(), fetched.commit.email.as_str()), ("Ada", "ada@example.com"));
    assert_eq!(fetched.commit.committed_at.as_second(), 1_700_000_001);
    assert_eq!(texts(&*fetched.snapshot, "apps"), [("apps/web.yaml".into(), "kind: App\n".into())]);
}
