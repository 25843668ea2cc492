begin;
select plan(5);

select make_analyst('ana', '2100-01-01 00:00Z');
select act_as('dba');
select results_eq(
  $$
    select
      r.rolcanlogin, r.rolsuper or r.rolcreaterole or r.rolcreatedb or r.rolreplication or r.rolbypassrls,
      r.rolconnlimit, r.rolvaliduntil
    from pg_roles as r
    where r.rolname = login('ana')
  $$,
  $$values (true, false, 20, '2100-01-01 00:00Z'::timestamptz)$$,
  'a login with 20 connections and an expiry, without other attributes'
);
select results_eq(
  $$
    select m.roleid::regrole::text, m.admin_option
    from pg_auth_members as m
    where m.member = (select r.oid from pg_roles as r where r.rolname = login('ana'))
  $$,
  $$values ('leads_bi', false)$$,
  'a member of leads_bi only'
);
select is(
  (select r.rolpassword from pg_authid as r where r.rolname = login('ana')), verifier(), 'its password has the given verifier'
);
select set_eq(
  $$
    select unnest(s.setconfig)
    from pg_db_role_setting as s
    where s.setrole = (select r.oid from pg_roles as r where r.rolname = login('ana'))
  $$,
  array[
    'search_path=bi', 'TimeZone=UTC', 'default_transaction_read_only=on', 'statement_timeout=60s', 'lock_timeout=5s',
    'idle_in_transaction_session_timeout=60s', 'idle_session_timeout=8h', 'client_connection_check_interval=5s', 'temp_file_limit=512MB', 'log_min_messages=fatal'
  ],
  'the defaults of its sessions'
);
select is(
  array(
    select c.oid::regclass::text
    from pg_class as c
    join pg_namespace as n on n.oid = c.relnamespace
    where
      n.nspname in ('app', 'auth', 'audit', 'api', 'admin', 'scoring', 'crm', 'intake', 'webhook', 'yoyo')
      and c.relkind in ('r', 'p', 'v', 'm')
      and has_schema_privilege(login('ana'), n.oid, 'usage')
  ),
  '{}'::text[],
  'it can''t refer to a table or view outside bi'
);

select * from finish();
rollback;
