-- The two database roles and the database: `wattledger_owner` migrates and owns every table, `wattledger_app` owns nothing
-- and cannot pass row-level security. For psql as a superuser; may run again. Passwords come from the environment
-- (OWNER_PASSWORD, APP_PASSWORD); without them the roles have none, which is what the embedded server wants.
\set ON_ERROR_STOP on
\getenv owner_password OWNER_PASSWORD
\getenv app_password APP_PASSWORD

SELECT format('CREATE ROLE %I', name) FROM (VALUES ('wattledger_owner'), ('wattledger_app')) AS wanted (name)
WHERE NOT EXISTS (SELECT FROM pg_roles WHERE rolname = name) \gexec

ALTER ROLE wattledger_owner LOGIN NOSUPERUSER NOCREATEDB NOCREATEROLE NOREPLICATION NOBYPASSRLS;
ALTER ROLE wattledger_app LOGIN NOSUPERUSER NOCREATEDB NOCREATEROLE NOREPLICATION NOBYPASSRLS;

\if :{?owner_password}
ALTER ROLE wattledger_owner PASSWORD :'owner_password';
\endif
\if :{?app_password}
ALTER ROLE wattledger_app PASSWORD :'app_password';
\endif

SELECT 'CREATE DATABASE wattledger OWNER wattledger_owner'
WHERE NOT EXISTS (SELECT FROM pg_database WHERE datname = 'wattledger') \gexec

REVOKE ALL ON DATABASE wattledger FROM PUBLIC;
GRANT CONNECT, TEMPORARY ON DATABASE wattledger TO wattledger_app;
