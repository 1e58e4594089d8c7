CREATE EXTENSION citext;
CREATE EXTENSION hstore;
CREATE EXTENSION pg_trgm;
CREATE SCHEMA shop;
CREATE TYPE shop.mood AS ENUM ('sad', 'it''s; ok', 'happy');
CREATE TYPE shop.address AS (street text, zip varchar(8));
CREATE DOMAIN shop.positive AS int CHECK (VALUE > 0);
CREATE FUNCTION shop.touch() RETURNS trigger LANGUAGE plpgsql AS $body$
BEGIN -- ; a fake end
  RAISE EXCEPTION 'a trigger fired during the load';
END $body$;
CREATE FUNCTION shop.double(int) RETURNS int LANGUAGE sql IMMUTABLE BEGIN ATOMIC SELECT $1 * 2; END;
CREATE TABLE public."Users.all" (
  id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
  email citext NOT NULL UNIQUE,
  "weird ""name"" é" text,
  tags text[] DEFAULT '{a,b}',
  attrs hstore,
  mood shop.mood DEFAULT 'happy',
  home shop.address,
  lower_mail text GENERATED ALWAYS AS (lower(email::text)) STORED
);
CREATE INDEX ON public."Users.all" USING gin ("weird ""name"" é" gin_trgm_ops);
INSERT INTO public."Users.all" (email, "weird ""name"" é", attrs, mood, home)
  SELECT 'u' || i || '@example.com', E'tab\there\nline \\ ' || i, hstore('k', i::text),
    CASE WHEN i % 2 = 0 THEN 'it''s; ok'::shop.mood END, ROW('street ' || i, i::text)::shop.address
  FROM generate_series(1, 300) i;
CREATE TABLE shop.orders (
  id serial PRIMARY KEY,
  user_id bigint NOT NULL REFERENCES public."Users.all" (id) ON DELETE CASCADE,
  status text NOT NULL CHECK (status IN ('open', 'paid')),
  amount numeric(10, 2),
  quantity shop.positive,
  parent int,
  doc jsonb,
  UNIQUE (user_id, id)
);
ALTER TABLE shop.orders ADD CONSTRAINT late CHECK (amount < 1000000) NOT VALID;
INSERT INTO shop.orders (user_id, status, amount, quantity, parent, doc)
  SELECT 1 + i % 300, CASE WHEN i % 3 = 0 THEN 'open' ELSE 'paid' END, i / 7.0, i, nullif(i - 1, 0),
    jsonb_build_object('n', i, 'text', repeat('x', i % 50))
  FROM generate_series(1, 1000) i;
CREATE INDEX orders_open ON shop.orders (lower(status)) WHERE status = 'open';
ALTER TABLE shop.orders ENABLE ROW LEVEL SECURITY;
CREATE POLICY own ON shop.orders USING (user_id = 1);
CREATE TRIGGER touch BEFORE INSERT OR UPDATE ON shop.orders FOR EACH ROW EXECUTE FUNCTION shop.touch();
ALTER TABLE shop.orders DISABLE TRIGGER touch;
CREATE TABLE shop.events (id bigint, at date NOT NULL, what text, PRIMARY KEY (id, at, what)) PARTITION BY RANGE (at);
CREATE TABLE shop.events_2024 PARTITION OF shop.events FOR VALUES FROM ('2024-01-01') TO ('2025-01-01')
  PARTITION BY LIST (what);
CREATE TABLE shop.events_2024_a PARTITION OF shop.events_2024 FOR VALUES IN ('a');
CREATE TABLE shop.events_2024_rest PARTITION OF shop.events_2024 DEFAULT;
CREATE TABLE shop.events_2025 PARTITION OF shop.events FOR VALUES FROM ('2025-01-01') TO ('2026-01-01');
CREATE INDEX ON shop.events (what);
INSERT INTO shop.events SELECT i, '2024-06-01'::date + i, chr(97 + i % 3) FROM generate_series(1, 500) i;
CREATE TABLE shop.everything (
  a int PRIMARY KEY, b smallint, c real, d double precision, e numeric, f boolean, g date, h time, i timestamptz,
  j interval, k uuid, l inet, m macaddr, n bytea, o bit(5), p int4range, q point, r json, s xml, t char(5),
  u varchar(10), v tsvector, w regclass, x money, y int[][], z shop.mood[], z1 timestamp, z2 "char", z3 tstzrange
);
INSERT INTO shop.everything SELECT x, x, x / 3.0, x / 7.0, x / 11.0, x % 2 = 0, '2020-01-01'::date + x, '10:00',
  '2020-01-01 00:00+09'::timestamptz + x * interval '1 hour', x * interval '1 day', md5(x::text)::uuid,
  '10.0.0.0'::inet + x, '08:00:2b:01:02:03', decode(md5(x::text), 'hex'), B'10101', int4range(x, x + 5),
  point(x, 1), '{"a":  1}', '<a/>', 'abc', 'é' || x, to_tsvector('simple', 'fat cat ' || x), 'shop.orders', 12.5,
  ARRAY[ARRAY[x, NULL], ARRAY[3, 4]], ARRAY['sad', 'happy']::shop.mood[], 'infinity', 'x',
  tstzrange('2020-01-01', NULL)
  FROM generate_series(1, 50) x;
INSERT INTO shop.everything (a, c, d, e) VALUES (1000, 'NaN', '-Infinity', 'NaN');
CREATE TABLE shop.animal (name text PRIMARY KEY);
CREATE TABLE shop.dog (breed text) INHERITS (shop.animal);
INSERT INTO shop.animal VALUES ('cat');
INSERT INTO shop.dog VALUES ('rex', 'mix'), ('bo', NULL);
CREATE TABLE shop.node (id int PRIMARY KEY, other int);
CREATE TABLE shop.edge (id int PRIMARY KEY REFERENCES shop.node (id));
INSERT INTO shop.node VALUES (1, 2), (2, 1), (3, 99);
INSERT INTO shop.edge VALUES (1), (2);
ALTER TABLE shop.node ADD CONSTRAINT dangling FOREIGN KEY (other) REFERENCES shop.edge (id) NOT VALID;
CREATE TABLE shop.empty ();
ALTER TABLE shop.orders ADD FOREIGN KEY (parent) REFERENCES shop.orders (id) DEFERRABLE INITIALLY DEFERRED;
CREATE MATERIALIZED VIEW shop.totals AS SELECT user_id, count(*) AS n, sum(amount) AS total FROM shop.orders GROUP BY 1;
CREATE UNIQUE INDEX ON shop.totals (user_id);
CREATE VIEW shop.open_orders AS SELECT id, doc FROM shop.orders WHERE status = 'open' ORDER BY id LIMIT 5;
CREATE STATISTICS shop.orders_stat ON user_id, status FROM shop.orders;
COMMENT ON TABLE shop.orders IS 'orders; with '' quotes';
COMMENT ON COLUMN shop.orders.amount IS 'in yen';
COMMENT ON INDEX shop.orders_open IS 'open ones';
CREATE SEQUENCE shop.invoice START 1000 INCREMENT 5;
SELECT nextval('shop.invoice'), nextval('shop.invoice');
CREATE PUBLICATION pub FOR TABLE shop.orders;
CREATE FUNCTION public.noop() RETURNS event_trigger LANGUAGE plpgsql AS $$ BEGIN END $$;
CREATE EVENT TRIGGER ev ON sql_drop EXECUTE FUNCTION public.noop();
SELECT lo_create(0);
ALTER DATABASE shop SET work_mem = '7MB';
ALTER DATABASE shop SET app.secret = 'hunter2';
ANALYZE;
