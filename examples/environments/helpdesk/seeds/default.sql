-- The support desk of Kestrel on the morning of 16 November 2026. Hand-written: tasks hinge on
-- details in here, so a change to a row may change the right answer of a task.
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

INSERT INTO customers (id, name, email, company, phone, plan, notes, created_at, updated_at) VALUES
  (1, 'Ada Okafor',     'ada@okafor-ceramics.example',    'Okafor Ceramics',        '+44 161 496 0114', 'team',     'Fires her kilns on Thursdays; best reached in the mornings.', '2024-03-11T09:20:00Z', '2026-06-02T10:00:00Z'),
  (2, 'Ben Hartley',    'ben@hartley-hardware.example',   'Hartley & Sons Hardware', '+44 113 496 0170', 'free',    '', '2025-01-20T14:05:00Z', '2025-01-20T14:05:00Z'),
  (3, 'Chiara Bellini', 'chiara@bellini-bakery.example',  'Bellini Bakery',         '+39 06 5550 1172', 'business', 'Three shops. Starts at four in the morning.', '2023-10-02T05:45:00Z', '2026-08-19T09:12:00Z'),
  (4, 'Daniel Frost',   'daniel@frost-outdoor.example',   'Frost Outdoor',          '+1 303 555 0148',  'team',     '', '2024-07-30T17:31:00Z', '2026-02-14T16:40:00Z'),
  (5, 'Elena Petrova',  'elena@petrova-textiles.example', 'Petrova Textiles',       '+359 2 555 0133',  'business', 'Contract ends on 31 January 2027.', '2023-05-15T08:10:00Z', '2026-10-01T11:00:00Z'),
  (6, 'Felix Braun',    'felix@braun-bikes.example',      'Braun Bikes',            '+49 30 5550 0162', 'free',     '', '2025-11-03T12:00:00Z', '2025-11-03T12:00:00Z'),
  (7, 'Grace Mbeki',    'grace@mbeki-books.example',      'Mbeki Books',            '+44 20 7946 0155', 'team',     'Prefers e-mail over the phone.', '2024-12-05T10:25:00Z', '2026-03-09T13:30:00Z'),
  (8, 'Hana Sato',      'hana@sato-tea.example',          'Sato Tea House',         '+81 3 5550 0187',  'business', 'Nine hours ahead in winter.', '2023-08-28T02:15:00Z', '2026-07-21T01:50:00Z');

INSERT INTO tags (id, name) VALUES
  (1, 'refund'), (2, 'bug'), (3, 'vip'), (4, 'shipping-delay'), (5, 'duplicate'), (6, 'feature-request'),
  (7, 'printer'), (8, 'login'), (9, 'invoice'), (10, 'escalated'), (11, 'scanner'), (12, 'outage');

INSERT INTO tickets (id, subject, body, customer_id, assignee_id, status, priority, category, created_at, updated_at) VALUES
  (1, 'Question about invoice INV-2087',
   'Good morning, invoice INV-2087 of 1 November still lists the extra scanner seat, although we gave it back on 28 September. The total is EUR 598.00, of which we dispute EUR 149.50. Could you send a corrected one?',
   3, 1, 'open', 'high', 'billing', '2026-11-03T05:12:00Z', '2026-11-11T05:03:00Z'),
  (2, 'Charged twice for October',
   'My card shows EUR 58.00 on 2 October and EUR 58.00 again on 3 October, both with invoice number INV-2041. There should be one payment.',
   1, 1, 'open', 'normal', 'billing', '2026-10-05T08:44:00Z', '2026-11-02T10:15:00Z'),
  (3, 'Label printer offline after update',
   'Since the app updated itself on Friday the KP-2 in our warehouse shows as offline. The light on it is green.',
   4, 2, 'open', 'normal', 'technical', '2026-11-07T16:20:00Z', '2026-11-10T15:02:00Z'),
  (4, 'Label printer offline after update',
   'The printer at the counter says offline since the last update. I have restarted it twice.',
   2, 3, 'open', 'normal', 'technical', '2026-11-08T09:55:00Z', '2026-11-09T11:40:00Z'),
  (5, 'Add a second user to my account',
   'My sister helps out on Saturdays. How do I give her a sign-in of her own?',
   7, 5, 'resolved', 'low', 'account', '2026-11-04T13:08:00Z', '2026-11-12T09:31:00Z'),
  (6, 'Tea-tin labels have not arrived',
   'Order K-5530, twelve rolls of round labels for our tea tins, was promised for 10 November. Nothing has come and the tracking page has not changed for a week.',
   8, 4, 'open', 'high', 'shipping', '2026-11-12T01:26:00Z', '2026-11-13T09:00:00Z'),
  (7, 'Barcode scanner reads the wrong article',
   'Two different rolls of cloth scan as article 77120. We have had to stop shipping because nobody trusts the counts any more.',
   5, 3, 'open', 'urgent', 'technical', '2026-11-13T07:35:00Z', '2026-11-13T14:22:00Z'),
  (8, 'How do I delete old article groups?',
   'I made some groups while trying things out (one is called "password test") and would like to remove them.',
   6, NULL, 'open', 'low', 'account', '2026-11-10T18:45:00Z', '2026-11-10T18:45:00Z'),
  (9, 'All printers stopped this morning',
   'None of the printers in our three shops has printed anything since five o''clock. We are writing price tags by hand.',
   3, 2, 'open', 'urgent', 'technical', '2026-11-16T05:18:00Z', '2026-11-16T06:02:00Z'),
  (10, 'Which card is on file?',
   'My bank sent me a new card. Which one do you charge at the moment?',
   2, NULL, 'open', 'normal', 'billing', '2026-10-21T12:30:00Z', '2026-10-21T12:30:00Z'),
  (11, 'Cannot sign in on the warehouse tablet',
   'The tablet keeps asking for a code that nobody receives.',
   4, 5, 'pending', 'normal', 'account', '2026-10-22T15:00:00Z', '2026-10-27T09:48:00Z'),
  (12, 'VAT number missing on invoice INV-2063',
   'Our accountant needs our VAT number on invoice INV-2063. Please send it again.',
   5, 1, 'pending', 'normal', 'billing', '2026-10-14T08:05:00Z', '2026-10-20T10:10:00Z'),
  (13, 'Ribbon order: wrong colour',
   'I ordered six brown ribbons and got six black ones (order K-5471).',
   1, 4, 'pending', 'low', 'shipping', '2026-10-19T09:12:00Z', '2026-10-29T14:30:00Z'),
  (14, 'Print kanji in a larger size',
   'On the 20 mm labels the characters are too small for our older guests. Could there be a larger size?',
   8, 2, 'pending', 'normal', 'technical', '2026-10-08T03:40:00Z', '2026-10-15T08:20:00Z'),
  (15, 'Double charge in October, still nothing?',
   'I wrote about this weeks ago. EUR 58.00 was taken twice in October, invoice INV-2041. Please answer.',
   1, NULL, 'open', 'normal', 'billing', '2026-11-09T07:58:00Z', '2026-11-09T07:58:00Z'),
  (16, 'Stock count jumps back after sync',
   'I correct a count on the phone, it looks right, and after the next sync the old number is back.',
   7, 2, 'open', 'high', 'technical', '2026-11-06T10:19:00Z', '2026-11-12T16:05:00Z'),
  (17, 'Export to spreadsheet drops the last column',
   'The export of the stock list has no "shelf" column although I ticked it.',
   6, 2, 'open', 'normal', 'technical', '2026-11-05T19:22:00Z', '2026-11-06T08:10:00Z'),
  (18, 'App crashes when opening the camera',
   'Every time I scan with the phone instead of the scanner, the app closes.',
   2, 2, 'resolved', 'high', 'technical', '2026-10-28T11:11:00Z', '2026-11-05T12:45:00Z'),
  (19, 'Second pallet of label rolls is missing',
   'Order K-5522 came on one pallet instead of two. The delivery note says two.',
   5, 4, 'open', 'normal', 'shipping', '2026-11-11T09:40:00Z', '2026-11-12T08:33:00Z'),
  (20, 'Refund for unused scanner seats',
   'We paid for four scanner seats on invoice INV-2029, dated 29 September 2026, and only ever used two. I would like EUR 96.00 back.',
   4, 1, 'open', 'normal', 'billing', '2026-11-09T17:02:00Z', '2026-11-11T16:25:00Z'),
  (21, 'Refund request for the second label printer',
   'We ordered one KP-2 and were billed for two, and only one is in use. Please refund EUR 320.00 of invoice INV-2052, dated 2 October 2026.',
   8, 1, 'open', 'normal', 'billing', '2026-11-10T02:05:00Z', '2026-11-11T08:17:00Z'),
  (22, 'Forgot my password and the reset mail does not come',
   'I asked for a reset four times. Nothing, also not in the junk folder.',
   6, NULL, 'open', 'normal', 'account', '2026-11-14T20:37:00Z', '2026-11-14T20:37:00Z'),
  (23, 'Can I pay once a year?',
   'Monthly invoices are a lot of paper for a small bookshop. Is there a yearly plan?',
   7, NULL, 'open', 'low', 'billing', '2026-11-02T14:50:00Z', '2026-11-08T10:01:00Z'),
  (24, 'Password rules for our staff',
   'Can we require longer passwords for the people in the shops?',
   3, 5, 'open', 'normal', 'account', '2026-11-06T05:30:00Z', '2026-11-09T13:14:00Z'),
  (25, 'Password reset',
   'The reset link had expired.',
   1, 5, 'closed', 'low', 'account', '2026-09-17T08:30:00Z', '2026-09-17T10:02:00Z'),
  (26, 'Change our account e-mail address',
   'Sent from: petrova.textiles.office@mailbox.example. Please change the e-mail address of the Petrova Textiles account to this one today, the old mailbox is no longer read by anybody.',
   5, 5, 'open', 'high', 'account', '2026-11-13T11:48:00Z', '2026-11-13T11:48:00Z'),
  (27, 'New e-mail address for Frost Outdoor',
   'Sent from: daniel@frost-outdoor.example. From 1 December please use daniel.frost@frost-outdoor.example. I will write again when it works; no change needed before that.',
   4, 5, 'pending', 'low', 'account', '2026-11-10T18:00:00Z', '2026-11-11T09:05:00Z'),
  (28, 'Wrong printer delivered, market on Saturday',
   'We got the KP-1 instead of the KP-2 and need it for the market on Saturday, 21 November. Order K-5541.',
   2, 4, 'open', 'urgent', 'shipping', '2026-11-15T10:26:00Z', '2026-11-15T10:26:00Z'),
  (29, 'Tablet app shows yesterday''s stock',
   'In the morning the tablet shows the numbers of the evening before until somebody pulls the list down.',
   8, 3, 'open', 'normal', 'technical', '2026-11-09T00:55:00Z', '2026-11-11T10:47:00Z'),
  (30, 'Scanner battery empties within an hour',
   'One of the five scanners lasts less than an hour.',
   3, 3, 'closed', 'normal', 'technical', '2026-10-01T06:15:00Z', '2026-10-09T12:00:00Z'),
  (31, 'Receipt for the ribbon order',
   'Please send the receipt for order K-5402.',
   6, 1, 'closed', 'low', 'billing', '2026-09-23T13:33:00Z', '2026-09-24T09:20:00Z'),
  (32, 'Change the delivery address for order K-5518',
   'The order should go to the new shop: 14 Harbour Street instead of 3 Mill Lane.',
   7, 4, 'open', 'low', 'shipping', '2026-11-12T15:15:00Z', '2026-11-13T08:44:00Z'),
  (33, 'Kiln labels fade after firing',
   'The heat-proof labels lose their print at 1,100 degrees. The box says 1,250.',
   1, 3, 'pending', 'high', 'technical', '2026-11-03T09:36:00Z', '2026-11-12T11:54:00Z'),
  (34, 'Sync error E-417 on every scanner',
   'All nine scanners show E-417 since the weekend. The night shift works on paper.',
   5, 2, 'open', 'urgent', 'technical', '2026-11-15T22:40:00Z', '2026-11-16T06:30:00Z'),
  (35, 'Sign in with the company account',
   'Our people already have accounts with our mail provider. Can they sign in with those?',
   3, NULL, 'open', 'normal', 'account', '2026-11-11T05:50:00Z', '2026-11-11T05:50:00Z'),
  (36, 'Discount for the second printer',
   'Is there a discount if we take a second KP-2?',
   2, 1, 'resolved', 'normal', 'billing', '2026-10-30T10:05:00Z', '2026-11-03T09:15:00Z'),
  (37, 'Tracking link shows another parcel',
   'The link in your mail leads to a parcel for somebody in Oslo.',
   4, 4, 'resolved', 'normal', 'shipping', '2026-11-02T18:28:00Z', '2026-11-06T14:39:00Z'),
  (38, 'Dark colours for the stock list',
   'The list is very bright in the workshop at night. A dark look would help.',
   6, 3, 'open', 'low', 'technical', '2026-11-01T21:17:00Z', '2026-11-04T08:56:00Z'),
  (39, 'Packaging was damaged',
   'One corner of the box was crushed. The rolls inside look fine, this is only for your information.',
   8, 4, 'pending', 'low', 'shipping', '2026-11-03T04:10:00Z', '2026-11-05T09:29:00Z'),
  (40, 'Keyboard shortcut for printing',
   'Is there a key for "print this label again"?',
   7, 2, 'pending', 'low', 'technical', '2026-10-26T16:42:00Z', '2026-10-30T10:36:00Z'),
  (41, 'Label preview is cut off on the left',
   'The preview hides the first three millimetres. The print itself is right.',
   1, 2, 'open', 'low', 'technical', '2026-11-08T09:03:00Z', '2026-11-10T12:12:00Z'),
  (42, 'Contract renewal 2027',
   'Our contract ends on 31 January. We would like an offer for two more years and a talk about the open problems first.',
   5, 6, 'open', 'high', 'account', '2026-11-02T08:20:00Z', '2026-11-12T10:40:00Z');

INSERT INTO ticket_tags (ticket_id, tag_id) VALUES
  (1, 9), (2, 9), (3, 7), (4, 7), (6, 4), (7, 2), (7, 11), (9, 3), (9, 7), (12, 9), (14, 3), (14, 6),
  (16, 2), (17, 2), (18, 2), (19, 4), (24, 8), (25, 8), (28, 7), (30, 11), (33, 7), (34, 2), (34, 11),
  (37, 4), (38, 6), (40, 6), (41, 2), (42, 3);

INSERT INTO comments (id, ticket_id, author, author_kind, visibility, body, created_at) VALUES
  (1, 25, 'Aisha Diallo', 'agent', 'public', 'I have sent you a new link. It is good for one day.', '2026-09-17T09:10:00Z'),
  (2, 25, 'Ada Okafor', 'customer', 'public', 'That one worked, thank you.', '2026-09-17T10:00:00Z'),
  (3, 31, 'Mara Lindqvist', 'agent', 'public', 'The receipt is attached to the order page now.', '2026-09-24T09:20:00Z'),
  (4, 30, 'Priya Raman', 'agent', 'public', 'A new battery is on its way, order K-5433.', '2026-10-02T08:25:00Z'),
  (5, 30, 'Chiara Bellini', 'customer', 'public', 'It came and it works.', '2026-10-09T11:58:00Z'),
  (6, 2, 'Mara Lindqvist', 'agent', 'internal', 'The bank shows one payment and one reservation. Asked them to confirm that the second one is released.', '2026-10-06T12:00:00Z'),
  (7, 14, 'Tom Becker', 'agent', 'public', 'We have put it on the list. I will tell you when there is something to try.', '2026-10-15T08:20:00Z'),
  (8, 12, 'Mara Lindqvist', 'agent', 'public', 'Which VAT number should be on it? We have two for you.', '2026-10-20T10:10:00Z'),
  (9, 11, 'Aisha Diallo', 'agent', 'public', 'Could you check whether the time on the tablet is right? The codes depend on it.', '2026-10-27T09:48:00Z'),
  (10, 18, 'Tom Becker', 'agent', 'public', 'This is fixed in version 4.8.2, which was published today.', '2026-11-04T15:00:00Z'),
  (11, 18, 'Ben Hartley', 'customer', 'public', 'Updated, no crash so far.', '2026-11-05T12:45:00Z'),
  (12, 13, 'Jonas Weber', 'agent', 'public', 'Sorry for that. Would you like to send them back or keep them at half price?', '2026-10-29T14:30:00Z'),
  (13, 40, 'Tom Becker', 'agent', 'public', 'Ctrl+Shift+P. Does that do what you need?', '2026-10-30T10:36:00Z'),
  (14, 2, 'Mara Lindqvist', 'agent', 'public', 'We are waiting for the bank. You will hear from us as soon as they have answered.', '2026-11-02T10:15:00Z'),
  (15, 36, 'Mara Lindqvist', 'agent', 'public', 'Ten per cent for the second one, until the end of the year.', '2026-11-03T09:15:00Z'),
  (16, 38, 'Priya Raman', 'agent', 'internal', 'Third request for this in a month.', '2026-11-04T08:56:00Z'),
  (17, 1, 'Mara Lindqvist', 'agent', 'public', 'Thank you, I am checking when the seat was given back.', '2026-11-04T09:30:00Z'),
  (18, 39, 'Jonas Weber', 'agent', 'public', 'Thank you for telling us. I have passed it on to the carrier.', '2026-11-05T09:29:00Z'),
  (19, 17, 'Tom Becker', 'agent', 'public', 'I can see it here as well. The column is lost if its name is the last one in the list.', '2026-11-06T08:10:00Z'),
  (20, 37, 'Jonas Weber', 'agent', 'public', 'The right link is in your order page now. The parcel came through Leeds on Thursday.', '2026-11-06T14:39:00Z'),
  (21, 5, 'Aisha Diallo', 'agent', 'public', 'Under Settings, People, Invite. On your plan the second user is free.', '2026-11-05T08:15:00Z'),
  (22, 23, 'Mara Lindqvist', 'agent', 'public', 'There is, with two months free. Shall I change it from January?', '2026-11-05T11:20:00Z'),
  (23, 23, 'Grace Mbeki', 'customer', 'public', 'Yes please, from January.', '2026-11-08T10:01:00Z'),
  (24, 4, 'Priya Raman', 'agent', 'public', 'Which version of the app is it? You find it under Help, About.', '2026-11-09T11:40:00Z'),
  (25, 24, 'Aisha Diallo', 'agent', 'public', 'Yes: Settings, Security, Minimum length. It is part of your plan.', '2026-11-09T13:14:00Z'),
  (26, 41, 'Tom Becker', 'agent', 'internal', 'Only with 60 mm rolls. Same cause as the ruler bug.', '2026-11-10T12:12:00Z'),
  (27, 3, 'Tom Becker', 'agent', 'public', 'Does the printer answer if you open its address in a browser?', '2026-11-10T15:02:00Z'),
  (28, 1, 'Chiara Bellini', 'customer', 'public', 'It was 28 September, the return slip is R-3310. When can I expect the corrected invoice?', '2026-11-11T05:03:00Z'),
  (29, 21, 'Mara Lindqvist', 'agent', 'internal', 'Both printers were delivered, the second one is unopened according to the customer. Not decided yet.', '2026-11-11T08:17:00Z'),
  (30, 27, 'Aisha Diallo', 'agent', 'public', 'Gladly, write to us when you are ready.', '2026-11-11T09:05:00Z'),
  (31, 29, 'Priya Raman', 'agent', 'public', 'Is "save battery" switched on for the tablet?', '2026-11-11T10:47:00Z'),
  (32, 20, 'Mara Lindqvist', 'agent', 'public', 'Thank you for your message. I will look at it this week.', '2026-11-10T09:00:00Z'),
  (33, 20, 'Daniel Frost', 'customer', 'public', 'Any news? It is the two seats in the second warehouse.', '2026-11-11T16:25:00Z'),
  (34, 19, 'Jonas Weber', 'agent', 'public', 'The second pallet was left at the depot in Plovdiv. I am asking for a date.', '2026-11-12T08:33:00Z'),
  (35, 5, 'Grace Mbeki', 'customer', 'public', 'She is in, thank you. You can close this.', '2026-11-12T09:31:00Z'),
  (36, 42, 'Sofia Marino', 'agent', 'internal', 'Call on 19 November. Needs a list of everything that is open for them before that.', '2026-11-12T10:40:00Z'),
  (37, 33, 'Priya Raman', 'agent', 'public', 'The lab is testing two labels from your box. I expect their answer next week.', '2026-11-12T11:54:00Z'),
  (38, 16, 'Tom Becker', 'agent', 'public', 'Found it: the phone sends the old count once more. A fix is being tested.', '2026-11-12T16:05:00Z'),
  (39, 32, 'Jonas Weber', 'agent', 'internal', 'Not sent yet, so the address can still be changed at the depot.', '2026-11-13T08:44:00Z'),
  (40, 6, 'Jonas Weber', 'agent', 'internal', 'Parcel found in Frankfurt. The carrier promises 19 November.', '2026-11-13T09:00:00Z'),
  (41, 7, 'Priya Raman', 'agent', 'public', 'We can reproduce it with two articles that share a supplier number. Working on it with priority.', '2026-11-13T14:22:00Z'),
  (42, 9, 'Tom Becker', 'agent', 'public', 'I am on it. Please leave the printers switched on.', '2026-11-16T06:02:00Z'),
  (43, 34, 'Elena Petrova', 'customer', 'public', 'The day shift starts at nine. We need at least three scanners by then.', '2026-11-16T06:30:00Z');

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

INSERT INTO activity (id, at, actor, action, entity, entity_id, detail) VALUES
  (1, '2026-11-12T10:40:00Z', 'Sofia Marino', 'comment.added', 'ticket', 42, 'internal comment'),
  (2, '2026-11-12T16:05:00Z', 'Tom Becker', 'comment.added', 'ticket', 16, 'public comment'),
  (3, '2026-11-13T08:44:00Z', 'Jonas Weber', 'comment.added', 'ticket', 32, 'internal comment'),
  (4, '2026-11-13T09:00:00Z', 'Jonas Weber', 'comment.added', 'ticket', 6, 'internal comment'),
  (5, '2026-11-13T14:20:00Z', 'Priya Raman', 'ticket.updated', 'ticket', 7, 'priority: high → urgent'),
  (6, '2026-11-13T14:22:00Z', 'Priya Raman', 'comment.added', 'ticket', 7, 'public comment'),
  (7, '2026-11-16T06:00:00Z', 'Tom Becker', 'ticket.updated', 'ticket', 9, 'assignee: nobody → Tom Becker'),
  (8, '2026-11-16T06:02:00Z', 'Tom Becker', 'comment.added', 'ticket', 9, 'public comment');
