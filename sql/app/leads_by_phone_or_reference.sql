-- app.leads_by_phone_or_reference - a page of the leads with a phone number or a reference.
set local role leads_owner;

create or replace function app.leads_by_phone_or_reference(
  organization_id uuid,
  phone text,
  reference text,
  emails text[],
  stages text[],
  sources text[],
  before timestamptz,
  before_id uuid,
  start_at timestamptz,
  "limit" integer
)
returns text[] language plpgsql stable parallel safe security invoker set search_path = pg_catalog, pg_temp
as $$
#variable_conflict use_column
declare
  v_organization_id uuid := leads_by_phone_or_reference.organization_id;
  v_phones text[] := app.phone_keys(leads_by_phone_or_reference.phone, v_organization_id);
  v_emails text[] := array(
    select lower(app.read_email(e.value) collate "C") from unnest(leads_by_phone_or_reference.emails) as e (value)
  );
begin
  if leads_by_phone_or_reference.reference is not null then
    -- A reference has at most one lead.
    return array(
      select coalesce(l.item, app.computed_lead_item(row(l.*)::app.lead_values))
      from app.lead as l
      where
        l.organization_id = v_organization_id
        and l.reference = app.clean_text(leads_by_phone_or_reference.reference)
        and (leads_by_phone_or_reference.phone is null or l.phone_key = any (v_phones))
        and (leads_by_phone_or_reference.emails is null or l.email_key = any (v_emails))
        and (leads_by_phone_or_reference.stages is null or l.pipeline_stage = any (leads_by_phone_or_reference.stages))
        and (leads_by_phone_or_reference.sources is null or l.source = any (leads_by_phone_or_reference.sources))
        and (l.created_at, l.id) < (leads_by_phone_or_reference.before, leads_by_phone_or_reference.before_id)
        and l.created_at >= leads_by_phone_or_reference.start_at
      order by l.created_at desc, l.id desc
      limit leads_by_phone_or_reference.limit
    );
  end if;
  return array(
    select f.item
    from (select distinct k.value from unnest(v_phones) as k (value)) as p
    cross join lateral (
      select coalesce(l.item, app.computed_lead_item(row(l.*)::app.lead_values)) as item, l.created_at, l.id
      from app.lead as l
      where
        l.organization_id = v_organization_id
        and l.phone_key = p.value
        and (leads_by_phone_or_reference.emails is null or l.email_key = any (v_emails))
        and (leads_by_phone_or_reference.stages is null or l.pipeline_stage = any (leads_by_phone_or_reference.stages))
        and (leads_by_phone_or_reference.sources is null or l.source = any (leads_by_phone_or_reference.sources))
        and (l.created_at, l.id) < (leads_by_phone_or_reference.before, leads_by_phone_or_reference.before_id)
        and l.created_at >= leads_by_phone_or_reference.start_at
      order by l.created_at desc, l.id desc
      limit leads_by_phone_or_reference.limit
    ) as f
    order by f.created_at desc, f.id desc
    limit leads_by_phone_or_reference.limit
  );
end $$;

comment on function app.leads_by_phone_or_reference(
  uuid, text, text, text[], text[], text[], timestamptz, uuid, timestamptz, integer
) is
$$The items of the leads that match all filters, newest first, as api.list_leads returns them.

phone, reference, emails, stages, sources: the values of the filters, at least a phone or a reference; null: no filter.
before, before_id: the upper bound of the page, exclusive. start_at: the lower bound, inclusive. "limit": the number of items.$$;

grant execute on function app.leads_by_phone_or_reference(
  uuid, text, text, text[], text[], text[], timestamptz, uuid, timestamptz, integer
) to leads_exec;
