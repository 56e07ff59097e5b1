-- Sessions are named at random by who begins them. A number that the database gives is given again after a restore, and a token of before
-- would be good for the session that has it now. SQLite gives numbers only where none is said, so nothing but its count of them has to go.
DELETE FROM sqlite_sequence WHERE name = 'sessions';
