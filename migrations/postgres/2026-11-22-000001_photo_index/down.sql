DROP INDEX users_photo_idx;
