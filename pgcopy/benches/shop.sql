-- A shop of about 2 GB at :scale = 1000 (thousandths): 12 tables, one with TOAST, one partitioned, keys, JSON.
CREATE TABLE country (id int PRIMARY KEY, name text NOT NULL);
INSERT INTO country SELECT i, 'country ' || i FROM generate_series(1, 200) i;
CREATE TABLE category (id int PRIMARY KEY, parent int REFERENCES category, title text);
INSERT INTO category SELECT i, nullif(i / 10, 0), 'category ' || i FROM generate_series(1, 2000) i;
CREATE TABLE customer (id bigint PRIMARY KEY, email text NOT NULL UNIQUE, first_name text, last_name text, phone text,
  country int REFERENCES country, card varchar(19), born date, created timestamptz NOT NULL);
INSERT INTO customer SELECT i, 'user' || i || '@mail' || i % 97 || '.test', 'Given' || i % 5000, 'Family' || i % 20000,
  '+81 90-' || lpad((i % 10000)::text, 4, '0') || '-' || lpad((i / 7 % 10000)::text, 4, '0'), 1 + i % 200,
  lpad((4000000000000000 + i::bigint * 7919)::text, 16, '0'), '1950-01-01'::date + i % 20000, '2020-01-01'::timestamptz + i * interval '1 minute'
  FROM generate_series(1, 500 * :scale) i;
CREATE TABLE address (id bigint PRIMARY KEY, customer bigint NOT NULL REFERENCES customer, street text, zip varchar(10), city text);
INSERT INTO address SELECT i, 1 + i % (500 * :scale), i || ' Long Street, floor ' || i % 40, lpad((i % 100000)::text, 5, '0'), 'City ' || i % 3000
  FROM generate_series(1, 600 * :scale) i;
CREATE TABLE product (id int PRIMARY KEY, category int REFERENCES category, sku text UNIQUE, title text, price numeric(10, 2));
INSERT INTO product SELECT i, 1 + i % 2000, 'SKU-' || i, 'product ' || md5(i::text), i % 1000 + 0.99 FROM generate_series(1, 50 * :scale) i;
CREATE TABLE orders (id bigint PRIMARY KEY, customer bigint NOT NULL REFERENCES customer, contact text, status text, total numeric(12, 2), at timestamptz);
INSERT INTO orders SELECT i, 1 + i % (500 * :scale), 'user' || (1 + i % (500 * :scale)) || '@mail.test', CASE i % 3 WHEN 0 THEN 'open' ELSE 'paid' END,
  i % 100000 / 3.0, '2022-01-01'::timestamptz + i * interval '10 seconds' FROM generate_series(1, 1500 * :scale) i;
CREATE TABLE line (id bigint PRIMARY KEY, orders bigint NOT NULL REFERENCES orders, product int REFERENCES product, quantity int, price numeric(10, 2));
INSERT INTO line SELECT i, 1 + i % (1500 * :scale), 1 + i % (50 * :scale), i % 9, i % 1000 + 0.5 FROM generate_series(1, 4000 * :scale) i;
CREATE TABLE payment (id bigint PRIMARY KEY, orders bigint NOT NULL REFERENCES orders, iban text, amount numeric(12, 2), at timestamptz);
INSERT INTO payment SELECT i, i, 'DE' || lpad((i % 97)::text, 2, '0') || lpad(i::text, 18, '0'), i % 5000, '2022-01-01'::timestamptz + i * interval '11 seconds'
  FROM generate_series(1, 1500 * :scale) i;
CREATE TABLE event (id bigint, at date NOT NULL, customer bigint, kind text, ip inet, PRIMARY KEY (id, at)) PARTITION BY RANGE (at);
CREATE TABLE event_1 PARTITION OF event FOR VALUES FROM ('2024-01-01') TO ('2024-04-01');
CREATE TABLE event_2 PARTITION OF event FOR VALUES FROM ('2024-04-01') TO ('2024-07-01');
CREATE TABLE event_3 PARTITION OF event FOR VALUES FROM ('2024-07-01') TO ('2025-01-01');
INSERT INTO event SELECT i, '2024-01-01'::date + i % 366, i % (500 * :scale), 'kind ' || i % 20, '10.0.0.0'::inet + i % 16000000
  FROM generate_series(1, 3000 * :scale) i;
CREATE TABLE document (id bigint PRIMARY KEY, customer bigint REFERENCES customer, body jsonb);
INSERT INTO document SELECT i, 1 + i % (500 * :scale), jsonb_build_object('email', 'user' || i || '@mail.test', 'plan', 'gold', 'pages', p)
  FROM generate_series(1, 80 * :scale) i,
  LATERAL (SELECT jsonb_agg(md5(i::text || n) || md5(n::text || i)) AS p FROM generate_series(1, 70) n WHERE i > 0) x;
CREATE TABLE visit (id bigint PRIMARY KEY, customer bigint, token uuid, seen timestamptz);
INSERT INTO visit SELECT i, i % (500 * :scale), md5(i::text)::uuid, '2024-01-01'::timestamptz + i * interval '3 seconds' FROM generate_series(1, 1000 * :scale) i;
CREATE TABLE note (id bigint PRIMARY KEY, customer bigint REFERENCES customer, body text);
INSERT INTO note SELECT i, 1 + i % (500 * :scale), repeat('note ' || i || ' ', 6) FROM generate_series(1, 400 * :scale) i;
CREATE INDEX ON orders (customer);
CREATE INDEX ON orders (at);
CREATE INDEX ON line (orders);
CREATE INDEX ON payment (orders);
CREATE INDEX ON event (customer);
CREATE INDEX ON document (customer);
CREATE INDEX ON customer (last_name, first_name);
VACUUM ANALYZE;
