-- admin.owned_rows - the rows that make a cell work for an organization, at the source after the fence.
set local role leads_jobs;

create or replace function admin.owned_rows(organization_id uuid)
returns table (relation text, "row" jsonb) language plpgsql volatile security definer set search_path = pg_catalog, pg_temp
-- Without statistics the planner expects few seals, and would sort all of them to find the last.
set enable_sort = off
as $$
#variable_conflict use_column
declare
  v_organization_id uuid := owned_rows.organization_id;
  v_state text;
  v_unfinished text;
begin
  select p.state into v_state
  from app.placement as p
  where p.organization_id = v_organization_id
  for update;
  if v_state is distinct from 'moving' then
    perform admin.wrong_state(v_organization_id, 'To hand over an organization');
  end if;
  v_unfinished := (select string_agg(u, '; ') from admin.unfinished(v_organization_id) as u);
  if v_unfinished is not null then
    raise sqlstate 'PT409' using
      message = 'unfinished', hint = format('The organization can''t be handed over yet. The move waits for: %s.', v_unfinished);
  end if;
  update app.placement as p
  set handed_over_at = coalesce(p.handed_over_at, date_trunc('milliseconds', clock_timestamp()))
  where p.organization_id = v_organization_id;

  -- With it, admin.take_over notices rows that haven't arrived.
  return query
  select 'check', jsonb_build_object(
    'event_id', (
      select e.id
      from audit.event as e
      where e.organization_id = v_organization_id
      order by e.created_at desc, e.id desc
      limit 1
    ),
    'seal', (
      select s.position || ':' || encode(s.hash, 'hex')
      from audit.seal as s
      where s.organization_id = v_organization_id
      order by s.position desc
      limit 1
    )
  );
  return query select k.relation, k."row" from auth.owned_keys(v_organization_id) as k;
  return query select 'audit.unsealed', to_jsonb(u) from audit.unsealed as u where u.organization_id = v_organization_id;
  return query select 'crm.connection', to_jsonb(c) from crm.connection as c where c.organization_id = v_organization_id;
  return query select 'intake.form', to_jsonb(f) from intake.form as f where f.organization_id = v_organization_id;
  return query select 'webhook.endpoint', to_jsonb(e) from webhook.endpoint as e where e.organization_id = v_organization_id;
end $$;

comment on function admin.owned_rows(uuid) is
$$The rows of the class ownership (admin.table_class), in an order in which they can be inserted, and first a row "check".

admin.take_over takes them, as an array of {"relation", "row"}. Credentials and secrets are encrypted, and keys are digests. From the
first call on, the other cell may have taken over, so that admin.abort_move asks whether it has discarded the rows. Bindings of
analysts are left out: admin.analysts lists them. Raises PT409 wrong_state and unfinished.$$;

grant execute on function admin.owned_rows(uuid) to leads_operator;
