begin;
select plan(2);

create table test.call as
select format('select admin.%I(%s)', p.proname, (select string_agg('null::' || format_type(t, null), ', ') from unnest(p.proargtypes::oid[]) as t)) as call
from pg_proc as p
where p.pronamespace = 'admin'::regnamespace and p.prokind = 'f' and p.prorettype <> 'trigger'::regtype
  and p.proname not in (
    'delete_expired_answers', 'delete_old_submissions', 'index_leads', 'count_stages', 'queue_seals', 'seal_events',
    'service_figures', 'create_audit_partitions', 'queued_organizations'
  );
grant select on test.call to public;
create function test.refusal(statement text)
returns text
language plpgsql
as $$
begin
  execute statement;
  return null;
exception
  when others then
    return sqlstate;
end
$$;
set local session authorization leads_worker;
select is_empty('select c.call from test.call as c where refusal(c.call) is distinct from ''42501''', 'except deleting expired answers, sealing and creating partitions');
select cmp_ok((select count(*) from test.call), '>=', 20::bigint, 'the functions that were tried');

select * from finish();
rollback;
