-- admin.fill_lead_items - sets the item of leads that have none, for leads migrate.
set local role leads_jobs;

create or replace function admin.fill_lead_items(batch integer)
returns bigint language plpgsql volatile security definer set search_path = pg_catalog, pg_temp
as $$
declare
  -- The session keeps the place, so that all batches together read the table once.
  v_block bigint := coalesce(nullif(current_setting('leads.filled_blocks', true), ''), '0');
  v_end bigint := pg_relation_size('app.lead') / current_setting('block_size')::bigint;
  v_rows bigint;
  v_filled bigint := 0;
begin
  while v_filled < fill_lead_items.batch and v_block < v_end loop
    -- The trigger _500_stamp computes the value. The condition is checked again after a wait for a concurrent
    -- change, which has set the value too.
    update app.lead as l
    set item = null
    where l.ctid >= format('(%s,0)', v_block)::tid and l.ctid < format('(%s,0)', v_block + 1)::tid and l.item is null;
    get diagnostics v_rows = row_count;
    v_filled := v_filled + v_rows;
    v_block := v_block + 1;
  end loop;
  perform set_config('leads.filled_blocks', case when v_filled > 0 then v_block::text else '' end, false);
  return v_filled;
end $$;

comment on function admin.fill_lead_items(integer) is
$$Sets app.lead.item in rows that have none, of all organizations, and returns their number. 0: none is left.

batch: after so many rows it ends with the page of the table that it is at. It changes neither revision nor updated_at,
and writes no event. Until it has run, readers compute the item of these rows.$$;
