-- webhook.last_position - the position of the last sealed event of an organization.
set local role leads_owner;

create or replace function webhook.last_position(organization_id uuid)
returns bigint language sql stable parallel safe security invoker
begin atomic
  select coalesce((
    select s.position
    from audit.seal as s
    where s.organization_id = last_position.organization_id
    order by s.position desc
    limit 1
  ), 0);
end;

comment on function webhook.last_position(uuid) is
  'The position of the last seal in the organization''s chain; 0 if there is none.';

grant execute on function webhook.last_position(uuid) to leads_exec, leads_jobs;
