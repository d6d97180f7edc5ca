-- A semicolon; brackets [ and "quotes" stay as they are.
CREATE TABLE first (id INTEGER PRIMARY KEY, text TEXT NOT NULL) STRICT;
INSERT INTO first (text) VALUES ('a;b\n[');
