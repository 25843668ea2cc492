-- admin.fill_lead_stage_times - sets won_at, lost_at and first_contacted_at of leads, for leads migrate.
set local role leads_jobs;

create or replace function admin.fill_lead_stage_times(batch integer)
returns bigint language plpgsql volatile security definer set search_path = pg_catalog, pg_temp
as $$
declare
  -- The session keeps the place, so that all batches together read the table once.
  v_block bigint := coalesce(nullif(current_setting('leads.filled_stage_times', true), ''), '0');
  v_end bigint := pg_relation_size('app.lead') / current_setting('block_size')::bigint;
  v_organization_ids uuid[];
  v_ids uuid[];
  v_rows bigint;
  v_filled bigint := 0;
begin
  while v_filled < fill_lead_stage_times.batch and v_block < v_end loop
    -- The locks come first: the next statement then sees the events of every change before.
    select array_agg(b.organization_id), array_agg(b.id) into v_organization_ids, v_ids
    from (
      select l.organization_id, l.id
      from app.lead as l
      where
        l.ctid >= format('(%s,0)', v_block)::tid and l.ctid < format('(%s,0)', v_block + 1)::tid
        and case l.pipeline_stage
          when 'won' then l.won_at is null or l.first_contacted_at is null
          when 'lost' then l.lost_at is null
          -- Only a lead that was changed can have left it and come back.
          when 'new' then l.revision > 1 and l.first_contacted_at is null
          else l.first_contacted_at is null
        end
      for no key update
    ) as b;
    with entry as (
      select
        l.organization_id,
        l.id,
        -- The first entry is that of the creation. An imported lead was created before its event.
        t.entered_at,
        t.contacted_at
      from unnest(v_organization_ids, v_ids) as b (organization_id, id)
      join app.lead as l on l.organization_id = b.organization_id and l.id = b.id
      cross join lateral (
        select
          max(case when e.stage_left is null then l.created_at else e.created_at end)
            filter (where e.stage_entered = l.pipeline_stage) as entered_at,
          min(case when e.stage_left is null then l.created_at else e.created_at end)
            filter (where e.stage_entered not in ('new', 'lost')) as contacted_at
        from audit.event as e
        where e.organization_id = l.organization_id and e.lead_id = l.id and e.stage_entered is not null
        offset 0
      ) as t
    ),
    -- A year of the log can have been retired.
    known as (
      select
        l.organization_id,
        l.id,
        case l.pipeline_stage when 'won' then coalesce(y.entered_at, l.updated_at) end as won_at,
        case l.pipeline_stage when 'lost' then coalesce(y.entered_at, l.updated_at) end as lost_at,
        coalesce(
          y.contacted_at, case when l.pipeline_stage not in ('new', 'lost') then l.created_at end
        ) as first_contacted_at
      from entry as y
      join app.lead as l on l.organization_id = y.organization_id and l.id = y.id
    )
    update app.lead as l
    set won_at = k.won_at, lost_at = k.lost_at, first_contacted_at = k.first_contacted_at
    from known as k
    where
      l.organization_id = k.organization_id and l.id = k.id
      and (l.won_at, l.lost_at, l.first_contacted_at) is distinct from (k.won_at, k.lost_at, k.first_contacted_at);
    get diagnostics v_rows = row_count;
    v_filled := v_filled + v_rows;
    v_block := v_block + 1;
  end loop;
  perform set_config('leads.filled_stage_times', case when v_filled > 0 then v_block::text else '' end, false);
  return v_filled;
end $$;

comment on function admin.fill_lead_stage_times(integer) is
$$Sets won_at, lost_at and first_contacted_at of leads that lack them, of all organizations, from the audit log. Returns the
number of leads that it changed. 0: none is left.

batch: after so many rows it ends with the page of the table that it is at. It changes neither revision nor updated_at,
and writes no event.$$;
