-- admin.queue_leads - puts leads that have no words into the queue of admin.index_leads, for leads migrate.
set local role leads_jobs;

create or replace function admin.queue_leads(batch integer)
returns bigint language plpgsql volatile security definer set search_path = pg_catalog, pg_temp
as $$
declare
  -- The session keeps the place, so that all batches together read the table once.
  v_block bigint := coalesce(nullif(current_setting('leads.queued_blocks', true), ''), '0');
  v_end bigint := pg_relation_size('app.lead') / current_setting('block_size')::bigint;
  v_rows bigint;
  v_queued bigint := 0;
begin
  while v_queued < queue_leads.batch and v_block < v_end loop
    insert into app.unindexed_lead (organization_id, lead_id)
    select l.organization_id, l.id
    from app.lead as l
    where
      l.ctid >= format('(%s,0)', v_block)::tid and l.ctid < format('(%s,0)', v_block + 1)::tid
      and not exists (
        select from app.lead_word as w where w.organization_id = l.organization_id and w.lead_id = l.id
      )
      and not exists (select from app.placement as f where f.organization_id = l.organization_id and f.is_fenced)
    order by l.organization_id, l.id
    on conflict do nothing;
    get diagnostics v_rows = row_count;
    v_queued := v_queued + v_rows;
    v_block := v_block + 1;
  end loop;
  perform set_config('leads.queued_blocks', case when v_queued > 0 then v_block::text else '' end, false);
  return v_queued;
end $$;

comment on function admin.queue_leads(integer) is
$$Puts leads of all organizations that have no row in app.lead_word into app.unindexed_lead, and returns their number. 0: none
is left.

batch: after so many rows it ends with the page of the table that it is at.$$;
