--- Roles and memberships

-- role leads_exec: SUPERUSER
alter role leads_exec superuser;

-- role leads_jobs: BYPASSRLS
alter role leads_jobs bypassrls;

-- role leads_operator: CREATEROLE
alter role leads_operator createrole;

-- role leads_api: CREATEDB
alter role leads_api createdb;

-- role leads_worker: REPLICATION
alter role leads_worker replication;

-- role leads_owner: can log in
alter role leads_owner login;

-- role leads_worker: can't log in
alter role leads_worker nologin;

-- role leads_api: no new session can begin
alter role leads_api valid until '2020-01-01';

-- role leads_api: may not connect
-- role leads_bi: may not connect
-- role leads_operator: may not connect
-- role leads_router: may not connect
-- role leads_worker: may not connect
do $$ begin execute format('revoke connect on database %I from public', current_database()); end $$;

-- role leads_bi: doesn't exist
-- ...
alter role leads_bi rename to doctor_gone;

-- role leads_auth: was changed
alter role leads_auth noinherit;

-- membership of leads_api in leads_exec: must not be a member
grant leads_exec to leads_api;

-- role leads_api: reserved connections
-- since PostgreSQL 16
revoke pg_use_reserved_connections from leads_api granted by leads_migrator;
revoke pg_use_reserved_connections from leads_api;

-- membership of leads_api in pg_read_all_data: must not be a member
grant pg_read_all_data to leads_api;

-- membership of doctor_bob in leads_owner: Only the migrating login
create role doctor_bob login;
grant leads_owner to doctor_bob;

-- membership of leads_migrator in leads_audit: Nobody may act as this role
set local role leads_migrator;
grant leads_audit to leads_migrator;
reset role;

-- membership of doctor_bob in leads_eraser: Nobody may act as this role
create role doctor_bob login createrole;
grant leads_eraser to doctor_bob;

-- membership of doctor_bob in leads_operator: can act as this login
create role doctor_bob login;
grant leads_operator to doctor_bob;

-- membership of doctor_ann in leads_bi: SET ROLE
-- since PostgreSQL 16
-- with the analyst doctor_ann
grant leads_bi to doctor_ann with set true;

-- role doctor_ann: doesn't apply
-- since PostgreSQL 16
-- with the analyst doctor_ann
alter role doctor_ann bypassrls;

-- role doctor_ann: CREATEDB
-- with the analyst doctor_ann
alter role doctor_ann createdb;

-- analyst doctor_ann: isn't a member of leads_bi
-- with the analyst doctor_ann
revoke leads_bi from doctor_ann;

-- membership of doctor_ann in pg_read_all_data: but leads_bi
-- with the analyst doctor_ann
grant pg_read_all_data to doctor_ann;

-- membership of leads_migrator in leads_exec: lacks ADMIN OPTION
-- since PostgreSQL 16
revoke admin option for leads_exec from leads_migrator cascade;
grant leads_exec to leads_migrator;

-- membership of leads_migrator in leads_bi: lacks ADMIN OPTION
-- since PostgreSQL 16
revoke leads_bi from leads_migrator cascade;

-- membership of leads_migrator in doctor_ann: lacks ADMIN OPTION
-- since PostgreSQL 16
-- with the analyst doctor_ann
revoke doctor_ann from leads_migrator;

-- role doctor_ann: has no organization
-- since PostgreSQL 16
create role doctor_ann login;
grant leads_bi to doctor_ann with set false;

--- Row-level security

-- table audit.event: no restrictive policy
-- policy event_bi_all on audit.event
drop policy event_bi_all on audit.event;

-- policy lead_bi_select on app.lead: isn't of a reviewed form
alter policy lead_bi_select on app.lead
  using (organization_id = (select current_setting('app.organization_id')::uuid));

-- table app.lead: is disabled
alter table app.lead disable row level security;

-- table auth.api_key: isn't forced
alter table auth.api_key no force row level security;

-- view admin.role: its owner's rights
alter view admin.role reset (security_invoker);

-- materialized view app.copied: can't protect
create materialized view app.copied as select * from app.lead;

-- rule swallow on audit.event: may discard them
create rule swallow as on insert to audit.event do instead nothing;

-- policy lead_any on app.lead: applies to every role
create policy lead_any on app.lead using (true);

-- policy lead_all on app.lead: rows of all organizations
create policy lead_all on app.lead for select to leads_exec using (true);

-- policy lead_exec_update on app.lead: isn't of a reviewed form
alter policy lead_exec_update on app.lead
  using (organization_id = (select auth.organization_id('read')));

-- policy lead_exec_select on app.lead: isn't of a reviewed form
alter policy lead_exec_select on app.lead using (organization_id = auth.organization_id('read'));

-- policy lead_guc on app.lead: isn't of a reviewed form
create policy lead_guc on app.lead to leads_exec
  using (organization_id::text = current_setting('my.org'));

-- policy lead_exec_insert on app.lead: doesn't exist, and no migration
drop policy lead_exec_insert on app.lead;

-- view public.every_lead: schema of another application
create view public.every_lead as select * from app.lead;
alter view public.every_lead owner to leads_jobs;

-- table app.note: is disabled
-- column app.note.body
-- column app.note.organization_id
-- trigger _900_record on app.note
create table app.note (organization_id uuid, body text);

--- Triggers

-- trigger _900_record on app.lead: doesn't record changes
drop trigger _900_record on app.lead;

-- trigger _900_record on app.lead: trigger is disabled
alter table app.lead disable trigger _900_record;

-- trigger _900_record on app.lead: doesn't record all of them
drop trigger _900_record on app.lead;
create trigger _900_record after insert on app.lead
  for each row execute function audit.tg_lead__record();

-- trigger _100_refuse_change on audit.event: must be refused or checked
drop trigger _100_refuse_change on audit.event;

-- trigger _100_refuse_change on audit.seal: must be refused or checked
drop trigger _100_refuse_change on audit.seal;

-- trigger _100_refuse_change on audit.seal: session_replication_role
alter table audit.seal enable trigger _100_refuse_change;

-- trigger _100_refuse_change on audit.event_{year}: must be refused or checked
drop trigger _100_refuse_change on audit.event_{year};

-- trigger _100_refuse_change on audit.event_{year}: session_replication_role
alter table audit.event_{year} enable trigger _100_refuse_change;

-- trigger _100_refuse_change on audit.seal_{year}: must be refused or checked
drop trigger _100_refuse_change on audit.seal_{year};

-- trigger _100_refuse_change on audit.seal_{year}: session_replication_role
alter table audit.seal_{year} enable trigger _100_refuse_change;

-- trigger _110_refuse_change on scoring.score: must be refused or checked
drop trigger _110_refuse_change on scoring.score;

-- trigger _610_keep_set_score on app.lead: The trigger is disabled
alter table app.lead disable trigger _610_keep_set_score;

-- trigger _110_refuse_change on scoring.default_model: doesn't exist, and no migration
drop trigger _110_refuse_change on scoring.default_model;

-- trigger _110_refuse_truncate on audit.event: session_replication_role
alter table audit.event enable trigger _110_refuse_truncate;

-- trigger _500_stamp on app.lead: trigger is disabled
alter table app.lead disable trigger _500_stamp;

-- trigger spy on app.lead: No migration has created it
create trigger spy after insert on app.lead for each row execute function audit.tg_lead__record();

--- Keys, indexes and statistics

-- index app.lead_by_company on app.lead: doesn't begin with organization_id
create index lead_by_company on app.lead (company);

-- constraint lead_email_is_unique on app.lead: doesn't begin with organization_id
alter table app.lead add constraint lead_email_is_unique unique (email);

-- constraint idempotency_key_pkey on app.idempotency_key: doesn't begin with organization_id
alter table app.idempotency_key drop constraint idempotency_key_pkey,
  add constraint idempotency_key_pkey primary key (key_digest, organization_id);

-- constraint lead_stage_is_there on app.lead: doesn't begin with organization_id
alter table app.lead add constraint lead_stage_is_there
  foreign key (pipeline_stage, organization_id) references app.pipeline_stage (name, organization_id);

-- index app.lead_by_source on app.lead: is invalid
update pg_index set indisvalid = false where indexrelid = 'app.lead_by_source'::regclass;

-- column app.lead.source: collects statistics
alter table app.lead alter column source set statistics 100;

-- index app.lead_by_lower on app.lead: collects statistics
create index lead_by_lower on app.lead (organization_id, lower(company));

-- statistics app.source_and_company: collects statistics
create statistics app.source_and_company on source, company from app.lead;

--- Functions and routes

-- function audit.tg_record(): search_path or temporary objects decide
alter function audit.tg_record() reset search_path;

-- function audit.tg_record(): temporary objects
alter function audit.tg_record() set search_path = '';

-- grant execute on routine auth.enter(text,text,text,boolean) to public: Every role may execute the function
grant execute on function auth.enter(text, text, text, boolean) to public;

-- default privileges of leads_exec on functions: Every role may execute each function
alter default privileges for role leads_exec grant execute on functions to public;

-- function api.get_lead(uuid): belongs to leads_jobs
alter function api.get_lead(uuid) owner to leads_jobs;

-- function app.trim_text(text): belongs to leads_migrator
alter function app.trim_text(text) owner to leads_migrator;

-- function app.trim_text(text): is SECURITY DEFINER
alter function app.trim_text(text) security definer;

-- function app.trim_text(text): is marked as leakproof
alter function app.trim_text(text) leakproof;

-- function public.peek(): schema of another application
create function public.peek() returns bigint language sql as 'select count(*) from app.lead';
alter function public.peek() owner to leads_jobs;

-- function api.get_lead(uuid): VOLATILE
alter function api.get_lead(uuid) volatile;

-- route GET /health: There is no function api.get_health
-- function api.get_health()
drop function api.get_health();

-- route GET /health: There is no function
update api.route set function = 'leads.api.get_health.now' where path = '/health';

-- route GET /health: doesn't return api.answer
update api.route set function = 'api.routes' where path = '/health';

-- grant execute on routine api.get_lead(uuid) to leads_api: GET /leads/{id} needs it
revoke execute on function api.get_lead(uuid) from leads_api;

-- route GET /health: There is no composite type api.nothing
update api.operation set answer = 'api.nothing' where function = 'api.get_health';

--- Privileges

-- grant select on table app.lead to leads_api: through functions only
grant select on app.lead to leads_api;

-- grant update (name) on table app.lead to leads_operator: through functions only
grant update (name) on app.lead to leads_operator;

-- grant create on schema api to leads_api: take the place of ours
grant create on schema api to leads_api;

-- grant select on table audit.event to public: Every role has the privilege
grant select on audit.event to public;

-- grant usage on schema app to public: Every role has the privilege
grant usage on schema app to public;

-- grant select on table app.lead to doctor_bob: No migration has created it
create role doctor_bob;
grant select on app.lead to doctor_bob;

-- grant select on table app.lead to leads_exec: doesn't exist, and no migration
revoke select on app.lead from leads_exec;

-- grant option for select on table app.lead to leads_exec: No migration has created it
grant select on app.lead to leads_exec with grant option;

-- grant temporary on database to public: temporary objects
do $$ begin execute format('grant temporary on database %I to public', current_database()); end $$;

-- grant create on database to leads_api: can create schemas
do $$ begin execute format('grant create on database %I to leads_api', current_database()); end $$;

-- grant create on schema public to public: stays empty
grant create on schema public to public;

-- grant execute on function lo_create(oid) to public: large objects
grant execute on function lo_create(oid) to public;

-- grant execute on function pg_try_advisory_xact_lock_shared(integer,integer) to public: table of locks
grant execute on function pg_try_advisory_xact_lock_shared(integer, integer) to public;

-- grant execute on function pg_export_snapshot() to public: with files
grant execute on function pg_export_snapshot() to public;

-- grant execute on function pg_current_xact_id() to public: use up the server's transaction ids
grant execute on function pg_current_xact_id() to public;

-- grant execute on function txid_current() to public: use up the server's transaction ids
grant execute on function txid_current() to public;

-- grant execute on function pg_logical_emit_message(boolean,text,text,boolean) to public: write-ahead log
-- since PostgreSQL 17
grant execute on function pg_logical_emit_message(boolean, text, text, boolean) to public;

-- grant execute on function pg_current_wal_lsn() to public: other sessions write
grant execute on function pg_current_wal_lsn() to public;

-- grant execute on function pg_last_wal_replay_lsn() to public: other sessions write
grant execute on function pg_last_wal_replay_lsn() to public;

-- grant execute on function pg_get_replication_slots() to public: other sessions write
grant execute on function pg_get_replication_slots() to public;

-- grant execute on function pg_stat_get_subscription(oid) to public: other sessions write
grant execute on function pg_stat_get_subscription(oid) to public;

-- function pg_current_wal_flush_lsn(): no replica can be used
revoke execute on function pg_current_wal_flush_lsn() from leads_auth, leads_migrator cascade;

-- grant execute on function pg_stat_get_backend_io(integer) to public: other sessions write
-- since PostgreSQL 18
grant execute on function pg_stat_get_backend_io(integer) to public;

-- grant set on parameter session_replication_role to leads_api: only superusers may change
grant set on parameter session_replication_role to leads_api;

--- Settings

-- setting search_path of leads_api: what functions do
alter role leads_api set search_path = evil;

-- setting search_path of all roles: what functions do
alter role all set search_path = evil;

-- setting row_security of the database: what functions do
do $$ begin execute format('alter database %I set row_security = off', current_database()); end $$;

-- setting session_replication_role of leads_exec: what functions do
do $$ begin
  execute format('alter role leads_exec in database %I set session_replication_role = replica', current_database());
end $$;

-- setting leads.key_digest of leads_api: begin with a claim
alter role leads_api set leads.key_digest = 'ab';

-- setting synchronous_commit of leads_api: lose changes
alter role leads_api set synchronous_commit = off;

-- setting log_parameter_max_length: can contain parameters
set local log_parameter_max_length = -1;

-- setting log_parameter_max_length_on_error: can contain parameters
set local log_parameter_max_length_on_error = -1;

-- setting track_counts: Autovacuum doesn't run
set local track_counts = off;

-- setting log_error_verbosity: shows the row
set local log_error_verbosity = verbose;

-- setting temp_file_limit: fill the disk
set local temp_file_limit = -1;

--- Objects that differ from the kept catalogue

-- function app.is_name(text): was changed
create or replace function app.is_name(value text) returns boolean language sql immutable parallel safe
  begin atomic select true; end;

-- function app.mine(): No migration has created it
create function app.mine() returns integer language sql immutable begin atomic select 1; end;
alter function app.mine() owner to leads_owner;
revoke execute on function app.mine() from public;
grant execute on function app.mine() to leads_api;

-- constraint lead_email_is_email on app.lead: doesn't exist, and no migration
alter table app.lead drop constraint lead_email_is_email;

-- index app.lead_by_source on app.lead: doesn't exist, and no migration
drop index app.lead_by_source;

-- column app.lead.lead_score: was changed
alter table app.lead alter column lead_score set default 100;

-- column app.lead.lead_score: was changed
alter table app.lead alter column lead_score drop not null;

-- domain api.page_size: was changed
alter domain api.page_size drop constraint page_size_within_1_and_200;

-- table admin.note: No migration has created it
create table admin.note (id integer primary key, body text);
grant select on admin.note to leads_jobs;

-- table app.idempotency_key: was changed
alter table app.idempotency_key set unlogged;

-- type app.mood: No migration has created it
create type app.mood as enum ('good', 'bad');
