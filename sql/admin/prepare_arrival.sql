-- admin.prepare_arrival - prepares this cell for the rows of an organization. The first step at the target.
set local role leads_jobs;

create or replace function admin.prepare_arrival(organization_id uuid, source_cell text, years integer[] default '{}')
returns void language plpgsql volatile security definer set search_path = pg_catalog, pg_temp
as $$
#variable_conflict use_column
declare
  v_organization_id uuid := prepare_arrival.organization_id;
  v_placement record;
  v_year integer;
begin
  insert into app.placement (organization_id, state, cell)
  values (v_organization_id, 'arriving', prepare_arrival.source_cell)
  on conflict (organization_id) do nothing;
  if found then
    if
      exists (select from app.organization as o where o.organization_id = v_organization_id)
      or exists (select from audit.event as e where e.organization_id = v_organization_id)
    then
      raise sqlstate 'PT409' using
        message = 'organization_exists',
        hint = format('This cell has the organization %s already. It can''t arrive here.', v_organization_id);
    end if;
  else
    select p.state, p.cell into v_placement
    from app.placement as p
    where p.organization_id = v_organization_id
    for update;
    if v_placement.state <> 'arriving' or v_placement.cell <> prepare_arrival.source_cell then
      perform admin.wrong_state(v_organization_id, format('A move from the cell %s', prepare_arrival.source_cell));
    end if;
  end if;

  -- The other cell says them. Each year costs two partitions, which every reader of the log pays for.
  if exists (
    select
    from unnest(prepare_arrival.years) as y (year)
    where (y.year between 2000 and extract(year from now() at time zone 'UTC') + 1) is not true
  ) then
    raise sqlstate 'PT422' using
      message = 'invalid_years', hint = 'The organization can''t have events of a year before 2000 or after the next one.';
  end if;
  v_year := (
    select min(r.year) from audit.retirement as r where r.year = any (prepare_arrival.years)
  );
  if v_year is not null then
    raise sqlstate 'PT409' using
      message = 'year_retired',
      hint = format(
        'The year %s of the audit log was retired in this cell, and the organization has events of it. Retire it in the other cell '
        'first: leads audit retire %s',
        v_year, v_year
      );
  end if;
  perform audit.create_partitions(y.year) from unnest(prepare_arrival.years) as y (year);
end $$;

comment on function admin.prepare_arrival(uuid, text, integer[]) is
$$Notes that the organization arrives, so that no row that arrives is answered, sealed, pushed, delivered, counted or deleted. Call it
before the subscription is made.

years: those that admin.begin_move has returned; their partitions are created. A second call changes nothing. Raises PT409
organization_exists, wrong_state (rows are left over from an earlier move: admin.delete_moved deletes them) and year_retired, and PT422
invalid_years.$$;

grant execute on function admin.prepare_arrival(uuid, text, integer[]) to leads_operator;
