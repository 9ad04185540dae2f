-- The roles of docs/postgres.md and the database, made once with the container of PostgreSQL. The passwords are read from
-- the files of secrets, and named nowhere else.
\set owner_password `cat "${SECRETS:-/run/secrets}/postgres_owner_password"`
\set front_password `cat "${SECRETS:-/run/secrets}/postgres_front_password"`
CREATE ROLE memory_owner LOGIN PASSWORD :'owner_password';
CREATE ROLE memory_front LOGIN PASSWORD :'front_password';
CREATE DATABASE memories OWNER memory_owner;
\connect memories
CREATE EXTENSION IF NOT EXISTS vector;
CREATE SCHEMA memory_mcp AUTHORIZATION memory_owner;
GRANT USAGE ON SCHEMA memory_mcp TO memory_front;
ALTER DEFAULT PRIVILEGES FOR ROLE memory_owner IN SCHEMA memory_mcp
  GRANT SELECT, INSERT, UPDATE, DELETE ON TABLES TO memory_front;
ALTER DEFAULT PRIVILEGES FOR ROLE memory_owner IN SCHEMA memory_mcp GRANT SELECT ON SEQUENCES TO memory_front;
ALTER DEFAULT PRIVILEGES FOR ROLE memory_owner IN SCHEMA memory_mcp GRANT EXECUTE ON FUNCTIONS TO memory_front;
