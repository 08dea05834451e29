-- For a release whose PostgreSQL was first started by a chart of before: `pagoda`, which made it and so is its superuser for ever,
-- becomes `postgres` without a password, and a new `pagoda` with the old password gets all that was made. Run it as `pagoda`.
\set ON_ERROR_STOP on
\getenv password POSTGRES_PASSWORD
CREATE ROLE pagoda_between SUPERUSER LOGIN;
\connect - pagoda_between
BEGIN;
ALTER ROLE pagoda RENAME TO postgres;
ALTER ROLE postgres PASSWORD NULL;
CREATE ROLE pagoda LOGIN CREATEROLE PASSWORD :'password';
DO $$
DECLARE
    one record;
BEGIN
    EXECUTE format('ALTER DATABASE %I OWNER TO pagoda', current_database());
    FOR one IN SELECT nspname AS name FROM pg_namespace WHERE nspname NOT LIKE 'pg\_%'
               AND nspname NOT IN ('information_schema', 'public') LOOP
        EXECUTE format('ALTER SCHEMA %I OWNER TO pagoda', one.name);
    END LOOP;
    FOR one IN SELECT c.oid::regclass AS name FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
               WHERE n.nspname NOT LIKE 'pg\_%' AND n.nspname <> 'information_schema' AND c.relkind IN ('r', 'p', 'v', 'm', 'S')
               AND NOT EXISTS (SELECT FROM pg_depend d WHERE d.objid = c.oid AND d.deptype IN ('a', 'i') AND c.relkind = 'S') LOOP
        EXECUTE format('ALTER TABLE %s OWNER TO pagoda', one.name);
    END LOOP;
    FOR one IN SELECT p.oid::regprocedure AS name FROM pg_proc p JOIN pg_namespace n ON n.oid = p.pronamespace
               WHERE n.nspname NOT LIKE 'pg\_%' AND n.nspname <> 'information_schema' LOOP
        EXECUTE format('ALTER ROUTINE %s OWNER TO pagoda', one.name);
    END LOOP;
    FOR one IN SELECT rolname AS name FROM pg_roles WHERE starts_with(rolname, 'pagoda_') AND NOT rolsuper LOOP
        EXECUTE format('GRANT %I TO pagoda WITH ADMIN OPTION', one.name);
    END LOOP;
END $$;
COMMIT;
\connect - postgres
DROP ROLE pagoda_between;
