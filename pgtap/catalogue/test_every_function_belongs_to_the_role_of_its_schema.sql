begin;
select plan(4);

create view test.function_of_a_wrong_owner as
select p.oid::regproc || ' of ' || p.proowner::regrole as finding
from pg_proc as p
join pg_namespace as n on n.oid = p.pronamespace
where
  n.nspname in ('app', 'auth', 'audit', 'api', 'admin', 'scoring', 'crm', 'bi')
  and case
    -- with its owner's rights: who asks, what a client reaches, what an operator reaches, what records, what erases, what
    -- works across organizations
    when p.prosecdef then
      -- reviewed: only the owner of the log can add a partition to it
      p.oid::regprocedure::text <> 'audit.create_partitions(integer)'
      and (n.nspname, p.proowner::regrole::text) not in (
        ('auth', 'leads_auth'), ('api', 'leads_exec'), ('admin', 'leads_jobs'), ('audit', 'leads_audit'),
        ('audit', 'leads_eraser'), ('crm', 'leads_jobs')
      )
    else p.proowner::regrole::text not in ('leads_owner', 'leads_auth', 'leads_exec', 'leads_jobs', 'leads_audit', 'leads_eraser')
  end;

select is_kept('test.function_of_a_wrong_owner');
select is_reported(
  'test.function_of_a_wrong_owner', 'alter function api.get_health() owner to leads_owner',
  'api.get_health of leads_owner'
);
select is_reported(
  'test.function_of_a_wrong_owner', 'alter function app.lead_etag(integer) security definer',
  'app.lead_etag of leads_owner'
);
select is_reported(
  'test.function_of_a_wrong_owner',
  $$create function api.one() returns integer language sql as 'select 1'$$, 'api.one of ' || current_user
);

select * from finish();
rollback;
