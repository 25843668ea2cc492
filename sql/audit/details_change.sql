-- audit.details_change - the change of a lead's details in an event.
set local role leads_owner;

create or replace function audit.details_change(old_details jsonb, new_details jsonb)
returns json language sql immutable parallel safe
begin atomic
  select json_build_object(
    'from', jsonb_object_agg(c.key, c.old_value) filter (where c.old_value is not null),
    'to', jsonb_object_agg(c.key, c.new_value) filter (where c.new_value is not null)
  )
  from (
    select coalesce(o.key, n.key) as key, o.value as old_value, n.value as new_value
    from jsonb_each(details_change.old_details) as o (key, value)
    full join jsonb_each(details_change.new_details) as n (key, value) on n.key = o.key
  ) as c
  where c.old_value is distinct from c.new_value;
end;

comment on function audit.details_change(jsonb, jsonb) is
  'The object {"from": …, "to": …} with the details that differ. null: none. old_details, new_details: details, or null.';

grant execute on function audit.details_change(jsonb, jsonb) to leads_audit;
