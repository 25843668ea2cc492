-- audit.position_before - the last position in the chain before a time.
set local role leads_owner;

create or replace function audit.position_before(organization_id uuid, instant timestamptz)
returns bigint language plpgsql stable parallel safe security invoker set search_path = pg_catalog, pg_temp
-- Without statistics the planner expects few seals, and would sort all of them to find the last.
set enable_sort = off
as $$
declare
  v_low bigint := 0;
  v_high bigint;
  v_middle bigint;
  v_is_before boolean;
begin
  select s.position + 1 into v_high
  from audit.seal as s
  where s.organization_id = position_before.organization_id
  order by s.position desc
  limit 1;
  -- The seals are in the order of their times. No index has the times.
  while v_high - v_low > 1 loop
    v_middle := (v_low + v_high) / 2;
    select s.sealed_at < position_before.instant into v_is_before
    from audit.seal as s
    where s.organization_id = position_before.organization_id and s.position = v_middle;
    if v_is_before is null then
      -- The position was retired. The seal before it decides.
      select s.sealed_at < position_before.instant into v_is_before
      from audit.seal as s
      where s.organization_id = position_before.organization_id and s.position > v_low and s.position < v_middle
      order by s.position desc
      limit 1;
    end if;
    if coalesce(v_is_before, true) then
      v_low := v_middle;
    else
      v_high := v_middle;
    end if;
  end loop;
  return v_low;
end $$;

comment on function audit.position_before(uuid, timestamptz) is
  'The position of the last event that was sealed before the time; 0 if there is none. Every event that was written at that '
  'time or later has a greater position.';

grant execute on function audit.position_before(uuid, timestamptz) to leads_exec;
