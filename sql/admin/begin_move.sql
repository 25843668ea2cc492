-- admin.begin_move - begins to move an organization to another cell. The first step, at the source.
set local role leads_jobs;

create or replace function admin.begin_move(organization_id uuid, target_cell text)
returns json language plpgsql volatile security definer set search_path = pg_catalog, pg_temp
as $$
#variable_conflict use_column
declare
  v_organization_id uuid := (admin.organization(begin_move.organization_id)).organization_id;
  v_placement record;
begin
  insert into app.placement (organization_id, state, cell)
  values (v_organization_id, 'copying', begin_move.target_cell)
  on conflict (organization_id) do nothing;
  select p.state, p.cell into v_placement
  from app.placement as p
  where p.organization_id = v_organization_id
  for update;
  if v_placement.state not in ('copying', 'draining', 'moving') or v_placement.cell <> begin_move.target_cell then
    perform admin.wrong_state(v_organization_id, format('A move to the cell %s', begin_move.target_cell));
  end if;

  return json_build_object(
    'state', v_placement.state,
    'publication', audit.publish_rows(
      v_organization_id,
      array(select c.relation from admin.table_class() as c where c.class = 'data' order by c.position)
    ),
    -- The partitions that the other cell needs before the first row arrives.
    'years', (
      select json_agg(y.year order by y.year)
      from (
        select substring(c.relname from '_(\d{4})$')::integer as year
        from pg_catalog.pg_inherits as i
        join pg_catalog.pg_class as c on c.oid = i.inhrelid
        where i.inhparent = 'audit.event'::regclass
      ) as y
      where exists (
        select
        from audit.event as e
        where
          e.organization_id = v_organization_id
          and e.created_at >= make_timestamptz(y.year, 1, 1, 0, 0, 0, 'UTC')
          and e.created_at < make_timestamptz(y.year + 1, 1, 1, 0, 0, 0, 'UTC')
      )
    )
  );
end $$;

comment on function admin.begin_move(uuid, text) is
$$Notes that the organization is copied to another cell, and publishes its rows. This cell goes on to serve it.

Returns {"state", "publication", "years"}: the name of the publication, and the years of which the organization has events, for
admin.prepare_arrival. A second call returns the same. Until the move has ended or was aborted, the organization can't be erased,
nothing can be imported for it, and no year of the audit log can be retired. Raises PT404 organization_not_found, PT409
organization_erased, wrong_state and cell_not_prepared.$$;

grant execute on function admin.begin_move(uuid, text) to leads_operator;
