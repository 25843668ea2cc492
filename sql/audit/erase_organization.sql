-- audit.erase_organization - erases an organization's data after its leads are erased.
set local role leads_eraser;

create or replace function audit.erase_organization(organization_id uuid)
returns bigint language plpgsql volatile security definer set search_path = pg_catalog, pg_temp
as $$
declare
  v_organization_id uuid := erase_organization.organization_id;
  v_now timestamptz := date_trunc('milliseconds', clock_timestamp());
  v_items text[];
begin
  perform from app.organization as o where o.organization_id = v_organization_id for update;
  if exists (select from app.lead as l where l.organization_id = v_organization_id) then
    raise sqlstate 'PT409' using
      message = 'leads_left', hint = 'New leads arrived during the erasure. Run the command again: leads erase --organization ID';
  end if;
  delete from admin.import_row as r where r.organization_id = v_organization_id;
  delete from webhook.endpoint as p where p.organization_id = v_organization_id;
  delete from webhook.delivery as d where d.organization_id = v_organization_id;
  delete from webhook.recipient as r where r.organization_id = v_organization_id;
  delete from intake.client as c where c.organization_id = v_organization_id;
  delete from intake.submission as s where s.organization_id = v_organization_id;
  delete from intake.form as f where f.organization_id = v_organization_id;
  delete from app.idempotency_key as k where k.organization_id = v_organization_id;
  delete from scoring.model as m where m.organization_id = v_organization_id;
  delete from app.pipeline_stage as p where p.organization_id = v_organization_id;
  delete from app.stage_stay as t where t.organization_id = v_organization_id;
  delete from app.stage_day as d where d.organization_id = v_organization_id;
  delete from app.stage_progress as p where p.organization_id = v_organization_id;
  delete from app.uncounted_seal as u where u.organization_id = v_organization_id;
  update app.organization as o
  set name = null, erased_at = v_now
  where o.organization_id = v_organization_id and o.erased_at is null;

  -- This includes the events that the statements above wrote.
  v_items := audit.erase_events(v_organization_id, null);
  if cardinality(v_items) > 0 then
    perform audit.record_erasure(
      v_organization_id, null, concat('"organization":"', v_organization_id, '","erased":[', array_to_string(v_items, ','), ']')
    );
  end if;
  return cardinality(v_items);
end $$;

comment on function audit.erase_organization(uuid) is
$$Erases an organization whose leads are already erased. Returns the number of events that were changed.

It deletes the stages, the leads' stays in them, models, kept answers and the name, erases the values in all events, and writes the event
organization.erased. The id, the log and its seals are kept.
Raises PT409 leads_left if the organization has leads.$$;

grant execute on function audit.erase_organization(uuid) to leads_jobs;
