CREATE TABLE notes (id INTEGER PRIMARY KEY, text TEXT NOT NULL);
INSERT INTO notes (id, text) VALUES (1, 'Call the plumber'), (2, 'Water the ferns');
