use super::*;

#[test]
fn each_statement_lands_in_its_phase() {
    let cases = [
        ("SET statement_timeout = 0", Phase::Drop),
        ("CREATE TABLE public.a (id integer)", Phase::Before),
        ("ALTER TABLE ONLY public.a ALTER COLUMN id SET DEFAULT nextval('x')", Phase::Before),
        ("ALTER TABLE ONLY public.p ATTACH PARTITION public.q FOR VALUES IN ('a')", Phase::Before),
        ("ALTER TABLE ONLY public.a ADD CONSTRAINT a_pkey PRIMARY KEY (id)", Phase::After),
        ("ALTER TABLE public.a ADD CONSTRAINT c CHECK ((id > 0)) NOT VALID", Phase::After),
        ("ALTER TABLE public.a ENABLE ROW LEVEL SECURITY", Phase::After),
        ("ALTER TABLE public.a DISABLE TRIGGER t", Phase::After),
        ("CREATE USER MAPPING FOR u SERVER s OPTIONS (password 'x')", Phase::LeftOut),
        ("CREATE EVENT TRIGGER e ON ddl_command_start EXECUTE FUNCTION f()", Phase::LeftOut),
        ("DO $$ BEGIN END $$", Phase::LeftOut),
        ("ALTER TABLE public.a OWNER TO bob", Phase::Drop),
    ];
    for (sql, phase) in cases {
        assert_eq!(classify(sql).phase, phase, "{sql}");
    }
}

#[test]
fn the_name_of_what_is_made_is_found_quoted_or_not() {
    let cases = [
        ("CREATE MATERIALIZED VIEW \"s\".\"v.w\" AS SELECT 1", "s.v.w"),
        ("CREATE EVENT TRIGGER ev ON sql_drop EXECUTE FUNCTION f()", "ev"),
        ("CREATE UNIQUE INDEX i ON s.t (a)", "i"),
        ("COMMENT ON COLUMN s.t IS 'x'", "s.t"),
    ];
    for (sql, name) in cases {
        assert_eq!(classify(sql).subject.as_deref(), Some(name), "{sql}");
    }
}

#[test]
fn a_foreign_key_locks_both_tables() {
    let sql = "ALTER TABLE ONLY public.\"O.o\" ADD CONSTRAINT f FOREIGN KEY (a) REFERENCES s.users(id)";
    assert_eq!(classify(sql).tables, ["public.O.o", "s.users"]);
    assert_eq!(classify("CREATE UNIQUE INDEX i ON ONLY public.t USING btree (a)").tables, ["public.t"]);
}
