CREATE TABLE letters (id INTEGER PRIMARY KEY, subject TEXT NOT NULL, read INTEGER NOT NULL DEFAULT 0);
INSERT INTO letters (id, subject) VALUES (1, 'Invoice'), (2, 'Minutes'), (3, 'Lunch');
