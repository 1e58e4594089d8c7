use super::*;

fn table(readers: usize, pages: u64) -> TablePlan {
    TablePlan {
        oid: 1,
        title: "public.t".into(),
        name: masking::TableName::new("public", "t"),
        columns: vec!["a".into()],
        select: "t.\"a\"".into(),
        from: "ONLY \"public\".\"t\" t".into(),
        filter: Some("true".into()),
        direct: None,
        into: "\"public\".\"t\" (\"a\")".into(),
        into_table: "public.t".to_owned(),
        binary: true,
        masked: false,
        rows: 0,
        bytes: pages * 8192,
        pages,
        readers,
        truncate: false,
    }
}

#[test]
fn ranges_cover_every_page_once_and_the_last_is_open() {
    for (readers, pages) in [(2, 1000), (3, 7), (2, 0), (4, 1_000_003)] {
        let ranges = table(readers, pages).ranges();
        assert_eq!(ranges.first().map(|r| r.0), Some(0));
        assert_eq!(ranges.last().map(|r| r.1), Some(None));
        assert!(ranges.windows(2).all(|pair| pair[0].1 == Some(pair[1].0)), "{ranges:?}");
    }
}

#[test]
fn a_piece_reads_its_pages_and_keeps_the_filter() {
    let sql = table(2, 1000).copy_out((5, Some(9)));
    assert_eq!(
        sql,
        "COPY (SELECT t.\"a\" FROM ONLY \"public\".\"t\" t WHERE (true) AND t.ctid >= '(5,0)'::tid \
         AND t.ctid < '(9,0)'::tid) TO STDOUT (FORMAT binary)"
    );
}
