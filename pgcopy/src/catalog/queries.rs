//! The statements that read the catalog. Each names `pg_catalog` in full or relies on the session's search path,
//! which holds nothing else; operators are never looked up elsewhere.

/// Objects of users: not of the system, not of an extension.
macro_rules! users {
    ($class:literal, $object:literal, $namespace:literal) => {
        concat!(
            $namespace,
            " <> ALL (ARRAY['pg_catalog', 'information_schema', 'pg_toast']) AND ",
            $namespace,
            " !~ '^pg_(temp|toast_temp)_' AND NOT EXISTS (SELECT FROM pg_depend x WHERE x.classid = '",
            $class,
            "'::regclass AND x.objid = ",
            $object,
            " AND x.deptype = 'e')"
        )
    };
}

pub(super) const SERVER: &str = "SELECT current_setting('server_version_num')::int4, \
    (SELECT system_identifier::text FROM pg_control_system()), d.oid::int8, pg_is_in_recovery(), \
    r.rolsuper OR r.rolbypassrls, r.rolsuper, pg_encoding_to_char(d.encoding)::text, d.datcollate::text, \
    d.datctype::text, to_jsonb(d)->>'datlocprovider', \
    coalesce(to_jsonb(d)->>'datlocale', to_jsonb(d)->>'daticulocale'), to_jsonb(d)->>'datcollversion' \
    FROM pg_database d, pg_roles r WHERE d.datname = current_database() AND r.rolname = current_user";

pub(super) const TABLES: &str = concat!(
    "SELECT c.oid::int8, n.nspname::text, c.relname::text, c.relkind = 'p', c.relispartition, \
     ARRAY(SELECT i.inhparent::int8 FROM pg_inherits i WHERE i.inhrelid = c.oid ORDER BY i.inhseqno), \
     c.relrowsecurity, c.relpersistence = 'u', coalesce(a.amname = 'heap', false), c.reltuples::float8, \
     CASE WHEN c.relkind = 'r' THEN pg_relation_size(c.oid) ELSE 0 END, \
     CASE WHEN c.relkind = 'r' THEN pg_table_size(c.oid) ELSE 0 END, \
     ARRAY(SELECT unnest(p.partattrs::int2[]) FROM pg_partitioned_table p WHERE p.partrelid = c.oid) \
     || ARRAY(SELECT t.refobjsubid::int2 FROM pg_depend t, pg_partitioned_table p WHERE p.partrelid = c.oid \
        AND p.partexprs IS NOT NULL AND t.classid = 'pg_class'::regclass AND t.objid = c.oid AND t.objsubid = 0 \
        AND t.refclassid = 'pg_class'::regclass AND t.refobjid = c.oid AND t.refobjsubid > 0) \
     FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace LEFT JOIN pg_am a ON a.oid = c.relam \
     WHERE c.relkind IN ('r', 'p') AND c.relpersistence <> 't' AND ",
    users!("pg_class", "c.oid", "n.nspname"),
    " ORDER BY 2, 3"
);

pub(super) const COLUMNS: &str = "SELECT a.attrelid::int8, a.attnum, a.attname::text, a.atttypid::int8, \
    format_type(a.atttypid, a.atttypmod), a.atttypmod, a.attnotnull, pg_get_expr(d.adbin, d.adrelid), \
    a.attgenerated <> '', a.attidentity <> '', col_description(a.attrelid, a.attnum) \
    FROM pg_attribute a LEFT JOIN pg_attrdef d ON d.adrelid = a.attrelid AND d.adnum = a.attnum \
    WHERE a.attrelid = ANY ($1::oid[]) AND a.attnum > 0 AND NOT a.attisdropped ORDER BY 1, 2";

pub(super) const CONSTRAINTS: &str = "SELECT k.conrelid::int8, k.conname::text, k.contype::text, \
    coalesce(k.conkey, '{}'), k.confrelid::int8, coalesce(k.confkey, '{}'), k.convalidated, \
    coalesce(pg_get_expr(k.conbin, k.conrelid), pg_get_constraintdef(k.oid)), \
    ARRAY(SELECT x.refobjsubid::int2 FROM pg_depend x WHERE k.contype = 'x' \
      AND x.classid = 'pg_class'::regclass AND x.objid = k.conindid AND x.refobjid = k.conrelid AND x.refobjsubid > 0), \
    k.conparentid <> 0, coalesce((SELECT (to_jsonb(i)->>'indnullsnotdistinct')::bool FROM pg_index i \
      WHERE i.indexrelid = k.conindid AND k.contype = 'u'), false) \
    FROM pg_constraint k WHERE k.conrelid = ANY ($1::oid[]) AND k.contype IN ('p', 'u', 'f', 'c', 'x') \
    UNION ALL SELECT i.indrelid::int8, c.relname::text, 'u', \
    ARRAY(SELECT x FROM unnest(i.indkey::int2[]) WITH ORDINALITY u(x, o) WHERE o <= i.indnkeyatts AND x > 0), \
    0, '{}', true, pg_get_indexdef(i.indexrelid), \
    ARRAY(SELECT x.refobjsubid::int2 FROM pg_depend x WHERE i.indexprs IS NOT NULL \
      AND x.classid = 'pg_class'::regclass AND x.objid = i.indexrelid AND x.refobjid = i.indrelid \
      AND x.refobjsubid > 0 AND NOT x.refobjsubid = ANY (i.indkey::int2[])), \
    c.relispartition, coalesce((to_jsonb(i)->>'indnullsnotdistinct')::bool, false) \
    FROM pg_index i JOIN pg_class c ON c.oid = i.indexrelid WHERE i.indisunique AND i.indrelid = ANY ($1::oid[]) \
    AND NOT EXISTS (SELECT FROM pg_constraint k WHERE k.conindid = i.indexrelid AND k.contype IN ('p', 'u', 'x')) \
    ORDER BY 1, 2";

pub(super) const TYPES: &str = "SELECT t.oid::int8, t.typname::text, n.nspname::text, t.typtype::text, \
    CASE WHEN t.typcategory = 'A' THEN t.typelem::int8 ELSE 0 END, t.typbasetype::int8, t.typtypmod, t.typnotnull, \
    ARRAY(SELECT e.enumlabel::text FROM pg_enum e WHERE e.enumtypid = t.oid ORDER BY e.enumsortorder), \
    ARRAY(SELECT k.conname::text FROM pg_constraint k WHERE k.contypid = t.oid AND k.contype = 'c' ORDER BY k.oid), \
    ARRAY(SELECT pg_get_expr(k.conbin, 0) FROM pg_constraint k WHERE k.contypid = t.oid AND k.contype = 'c' \
      ORDER BY k.oid), format_type(t.oid, NULL), \
    ARRAY(SELECT a.attname::text FROM pg_attribute a WHERE a.attrelid = t.typrelid AND a.attnum > 0 \
      AND NOT a.attisdropped ORDER BY a.attnum), \
    ARRAY(SELECT a.atttypid::int8 FROM pg_attribute a WHERE a.attrelid = t.typrelid AND a.attnum > 0 \
      AND NOT a.attisdropped ORDER BY a.attnum) \
    FROM pg_type t JOIN pg_namespace n ON n.oid = t.typnamespace WHERE t.typtype <> 'p'";

/// Sequences, the columns that draw from each (`table id.number`: its owner, and those whose defaults name it), and how
/// far it goes.
pub(super) const SEQUENCES: &str = concat!(
    "SELECT n.nspname::text, c.relname::text, \
     ARRAY(SELECT d.refobjid || '.' || d.refobjsubid FROM pg_depend d WHERE d.classid = 'pg_class'::regclass \
       AND d.objid = c.oid AND d.refclassid = 'pg_class'::regclass AND d.refobjsubid > 0 AND d.deptype IN ('a', 'i') \
       UNION SELECT a.adrelid || '.' || a.adnum FROM pg_depend d JOIN pg_attrdef a ON a.oid = d.objid \
       WHERE d.classid = 'pg_attrdef'::regclass AND d.refclassid = 'pg_class'::regclass AND d.refobjid = c.oid), \
     (SELECT s.seqmax FROM pg_sequence s WHERE s.seqrelid = c.oid) FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace \
     WHERE c.relkind = 'S' AND c.relpersistence <> 't' AND ",
    users!("pg_class", "c.oid", "n.nspname"),
    " ORDER BY 1, 2"
);

/// Generated columns, indexes over expressions or with predicates, views, materialised views, extended statistics.
pub(super) const DERIVED: &str = "SELECT 'generated column', n.nspname || '.' || c.relname || '.' || a.attname, \
    x.refobjid::int8, r.attname::text, pg_get_expr(d.adbin, d.adrelid) FROM pg_attrdef d \
    JOIN pg_attribute a ON a.attrelid = d.adrelid AND a.attnum = d.adnum AND a.attgenerated <> '' \
    JOIN pg_class c ON c.oid = d.adrelid JOIN pg_namespace n ON n.oid = c.relnamespace \
    JOIN pg_depend x ON x.refclassid = 'pg_class'::regclass AND x.refobjid = d.adrelid AND x.refobjsubid > 0 \
      AND (x.classid = 'pg_attrdef'::regclass AND x.objid = d.oid \
        OR x.classid = 'pg_class'::regclass AND x.objid = d.adrelid AND x.objsubid = d.adnum) \
    JOIN pg_attribute r ON r.attrelid = x.refobjid AND r.attnum = x.refobjsubid AND r.attnum <> d.adnum \
    WHERE d.adrelid = ANY ($1::oid[]) \
    UNION ALL SELECT 'index', n.nspname || '.' || c.relname, x.refobjid::int8, r.attname::text, \
    pg_get_indexdef(i.indexrelid) FROM pg_index i JOIN pg_class c ON c.oid = i.indexrelid \
    JOIN pg_namespace n ON n.oid = c.relnamespace JOIN pg_depend x ON x.classid = 'pg_class'::regclass \
      AND x.objid = i.indexrelid AND x.refclassid = 'pg_class'::regclass AND x.refobjid = i.indrelid \
    JOIN pg_attribute r ON r.attrelid = x.refobjid AND r.attnum = x.refobjsubid \
    WHERE i.indrelid = ANY ($1::oid[]) AND (i.indexprs IS NOT NULL OR i.indpred IS NOT NULL) \
    UNION ALL SELECT CASE c.relkind WHEN 'm' THEN 'materialized view' ELSE 'view' END, \
    n.nspname || '.' || c.relname, x.refobjid::int8, r.attname::text, pg_get_viewdef(c.oid) \
    FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace JOIN pg_rewrite w ON w.ev_class = c.oid \
    JOIN pg_depend x ON x.classid = 'pg_rewrite'::regclass AND x.objid = w.oid \
      AND x.refclassid = 'pg_class'::regclass AND x.refobjsubid > 0 \
    JOIN pg_attribute r ON r.attrelid = x.refobjid AND r.attnum = x.refobjsubid \
    WHERE c.relkind IN ('v', 'm') AND x.refobjid = ANY ($1::oid[]) \
    UNION ALL SELECT 'statistics', n.nspname || '.' || s.stxname, x.refobjid::int8, r.attname::text, \
    pg_get_statisticsobjdef(s.oid) FROM pg_statistic_ext s JOIN pg_namespace n ON n.oid = s.stxnamespace \
    JOIN pg_depend x ON x.classid = 'pg_statistic_ext'::regclass AND x.objid = s.oid \
      AND x.refclassid = 'pg_class'::regclass AND x.refobjsubid > 0 \
    JOIN pg_attribute r ON r.attrelid = x.refobjid AND r.attnum = x.refobjsubid \
    WHERE s.stxrelid = ANY ($1::oid[]) ORDER BY 1, 2";

/// What the copy does not bring. Names only: the options of servers and user mappings hold passwords.
pub(super) const LEFT_OUT: &str = "SELECT 'large objects', count(*)::text FROM pg_largeobject_metadata HAVING count(*) > 0 \
    UNION ALL SELECT 'publication', pubname::text FROM pg_publication \
    UNION ALL SELECT 'subscription', subname::text FROM pg_subscription \
      WHERE subdbid = (SELECT oid FROM pg_database WHERE datname = current_database()) \
    UNION ALL SELECT 'foreign server', srvname::text FROM pg_foreign_server \
    UNION ALL SELECT 'user mapping', usename || ' on ' || srvname FROM pg_user_mappings WHERE usename IS NOT NULL \
    UNION ALL SELECT 'foreign table', n.nspname || '.' || c.relname FROM pg_class c \
      JOIN pg_namespace n ON n.oid = c.relnamespace WHERE c.relkind = 'f' \
    UNION ALL SELECT 'event trigger', evtname::text FROM pg_event_trigger \
    UNION ALL SELECT 'rows of an extension''s table', n.nspname || '.' || c.relname FROM pg_extension e, \
      unnest(e.extconfig) x(oid), pg_class c, pg_namespace n WHERE c.oid = x.oid AND n.oid = c.relnamespace \
      AND c.relkind = 'r' ORDER BY 1, 2";

/// Foreign tables, and relations and functions that depend on one, directly or not. A view depends through its rule. A
/// function goes with its arguments as a dump writes them, for others may bear its name (but an aggregate's are written
/// otherwise there).
pub(super) const FOREIGN: &str = "WITH RECURSIVE f(c, o) AS ( \
    SELECT 'pg_class'::regclass::oid, t.oid FROM pg_class t WHERE t.relkind = 'f' \
    UNION SELECT CASE WHEN r.oid IS NULL THEN d.classid ELSE 'pg_class'::regclass::oid END, coalesce(r.ev_class, d.objid) \
      FROM f JOIN pg_depend d ON d.refclassid = f.c AND d.refobjid = f.o \
      LEFT JOIN pg_rewrite r ON d.classid = 'pg_rewrite'::regclass AND r.oid = d.objid) \
    SELECT CASE c.relkind WHEN 'f' THEN 'foreign table' WHEN 'v' THEN 'view' WHEN 'm' THEN 'materialized view' \
      WHEN 'S' THEN 'sequence' ELSE 'table' END, n.nspname || '.' || c.relname \
      FROM f JOIN pg_class c ON f.c = 'pg_class'::regclass AND c.oid = f.o JOIN pg_namespace n ON n.oid = c.relnamespace \
      WHERE c.relkind IN ('f', 'v', 'm', 'S', 'r', 'p') \
    UNION SELECT 'function', quote_ident(n.nspname) || '.' || quote_ident(p.proname) || \
      CASE WHEN p.prokind = 'a' THEN '' ELSE '(' || pg_get_function_arguments(p.oid) || ')' END FROM f JOIN pg_proc p ON f.c = 'pg_proc'::regclass AND p.oid = f.o \
      JOIN pg_namespace n ON n.oid = p.pronamespace ORDER BY 1, 2";

pub(super) const SETTINGS: &str = "SELECT unnest(s.setconfig)::text FROM pg_db_role_setting s JOIN pg_database d \
    ON d.oid = s.setdatabase WHERE d.datname = current_database() AND s.setrole = 0 ORDER BY 1";

/// Objects of users: neither made at initdb nor part of an extension.
macro_rules! ours {
    ($class:literal, $object:literal) => {
        concat!(
            $object,
            " >= 16384 AND NOT EXISTS (SELECT FROM pg_depend x WHERE x.classid = '",
            $class,
            "'::regclass AND x.objid = ",
            $object,
            " AND x.deptype = 'e')"
        )
    };
}

/// Texts of the schema that go along with it, with a name for people. What this list does not know is still found by the
/// search of the dump, which knows every literal.
pub(super) const TEXTS: &str = concat!(
    "SELECT 'default of ' || n.nspname || '.' || c.relname || '.' || a.attname, \
     pg_get_expr(d.adbin, d.adrelid) FROM pg_attrdef d JOIN pg_class c ON c.oid = d.adrelid \
     JOIN pg_namespace n ON n.oid = c.relnamespace \
     JOIN pg_attribute a ON a.attrelid = d.adrelid AND a.attnum = d.adnum \
     WHERE c.relpersistence <> 't' AND c.relkind <> 'f' AND ",
    ours!("pg_class", "c.oid"),
    " UNION ALL SELECT 'comment on ' || pg_describe_object(d.classoid, d.objoid, d.objsubid), d.description \
      FROM pg_description d WHERE d.objoid >= 16384 AND NOT EXISTS (SELECT FROM pg_depend x \
      WHERE x.classid = d.classoid AND x.objid = d.objoid AND x.deptype = 'e') \
      AND d.classoid <> 'pg_extension'::regclass \
     UNION ALL SELECT 'view ' || n.nspname || '.' || c.relname, pg_get_viewdef(c.oid) FROM pg_class c \
      JOIN pg_namespace n ON n.oid = c.relnamespace WHERE c.relkind IN ('v', 'm') AND ",
    ours!("pg_class", "c.oid"),
    " UNION ALL SELECT 'rule ' || r.rulename || ' of ' || r.ev_class::regclass::text, pg_get_ruledef(r.oid) \
      FROM pg_rewrite r WHERE r.rulename <> '_RETURN' AND ",
    ours!("pg_class", "r.ev_class"),
    // Arguments' defaults, SET clauses and bodies, SQL-standard ones too.
    " UNION ALL SELECT 'function ' || p.oid::regprocedure::text, pg_get_functiondef(p.oid) FROM pg_proc p \
      WHERE p.prokind <> 'a' AND ",
    ours!("pg_proc", "p.oid"),
    " UNION ALL SELECT 'aggregate ' || g.aggfnoid::regprocedure::text, concat_ws(' ', g.agginitval, g.aggminitval) \
      FROM pg_aggregate g WHERE ",
    ours!("pg_proc", "g.aggfnoid"),
    " UNION ALL SELECT 'enum ' || format_type(e.enumtypid, NULL), string_agg(e.enumlabel::text, E'\\n') \
      FROM pg_enum e GROUP BY e.enumtypid \
     UNION ALL SELECT 'default of type ' || format_type(t.oid, NULL), coalesce(pg_get_expr(t.typdefaultbin, 0), t.typdefault) \
      FROM pg_type t WHERE t.typdefault IS NOT NULL AND ",
    ours!("pg_type", "t.oid"),
    " UNION ALL SELECT 'text search dictionary ' || t.oid::regdictionary::text, t.dictinitoption FROM pg_ts_dict t WHERE ",
    ours!("pg_ts_dict", "t.oid"),
    " UNION ALL SELECT 'partition key of ' || p.partrelid::regclass::text, pg_get_partkeydef(p.partrelid) \
      FROM pg_partitioned_table p WHERE p.partrelid = ANY ($1::oid[]) \
     UNION ALL SELECT 'partition bound of ' || n.nspname || '.' || c.relname, pg_get_expr(c.relpartbound, c.oid) \
      FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace \
      WHERE c.relispartition AND c.oid = ANY ($1::oid[]) \
     UNION ALL SELECT 'index ' || n.nspname || '.' || c.relname, pg_get_indexdef(c.oid) FROM pg_index i \
      JOIN pg_class c ON c.oid = i.indexrelid JOIN pg_namespace n ON n.oid = c.relnamespace \
      WHERE (i.indpred IS NOT NULL OR i.indexprs IS NOT NULL) AND ",
    ours!("pg_class", "i.indrelid"),
    " UNION ALL SELECT 'constraint ' || k.conname || ' of ' || coalesce(nullif(k.conrelid, 0)::regclass::text, \
      format_type(k.contypid, NULL)), pg_get_constraintdef(k.oid) FROM pg_constraint k \
      WHERE k.contype IN ('c', 'x') AND k.oid >= 16384 AND (k.conrelid = ANY ($1::oid[]) OR k.contypid >= 16384) \
     UNION ALL SELECT 'trigger ' || t.tgname || ' of ' || t.tgrelid::regclass::text, pg_get_triggerdef(t.oid) \
      FROM pg_trigger t WHERE NOT t.tgisinternal AND ",
    ours!("pg_class", "t.tgrelid"),
    " UNION ALL SELECT 'policy ' || p.polname || ' of ' || p.polrelid::regclass::text, \
      coalesce(pg_get_expr(p.polqual, p.polrelid), '') || ' ' || coalesce(pg_get_expr(p.polwithcheck, p.polrelid), '') \
      FROM pg_policy p WHERE p.polrelid = ANY ($1::oid[]) \
     UNION ALL SELECT 'statistics ' || s.stxname, pg_get_statisticsobjdef(s.oid) FROM pg_statistic_ext s \
      WHERE s.stxrelid = ANY ($1::oid[]) ORDER BY 1"
);

/// Distinct values as the planner knows them, for columns that the role may read.
pub(super) const DISTINCT: &str = "SELECT schemaname::text, tablename::text, attname::text, n_distinct::float8 \
    FROM pg_stats WHERE n_distinct <> 0 AND NOT inherited AND schemaname <> ALL (ARRAY['pg_catalog', 'information_schema'])";
