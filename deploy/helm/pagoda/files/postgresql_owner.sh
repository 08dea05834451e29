# What the image runs as it makes the database, and never again: an owner of the tables that is no superuser. It may make the
# accounts of the others (CREATEROLE). The superuser has no password, so that it logs in inside of the Pod alone.
psql --set ON_ERROR_STOP=1 --username "$POSTGRES_USER" --dbname postgres <<'SQL'
\getenv password POSTGRES_PASSWORD
CREATE ROLE pagoda LOGIN CREATEROLE PASSWORD :'password';
CREATE DATABASE pagoda OWNER pagoda;
ALTER ROLE CURRENT_USER PASSWORD NULL;
SQL
