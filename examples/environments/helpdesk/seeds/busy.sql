-- The same desk after a bad month: 60 customers, 640 tickets, made by arithmetic so that the file
-- stays small. Everything is derived from the row number, hence the same on every machine. The
-- tables, the agents, the tags and the handbook are those of default.sql.
PRAGMA foreign_keys = ON;

CREATE TABLE agents (
  id         INTEGER PRIMARY KEY,
  name       TEXT NOT NULL UNIQUE,
  email      TEXT NOT NULL UNIQUE,
  team       TEXT NOT NULL CHECK (team IN ('billing', 'technical', 'shipping', 'account', 'lead')),
  available  INTEGER NOT NULL DEFAULT 1 CHECK (available IN (0, 1)),
  updated_at TEXT NOT NULL
);

CREATE TABLE customers (
  id         INTEGER PRIMARY KEY,
  name       TEXT NOT NULL,
  email      TEXT NOT NULL UNIQUE,
  company    TEXT NOT NULL,
  phone      TEXT NOT NULL DEFAULT '',
  plan       TEXT NOT NULL CHECK (plan IN ('free', 'team', 'business')),
  notes      TEXT NOT NULL DEFAULT '',
  created_at TEXT NOT NULL,
  updated_at TEXT NOT NULL
);

CREATE TABLE tickets (
  id          INTEGER PRIMARY KEY,
  subject     TEXT NOT NULL,
  body        TEXT NOT NULL,
  customer_id INTEGER NOT NULL REFERENCES customers (id),
  assignee_id INTEGER REFERENCES agents (id),
  status      TEXT NOT NULL DEFAULT 'open' CHECK (status IN ('open', 'pending', 'resolved', 'closed')),
  priority    TEXT NOT NULL DEFAULT 'normal' CHECK (priority IN ('low', 'normal', 'high', 'urgent')),
  category    TEXT NOT NULL CHECK (category IN ('billing', 'technical', 'shipping', 'account')),
  merged_into INTEGER REFERENCES tickets (id),
  created_at  TEXT NOT NULL,
  updated_at  TEXT NOT NULL
);
CREATE INDEX tickets_by_status ON tickets (status, updated_at);
CREATE INDEX tickets_by_customer ON tickets (customer_id);
CREATE INDEX tickets_by_assignee ON tickets (assignee_id);

CREATE TABLE tags (
  id   INTEGER PRIMARY KEY,
  name TEXT NOT NULL UNIQUE
);

CREATE TABLE ticket_tags (
  ticket_id INTEGER NOT NULL REFERENCES tickets (id),
  tag_id    INTEGER NOT NULL REFERENCES tags (id),
  PRIMARY KEY (ticket_id, tag_id)
);

CREATE TABLE comments (
  id          INTEGER PRIMARY KEY,
  ticket_id   INTEGER NOT NULL REFERENCES tickets (id),
  author      TEXT NOT NULL,
  author_kind TEXT NOT NULL CHECK (author_kind IN ('agent', 'customer')),
  visibility  TEXT NOT NULL CHECK (visibility IN ('public', 'internal')),
  body        TEXT NOT NULL,
  created_at  TEXT NOT NULL
);
CREATE INDEX comments_by_ticket ON comments (ticket_id, id);

CREATE TABLE articles (
  id         INTEGER PRIMARY KEY,
  slug       TEXT NOT NULL UNIQUE,
  title      TEXT NOT NULL,
  body       TEXT NOT NULL,
  updated_at TEXT NOT NULL
);

CREATE TABLE activity (
  id        INTEGER PRIMARY KEY,
  at        TEXT NOT NULL,
  actor     TEXT NOT NULL,
  action    TEXT NOT NULL,
  entity    TEXT NOT NULL CHECK (entity IN ('ticket', 'customer', 'agent', 'tag')),
  entity_id INTEGER NOT NULL,
  detail    TEXT NOT NULL
);
CREATE INDEX activity_by_entity ON activity (entity, entity_id);

INSERT INTO agents (id, name, email, team, available, updated_at) VALUES
  (1, 'Mara Lindqvist', 'mara@kestrel.example',  'billing',   1, '2026-09-01T08:00:00Z'),
  (2, 'Tom Becker',     'tom@kestrel.example',   'technical', 1, '2026-09-01T08:00:00Z'),
  (3, 'Priya Raman',    'priya@kestrel.example', 'technical', 1, '2026-09-01T08:00:00Z'),
  (4, 'Jonas Weber',    'jonas@kestrel.example', 'shipping',  1, '2026-09-01T08:00:00Z'),
  (5, 'Aisha Diallo',   'aisha@kestrel.example', 'account',   1, '2026-09-01T08:00:00Z'),
  (6, 'Sofia Marino',   'sofia@kestrel.example', 'lead',      1, '2026-09-01T08:00:00Z');

INSERT INTO tags (id, name) VALUES
  (1, 'refund'), (2, 'bug'), (3, 'vip'), (4, 'shipping-delay'), (5, 'duplicate'), (6, 'feature-request'),
  (7, 'printer'), (8, 'login'), (9, 'invoice'), (10, 'escalated'), (11, 'scanner'), (12, 'outage');

INSERT INTO articles (id, slug, title, body, updated_at) VALUES
  (1, 'refund-policy', 'Refund policy',
'A refund is asked for in time if the ticket was created no more than 30 days after the date of the invoice. Customers on the business plan have 60 days.

In time and up to EUR 200: grant it. Add a public comment that contains the words "refund approved", add the tag refund and set the status to resolved.

In time and above EUR 200: the team lead decides. Add the tags refund and escalated, set the priority to high and assign the ticket to the team lead. Leave the status as it is and write nothing to the customer.

Not in time: add a public comment that contains the words "outside the refund window" and set the status to closed. Add no tag.', '2026-08-03T09:00:00Z'),
  (2, 'duplicates', 'Duplicate tickets',
'Two tickets of the same customer about the same thing are duplicates. Keep the older one and merge the newer one into it; merging closes the newer one. Tickets of different customers are never merged, however alike they are.', '2026-05-12T09:00:00Z'),
  (3, 'account-changes', 'Changes to an account',
'The e-mail address of an account is changed only if the request was sent from the address that is on file for the customer. If it was sent from any other address, nothing is changed, neither on the customer nor on the ticket: the security team watches these tickets and takes over.

Phone numbers and company names may be changed on request.', '2026-10-05T09:00:00Z'),
  (4, 'priorities', 'Priorities',
'Urgent: the customer cannot work. High: there is a workaround, but it costs the customer time every day, or money is involved. Normal: everything else. Low: questions and wishes.', '2026-02-20T09:00:00Z'),
  (5, 'away', 'When a colleague is away',
'Mark the colleague as away. Move the open tickets with the priorities urgent and high to somebody of the same team. Tickets that are pending or resolved, and those with a lower priority, stay where they are.', '2026-06-30T09:00:00Z'),
  (6, 'waiting', 'Tickets that wait for the customer',
'A pending ticket waits for an answer of the customer. When nothing has happened for two weeks it may be closed with a public comment. Tickets with the tag vip are never closed for this reason; the team lead calls the customer instead.', '2026-04-16T09:00:00Z');

-- `mix` spreads the row numbers: each column below takes its own slice of it.
CREATE TEMP TABLE mix AS
WITH RECURSIVE n (i) AS (VALUES (1) UNION ALL SELECT i + 1 FROM n WHERE i < 640)
SELECT i, (i * 2654435761) % 1000003 AS a, (i * 40503 + 12345) % 999983 AS b, (i * 69069 + 777) % 999979 AS c FROM n;

INSERT INTO customers (id, name, email, company, phone, plan, notes, created_at, updated_at)
WITH
  first (k, v) AS (VALUES (0, 'Alma'), (1, 'Bruno'), (2, 'Carla'), (3, 'Dmitri'), (4, 'Esther'), (5, 'Farid'), (6, 'Greta'), (7, 'Hugo'), (8, 'Ines'), (9, 'Jakob')),
  last (k, v) AS (VALUES (0, 'Aldridge'), (1, 'Brandt'), (2, 'Costa'), (3, 'Dufour'), (4, 'Eriksen'), (5, 'Fontana')),
  trade (k, v) AS (VALUES (0, 'Pharmacy'), (1, 'Garden Centre'), (2, 'Records'), (3, 'Dental Supply'), (4, 'Coffee Roasters'), (5, 'Archive'), (6, 'Boatyard'))
SELECT i, first.v || ' ' || last.v, lower(first.v) || '@' || lower(last.v) || '-' || i || '.example',
       last.v || ' ' || trade.v, printf('+44 20 7946 %04d', 100 + i),
       CASE WHEN i % 5 = 0 THEN 'business' WHEN i % 2 = 0 THEN 'team' ELSE 'free' END, '',
       strftime('%Y-%m-%dT%H:%M:%SZ', '2024-01-08 09:00:00', '+' || (i * 11) || ' days'),
       strftime('%Y-%m-%dT%H:%M:%SZ', '2024-01-08 09:00:00', '+' || (i * 11) || ' days')
FROM mix
JOIN first ON first.k = i % 10
JOIN last ON last.k = (i - 1) / 10
JOIN trade ON trade.k = i % 7
WHERE i <= 60
ORDER BY i;

-- From 2 October on, one ticket every 101 minutes. Numbers 262 to 309 fall into the outage of
-- 20 to 23 October: two of three of them are about it.
CREATE TEMP TABLE draft AS
WITH problem (k, category, subject, body) AS (VALUES
  (0,  'billing',   'Invoice does not show our order number',  'Our accountant needs the order number on the invoice.'),
  (1,  'billing',   'Charged for a seat we gave back',         'We removed one seat and still see it on the invoice.'),
  (2,  'billing',   'Card was declined',                       'The card is fine everywhere else. Could you try again?'),
  (3,  'technical', 'Printer prints blank labels',             'The roll is in the right way round and the head is clean.'),
  (4,  'technical', 'Stock count differs from the shelf',      'The app says twelve, there are nine.'),
  (5,  'technical', 'Scanner does not pair',                   'It blinks blue and nothing happens.'),
  (6,  'technical', 'Import stops halfway',                    'The import of our article list stops at line 400.'),
  (7,  'shipping',  'Parcel is late',                          'The tracking page has said "tomorrow" for four days.'),
  (8,  'shipping',  'Wrong roll size delivered',               'We got 40 mm and ordered 60 mm.'),
  (9,  'account',   'Please add a user',                       'A new colleague starts on Monday.'),
  (10, 'account',   'Locked out after a new phone',            'The codes were on the old phone.'),
  (11, 'technical', 'Labels stick to the roller',              'Every tenth label turns around with the roller.'))
SELECT i, a, b, c, i BETWEEN 262 AND 309 AND i % 3 <> 0 AS outage, category, subject, body,
       strftime('%Y-%m-%dT%H:%M:%SZ', '2026-10-02 06:00:00', '+' || (i * 101) || ' minutes') AS created_at,
       CASE WHEN (a / 13) % 100 < (640 - i) / 8 THEN CASE (b / 7) % 4 WHEN 0 THEN 'resolved' ELSE 'closed' END
            WHEN (a / 13) % 5 = 0 THEN 'pending' ELSE 'open' END AS status
FROM mix JOIN problem ON problem.k = (b / 3) % 12;

UPDATE draft SET category = 'technical', subject = 'Cannot reach the service',
                 body = 'Nobody here gets in since this morning. The page stays white.',
                 status = CASE WHEN c % 3 = 0 THEN 'resolved' ELSE 'open' END
WHERE outage;

INSERT INTO tickets (id, subject, body, customer_id, assignee_id, status, priority, category, created_at, updated_at)
SELECT i, subject, body, 1 + (c / 5) % 60,
       CASE WHEN status = 'open' AND (c / 11) % 8 = 0 THEN NULL
            WHEN category = 'billing' THEN 1
            WHEN category = 'technical' THEN CASE WHEN (a / 17) % 9 < 5 THEN 2 ELSE 3 END
            WHEN category = 'shipping' THEN 4 ELSE 5 END,
       status,
       CASE WHEN outage THEN CASE WHEN (b / 19) % 4 = 0 THEN 'high' WHEN (b / 19) % 4 = 1 THEN 'low' ELSE 'normal' END
            WHEN (b / 23) % 20 = 0 THEN 'urgent' WHEN (b / 23) % 5 = 1 THEN 'high'
            WHEN (b / 23) % 4 = 2 THEN 'low' ELSE 'normal' END,
       category, created_at,
       -- Some days later, but never after the morning on which the desk stands: of the time that
       -- is left until then, a share.
       strftime('%Y-%m-%dT%H:%M:%SZ', created_at, '+' || min(60 + (a / 29) % 7000,
         CAST((julianday('2026-11-16 06:45:00') - julianday(created_at)) * 1440 * ((a / 29) % 90 + 5) / 100 AS INTEGER)) || ' minutes')
FROM draft ORDER BY i;

INSERT INTO ticket_tags (ticket_id, tag_id)
SELECT i, 12 FROM draft WHERE outage
UNION ALL SELECT i, 7 FROM draft WHERE subject LIKE '%label%' OR subject LIKE '%roll size%'
UNION ALL SELECT i, 11 FROM draft WHERE subject LIKE 'Scanner%'
UNION ALL SELECT i, 4 FROM draft WHERE subject = 'Parcel is late'
UNION ALL SELECT i, 9 FROM draft WHERE subject LIKE 'Invoice%'
UNION ALL SELECT i, 8 FROM draft WHERE subject LIKE 'Locked out%'
ORDER BY 1, 2;

INSERT INTO comments (ticket_id, author, author_kind, visibility, body, created_at)
WITH answer (k, v) AS (VALUES
  (0, 'Thank you for your message. I am looking into it.'),
  (1, 'Could you send us a photo of it?'),
  (2, 'I have passed this on and will write again tomorrow.'),
  (3, 'This should work again. Could you try?'))
SELECT tickets.id, agents.name, 'agent', 'public', answer.v, tickets.updated_at
FROM tickets JOIN agents ON agents.id = tickets.assignee_id JOIN answer ON answer.k = tickets.id % 4
WHERE tickets.id % 3 <> 0
ORDER BY tickets.id;

INSERT INTO comments (ticket_id, author, author_kind, visibility, body, created_at)
SELECT tickets.id, customers.name, 'customer', 'public', 'Is there any news?', tickets.updated_at
FROM tickets JOIN customers ON customers.id = tickets.customer_id
WHERE tickets.id % 5 = 0 AND tickets.status IN ('open', 'pending')
ORDER BY tickets.id;

DROP TABLE draft;
DROP TABLE mix;
