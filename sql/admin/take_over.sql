-- admin.take_over - makes this cell work for an organization that has arrived, at the target.
set local role leads_jobs;

create or replace function admin.take_over(organization_id uuid, rows jsonb)
returns json language plpgsql volatile security definer set search_path = pg_catalog, pg_temp
-- Without statistics the planner expects few seals, and would sort all of them to find the last.
set enable_sort = off
as $$
#variable_conflict use_column
declare
  v_organization_id uuid := take_over.organization_id;
  v_state text;
  v_check jsonb;
  v_position bigint;
  v_head text;
  v_relation record;
  v_rows jsonb;
  v_counts jsonb := '{}';
begin
  select p.state into v_state
  from app.placement as p
  where p.organization_id = v_organization_id
  for update;
  -- A mover that was killed calls again.
  if v_state is null and exists (select from app.organization as o where o.organization_id = v_organization_id) then
    return json_build_object('is_repeated', true);
  end if;
  if v_state is distinct from 'arriving' then
    perform admin.wrong_state(v_organization_id, 'To take over an organization');
  end if;

  v_check := (
    select r -> 'row' from jsonb_array_elements(take_over.rows) as r where r ->> 'relation' = 'check'
  );
  select s.position, s.position || ':' || encode(s.hash, 'hex') into v_position, v_head
  from audit.seal as s
  where s.organization_id = v_organization_id
  order by s.position desc
  limit 1;
  if
    v_check is null
    or not exists (select from app.organization as o where o.organization_id = v_organization_id)
    or v_check ->> 'seal' is distinct from v_head
    or v_check ->> 'event_id' is distinct from (
      select e.id::text
      from audit.event as e
      where e.organization_id = v_organization_id
      order by e.created_at desc, e.id desc
      limit 1
    )
    or exists (
      select
      from jsonb_array_elements(take_over.rows) as r
      where
        r ->> 'relation' = 'audit.unsealed'
        and not exists (
          select
          from audit.event as e
          where
            e.organization_id = v_organization_id
            and e.id = (r -> 'row' ->> 'event_id')::uuid
            and e.created_at = app.id_time((r -> 'row' ->> 'event_id')::uuid)
        )
    )
  then
    raise sqlstate 'PT409' using
      message = 'not_arrived',
      hint = 'Rows of the organization have not arrived yet. Wait until the subscription has replayed all of the source, and try again.';
  end if;

  -- The triggers that record changes leave out what this transaction does.
  update app.placement as p
  set changed_in = pg_current_xact_id_if_assigned()
  where p.organization_id = v_organization_id;
  for v_relation in
    select c.relation
    from admin.table_class() as c
    where c.class = 'ownership' and c.relation <> 'auth.analyst'
    order by c.position
  loop
    v_rows := (
      select jsonb_agg(r -> 'row') from jsonb_array_elements(take_over.rows) as r where r ->> 'relation' = v_relation.relation
    );
    v_counts := v_counts || jsonb_build_object(
      v_relation.relation,
      case
        when v_rows is null then 0
        when v_relation.relation like 'auth.%' then auth.take_keys(v_organization_id, v_relation.relation, v_rows)
        else app.insert_rows(v_relation.relation, v_organization_id, v_rows)
      end
    );
  end loop;
  insert into app.uncounted_seal (organization_id, position)
  select v_organization_id, v_position
  where
    v_position is not null
    and not exists (
      select from app.stage_progress as p where p.organization_id = v_organization_id and p.position >= v_position
    );
  -- The trigger of webhook.endpoint has filled the queue of deliveries.
  delete from app.placement as p where p.organization_id = v_organization_id;
  call app.notify('leads_work');
  return v_counts;
end $$;

comment on function admin.take_over(uuid, jsonb) is
$$From the commit on, this cell has the organization: it answers, seals, pushes and delivers.

rows: what admin.owned_rows has returned at the source, which must be fenced and finished, and all of whose other rows must have
arrived: an array of {"relation", "row"}. Returns the number of rows of each table; {"is_repeated": true} if this cell has the
organization already. From then on the move can only go on: admin.give_up at the source. Raises PT409 wrong_state and not_arrived.$$;

grant execute on function admin.take_over(uuid, jsonb) to leads_operator;
