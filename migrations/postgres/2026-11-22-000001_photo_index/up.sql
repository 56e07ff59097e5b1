-- For `Users::named_photos`: which of the photos on disk a user has.
CREATE INDEX users_photo_idx ON users (photo) WHERE photo IS NOT NULL;
