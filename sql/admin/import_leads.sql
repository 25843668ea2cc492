-- admin.import_leads - stores the rows that this transaction has copied, for leads import.
set local role leads_jobs;

-- In the same transaction, so that the previous release finds a function at any time.
drop function if exists admin.import_leads(uuid, bytea, boolean, text, text, boolean, boolean);

create or replace function admin.import_leads(
  organization_id uuid,
  file_digest bytea,
  is_csv boolean,
  match text,
  on_duplicate text,
  push boolean,
  is_last boolean,
  events boolean default false
)
returns table (rows_done integer, created integer, updated integer, skipped integer, failed integer, failures json)
language plpgsql volatile security definer set search_path = pg_catalog, pg_temp
as $$
#variable_conflict use_column
declare
  v_organization_id uuid := (admin.organization(import_leads.organization_id)).organization_id;
  v_import record;
  v_rows text[];
  v_positions integer[];
  v_results api.bulk_result[];
begin
  perform admin.check_settled(v_organization_id);
  -- Locked: if two commands import the same file, one of them finds that its rows are done.
  select i.rows_done into v_import
  from admin.lead_import as i
  where i.organization_id = v_organization_id and i.file_digest = import_leads.file_digest
  for update;
  with taken as (
    delete from admin.import_row as r
    where r.organization_id = v_organization_id and r.file_digest = import_leads.file_digest
    returning r.position, r.fields
  )
  select array_agg(t.fields order by t.position), array_agg(t.position order by t.position)
  into v_rows, v_positions
  from taken as t;
  if
    v_import.rows_done is null
    or v_positions[1] <> v_import.rows_done + 1
    or v_positions[cardinality(v_positions)] <> v_import.rows_done + cardinality(v_positions)
  then
    raise sqlstate 'PT409' using
      message = 'import_is_elsewhere',
      hint = 'Another command imports this file. Wait until it has ended, and run the command again.';
  end if;

  -- audit.write_event writes this as the correlation_id, and webhook.queue_deliveries leaves such events out.
  if not import_leads.events then
    perform set_config('leads.import', 'import:' || encode(substr(import_leads.file_digest, 1, 8), 'hex'), true);
  end if;
  select array_agg(row(r.position + v_import.rows_done, r.status, r.lead_id, r.faults)::api.bulk_result order by r.position)
  into v_results
  from app.store_leads(
    v_organization_id, v_rows, import_leads.is_csv, import_leads.match, import_leads.on_duplicate, import_leads.push, true
  ) as r;
  perform set_config('leads.import', '', true);
  -- Such results say that a lead exists, or that an earlier row is the same.
  if exists (
    select from unnest(v_results) as r
    where r.status in ('skipped', 'updated') or r.errors::text ~ '"(duplicate|ambiguous|reference_in_use)"'
  )
  then
    perform audit.record_read(v_organization_id, 'admin.import_leads', array(
      select distinct r.id
      from unnest(v_results) as r
      where r.status in ('skipped', 'updated') or r.errors::text ~ '"(duplicate|ambiguous|reference_in_use)"'
    ));
  end if;
  if import_leads.push then
    perform crm.wake_worker(v_organization_id, s.lead_id)
    from crm.sync as s
    join unnest(v_results) as r on r.id = s.lead_id
    where s.organization_id = v_organization_id and s.status = 'pending'
    limit 1;
  end if;

  update admin.lead_import as i
  set
    rows_done = i.rows_done + n.rows,
    created = i.created + n.created,
    updated = i.updated + n.updated,
    skipped = i.skipped + n.skipped,
    failed = i.failed + n.failed,
    is_complete = import_leads.is_last
  from (
    select
      count(*) as rows,
      count(*) filter (where r.status = 'created') as created,
      count(*) filter (where r.status = 'updated') as updated,
      count(*) filter (where r.status = 'skipped') as skipped,
      count(*) filter (where r.status = 'failed') as failed
    from unnest(v_results) as r
  ) as n
  where i.organization_id = v_organization_id and i.file_digest = import_leads.file_digest;
  return query
  select
    i.rows_done, i.created, i.updated, i.skipped, i.failed,
    (
      select json_agg(json_build_object('row', r."row", 'errors', r.errors) order by r."row")
      from unnest(v_results) as r
      where r.status = 'failed'
    )
  from admin.lead_import as i
  where i.organization_id = v_organization_id and i.file_digest = import_leads.file_digest;
end $$;

comment on function admin.import_leads(uuid, bytea, boolean, text, text, boolean, boolean, boolean) is
$$Stores the rows that this transaction has copied into admin.import_line, and returns the sums of the import.

They must follow the rows that are done. is_csv, match, on_duplicate, push: as for app.store_leads. is_last: whether these are the
last rows of the file. events: whether the events of these rows are sent to webhooks; if not, their correlation_id is "import:" and
the first 16 digits of the file's SHA-256. failures: a JSON array of {"row", "errors"} of these rows; null: none failed. Writes the event lead.read if a row
finds a lead that exists.
Raises PT409 import_is_elsewhere and move_has_begun, and PT422 validation_failed if CSV has an unknown column.$$;

grant execute on function admin.import_leads(uuid, bytea, boolean, text, text, boolean, boolean, boolean) to leads_operator;
