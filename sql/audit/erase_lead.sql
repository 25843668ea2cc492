-- audit.erase_lead - erases a lead: its rows, and its values in other rows.
set local role leads_eraser;

-- Its result has a column more. In the same transaction, so that the previous release finds a function at any time; this also
-- drops the functions that call it, which follow in sql/load.sql.
drop function if exists audit.erase_lead(uuid, uuid) cascade;

create or replace function audit.erase_lead(organization_id uuid, lead_id uuid)
returns table (wait_seconds numeric, rows_gone bigint, events bigint, copies json, webhooks json)
language plpgsql volatile security definer set search_path = pg_catalog, pg_temp
as $$
declare
  v_organization_id uuid := erase_lead.organization_id;
  v_lead_id uuid := erase_lead.lead_id;
  v_stage text;
  v_email text;
  v_phone_key text;
  v_country_code text;
  v_until timestamptz;
  v_count bigint;
  v_gone bigint := 0;
  v_items text[];
  v_copies json;
  v_webhooks json;
begin
  -- The locks make a concurrent change either commit before the erasure or find no lead.
  select l.pipeline_stage, l.email, l.phone_key into v_stage, v_email, v_phone_key
  from app.lead as l
  where l.organization_id = v_organization_id and l.id = v_lead_id
  for update;
  perform from crm.sync as s
  where s.organization_id = v_organization_id and s.lead_id = v_lead_id
  for update;
  select max(s.run_at) into v_until
  from crm.sync as s
  where
    s.organization_id = v_organization_id
    and s.lead_id = v_lead_id
    and s.status = 'in_progress'
    and s.run_at > clock_timestamp();
  if v_until is not null then
    -- A worker is calling the vendor. Its result, a record to list as a copy, is known soon.
    return query select greatest(round(extract(epoch from v_until - clock_timestamp()), 3), 0.001), 0::bigint, 0::bigint, null::json, null::json;
    return;
  end if;

  -- The caller can roll the erasure back after reading the copies. This line of the server's log stays.
  raise log 'lead.erased: % erases lead % of organization %', session_user, v_lead_id, v_organization_id;
  v_copies := crm.copies(v_organization_id, v_lead_id);
  -- A worker that is about to send values has locked the webhook. It has recorded the receiver when this lock is free, and
  -- reads the erased events if it comes later.
  perform from webhook.endpoint as p where p.organization_id = v_organization_id order by p.id for share;
  v_webhooks := webhook.recipients(v_organization_id, v_lead_id);
  delete from webhook.recipient as r where r.organization_id = v_organization_id and r.lead_id = v_lead_id;
  get diagnostics v_count = row_count;
  v_gone := v_gone + v_count;
  -- Explicit deletes instead of cascades: a cascade runs as the table's owner, and the audit
  -- triggers would then record all values.
  delete from crm.attempt as a
  using crm.sync as s
  where
    s.organization_id = v_organization_id
    and s.lead_id = v_lead_id
    and a.organization_id = s.organization_id
    and a.sync_id = s.id;
  get diagnostics v_count = row_count;
  v_gone := v_gone + v_count;
  delete from crm.sync as s where s.organization_id = v_organization_id and s.lead_id = v_lead_id;
  get diagnostics v_count = row_count;
  v_gone := v_gone + v_count;
  delete from scoring.signal as s where s.organization_id = v_organization_id and s.lead_id = v_lead_id;
  get diagnostics v_count = row_count;
  v_gone := v_gone + v_count;
  delete from scoring.score as s where s.organization_id = v_organization_id and s.lead_id = v_lead_id;
  get diagnostics v_count = row_count;
  v_gone := v_gone + v_count;
  v_country_code := (select o.country_code from app.organization as o where o.organization_id = v_organization_id);
  v_gone := v_gone + audit.erase_submissions(v_organization_id, v_lead_id, v_email, v_phone_key, v_country_code);
  -- They are copies, and are not counted.
  delete from app.lead_word as w where w.organization_id = v_organization_id and w.lead_id = v_lead_id;
  delete from app.unindexed_lead as u where u.organization_id = v_organization_id and u.lead_id = v_lead_id;
  delete from app.lead as l where l.organization_id = v_organization_id and l.id = v_lead_id;
  get diagnostics v_count = row_count;
  v_gone := v_gone + v_count;

  update app.idempotency_key as k
  set request_digest = null, status = null, headers = null, body = null
  where
    k.organization_id = v_organization_id
    and (strpos(k.body, v_lead_id::text) > 0 or strpos(k.headers::text, v_lead_id::text) > 0);
  get diagnostics v_count = row_count;
  v_gone := v_gone + v_count;

  -- No row of an import is ever committed, unless someone has inserted it by hand.
  delete from admin.import_row as r where r.organization_id = v_organization_id;

  v_items := audit.erase_events(v_organization_id, v_lead_id);
  if v_gone > 0 or cardinality(v_items) > 0 then
    perform audit.record_erasure(
      v_organization_id,
      v_lead_id,
      concat(
        '"lead_id":"', v_lead_id, '","diff":{',
        case when v_stage is not null then '"pipeline_stage":' || json_build_object('from', v_stage, 'to', null) end,
        '}',
        ',"webhooks":' || (
          select json_agg(json_build_object('id', w.id, 'host', w.host)) from json_to_recordset(v_webhooks) as w (id uuid, host text)
        ),
        ',"erased":[', array_to_string(v_items, ','), ']'
      )
    );
  end if;
  return query select 0::numeric, v_gone, cardinality(v_items)::bigint, v_copies, v_webhooks;
end $$;

comment on function audit.erase_lead(uuid, uuid) is
$$Erases a lead, even one that was deleted before. A second call changes nothing.

It deletes the lead with its words, signals, scores, pushes, attempts and submissions of forms, replaces the values in its events by {"erased": true},
sets kept answers to null, and writes the event lead.erased.
wait_seconds: if it is greater than 0, nothing was done because a push holds a lease for that many seconds; call again then.
rows_gone: the number of rows that were deleted or emptied. events: the number of events whose values were erased. copies:
the records at CRMs, as crm.copies returned them before. webhooks: the webhooks that received values (webhook.recipients).$$;

grant execute on function audit.erase_lead(uuid, uuid) to leads_jobs;
