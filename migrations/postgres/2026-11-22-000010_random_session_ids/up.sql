-- Sessions are named at random by who begins them. A number that the database gives is given again after a restore, and a token of before
-- would be good for the session that has it now.
ALTER TABLE sessions ALTER COLUMN id DROP IDENTITY;
