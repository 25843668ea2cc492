-- admin.cell - what this database is in the directory of the cells, for leads cells list.
set local role leads_jobs;

create or replace function admin.cell()
returns table (name text, release text, organizations bigint, credentials bigint)
language sql stable security definer
begin atomic
  select
    (select c.name from auth.cell as c),
    api.release_version(),
    count(distinct r.organization_id),
    count(r.digest)
  from admin.routed_credentials(null, null) as r;
end;

comment on function admin.cell() is
  'The name of the cell, null if the database is none; the release of its schema; and the numbers of the organizations that it answers '
  'for and of their credentials.';

grant execute on function admin.cell() to leads_operator;
