DROP TABLE likes;
DROP TABLE messages;
DROP TABLE pins;
DROP TABLE members;
DROP TABLE chats;
DROP TABLE refresh_tokens;
DROP TABLE sessions;
DROP TABLE users;
