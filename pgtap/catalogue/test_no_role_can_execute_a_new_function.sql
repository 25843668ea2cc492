begin;
select plan(3);

create view test.open_default as
select r.name as finding
from auth.roles() as r
where
  r.kind in ('owner', 'sealed')
  and not exists (
    select
    from pg_default_acl as d
    where
      d.defaclrole = r.name::regrole
      and d.defaclobjtype = 'f'
      and d.defaclnamespace = 0
      and not exists (select from aclexplode(d.defaclacl) as x where x.grantee <> d.defaclrole)
  );

select is_kept('test.open_default');
select is_reported(
  'test.open_default', 'alter default privileges for role leads_exec grant execute on functions to public', 'leads_exec'
);
grant create on schema api to leads_exec;
set local role leads_exec;
create function api.one() returns integer language sql begin atomic select 1; end;
set local session authorization leads_api;
select throws_ok('select api.one()', '42501', 'permission denied for function one', 'a new function');

select * from finish();
rollback;
