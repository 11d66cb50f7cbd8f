-- One role and one database per service, made once on an empty Postgres, with psql (15 or newer). Guards
-- "own credentials, least rights": a role can finish only what it has prepared, and may not enter the
-- others' databases. Passwords come from the environment; without one its statement fails and the
-- start with it.
\getenv concordat_password CONCORDAT_DB_PASSWORD
\getenv ledger_east_password LEDGER_EAST_DB_PASSWORD
\getenv ledger_west_password LEDGER_WEST_DB_PASSWORD
\getenv inventory_password INVENTORY_DB_PASSWORD

CREATE ROLE concordat LOGIN PASSWORD :'concordat_password';
CREATE DATABASE concordat OWNER concordat;
REVOKE ALL ON DATABASE concordat FROM PUBLIC;

CREATE ROLE ledger_east LOGIN PASSWORD :'ledger_east_password';
CREATE DATABASE ledger_east OWNER ledger_east;
REVOKE ALL ON DATABASE ledger_east FROM PUBLIC;

CREATE ROLE ledger_west LOGIN PASSWORD :'ledger_west_password';
CREATE DATABASE ledger_west OWNER ledger_west;
REVOKE ALL ON DATABASE ledger_west FROM PUBLIC;

CREATE ROLE inventory LOGIN PASSWORD :'inventory_password';
CREATE DATABASE inventory OWNER inventory;
REVOKE ALL ON DATABASE inventory FROM PUBLIC;
