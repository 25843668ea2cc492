begin;
select plan(4);

create view test.function_of_a_wrong_owner as
select p.oid::regproc || ' of ' || p.proowner::regrole as finding
from pg_proc as p
join pg_namespace as n on n.oid = p.pronamespace
where
  n.nspname in ('app', 'auth', 'audit', 'api', 'admin', 'scoring', 'crm', 'bi', 'intake', 'webhook')
  and case
    when p.prosecdef then
      -- Reviewed: only the owner of the audit log can add a partition to it, or take one out.
      p.oid::regprocedure::text not in (
        'audit.create_partitions(integer)', 'audit.lock_partitions(integer)', 'audit.detach_partitions(integer)',
        'audit.drop_partitions(integer)',
        -- Only the owner of a table can publish it.
        'audit.publish_rows(uuid,text[])', 'audit.unpublish_rows(uuid)'
      )
      and not exists (
        select from auth.roles() as r where r.name::regrole = p.proowner and n.nspname = any (r.definer_schemas)
      )
    else
      not exists (
        select from auth.roles() as r where r.name::regrole = p.proowner and r.kind in ('owner', 'sealed')
      )
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
